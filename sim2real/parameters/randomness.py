"""Keyed randomness: a value is a function of (seed, term, counters), not of what was drawn before.

Counter-based generation (Salmon et al. 2011) with the splitmix64 mixer (Steele et al. 2014): the
same (seed, term, environment, episode, step) gives the same number whatever else was drawn, in
whichever order, for however many environments.
"""

import functools
import hashlib

import numpy as np
from numpy.typing import ArrayLike, NDArray

Keys = NDArray[np.uint64]

_MASK = 0xFFFFFFFFFFFFFFFF
# made once: a number of numpy's takes longer to make than a mix of few rows
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_12, _27, _30, _31, _32 = (np.uint64(bits) for bits in (12, 27, 30, 31, 32))


def uniform(seed: int, term: str, *counters: ArrayLike, size: int) -> NDArray[np.float64]:
    """Return `size` numbers in (0, 1) for each row of `counters` (integers (n,)): (n, size)."""
    return uniform_from(key_of(seed, term, *counters), size)


def normal(seed: int, term: str, *counters: ArrayLike, size: int) -> NDArray[np.float64]:
    """Return `size` standard normal numbers for each row of `counters`: (n, size)."""
    return normal_from(key_of(seed, term, *counters), size)


def key_of(seed: int, term: str, *counters: ArrayLike) -> Keys:
    """Return the key of each row of `counters` (integers (n,)): (n,)."""
    return extended(np.array([_term_key(seed, term)], np.uint64), *counters)


def extended(keys: Keys, *counters: ArrayLike) -> Keys:
    """Return the keys of more counters: `extended(key_of(s, t, a), b)` is `key_of(s, t, a, b)`."""
    for counter in counters:
        keys = _mix(keys ^ (np.asarray(counter).astype(np.uint64) * _GOLDEN))
    return keys


def uniform_from(keys: Keys, size: int) -> NDArray[np.float64]:
    """Return `size` numbers in (0, 1) for each of `keys` (n,): (n, size)."""
    # 52 bits and a half: never 0, never 1, exactly representable
    return ((_words(keys, size) >> _12).astype(np.float64) + 0.5) * 2.0**-52


def normal_from(keys: Keys, size: int) -> NDArray[np.float64]:
    """Return `size` standard normal numbers for each of `keys` (n,): (n, size).

    Box-Muller on the two halves of each word: 32 bits each, so no value lies beyond 6.7. In single
    precision, which takes a fraction of the time and rounds far below what noise could tell.
    """
    words = _words(keys, (size + 1) // 2)
    high = (words >> _32).astype(np.float32)
    angle = words.astype(np.uint32).astype(np.float32) * np.float32(2.0 * np.pi * 2.0**-32)
    radius = np.sqrt(np.float32(-2.0) * np.log((high + np.float32(0.5)) * np.float32(2.0**-32)))
    out = np.empty((len(words), 2 * words.shape[1]))
    np.multiply(radius, np.cos(angle), out=out[:, : words.shape[1]])
    np.multiply(radius, np.sin(angle), out=out[:, words.shape[1] :])
    return out[:, :size]


def uniform_per_term(
    seed: int, terms: tuple[str, ...], *counters: ArrayLike
) -> NDArray[np.float64]:
    """Return `uniform(seed, term, *counters, size=1)` for each term, as one array (n, nterm)."""
    columns = [np.atleast_1d(np.asarray(counter))[:, None] for counter in counters]
    keys = extended(_term_keys(seed, terms), *columns)
    return ((_mix(keys + _GOLDEN) >> _12).astype(np.float64) + 0.5) * 2.0**-52


def integer_seed(seed: int, term: str) -> int:
    """Return a 31-bit seed for a library that keeps its own generator."""
    return int(_words(key_of(seed, term, 0), 1)[0, 0] >> np.uint64(33))


def _words(keys: Keys, size: int) -> Keys:
    return _mix(keys[:, None] + _steps(size))


@functools.lru_cache(maxsize=256)
def _term_key(seed: int, term: str) -> int:
    digest = hashlib.blake2b(f"{seed & _MASK}:{term}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little")


@functools.lru_cache(maxsize=64)
def _term_keys(seed: int, terms: tuple[str, ...]) -> Keys:
    return np.array([_term_key(seed, term) for term in terms], np.uint64)


@functools.lru_cache(maxsize=256)
def _steps(size: int) -> Keys:
    steps = [(i + 1) * int(_GOLDEN) & _MASK for i in range(size)]
    return np.array(steps, np.uint64)


def _mix(z: Keys) -> Keys:
    z = (z ^ (z >> _30)) * _FIRST
    z = (z ^ (z >> _27)) * _SECOND
    return z ^ (z >> _31)
