"""Keyed randomness: a value is a function of (seed, term, counters), not of what was drawn before.

Counter-based generation (Salmon et al. 2011) with the splitmix64 mixer (Steele et al. 2014): the
same (seed, term, environment, episode, step) gives the same number whatever else was drawn, in
whichever order, for however many environments.
"""

import functools
import hashlib
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

_GOLDEN = 0x9E3779B97F4A7C15
_MASK = 0xFFFFFFFFFFFFFFFF


def uniform(seed: int, term: str, *counters: ArrayLike, size: int) -> NDArray[np.float64]:
    """Return `size` numbers in (0, 1) for each row of `counters` (integers (n,)): (n, size)."""
    # 52 bits and a half: never 0, never 1, exactly representable
    bits = _bits(seed, term, counters, size) >> np.uint64(12)
    return (bits.astype(np.float64) + 0.5) * 2.0**-52


def normal(seed: int, term: str, *counters: ArrayLike, size: int) -> NDArray[np.float64]:
    """Return `size` standard normal numbers for each row of `counters`: (n, size).

    Box-Muller on the two halves of each word: 32 bits each, so no value lies beyond 6.7. In single
    precision, which takes a fraction of the time and rounds far below what noise could tell.
    """
    words = _bits(seed, term, counters, (size + 1) // 2)
    high = (words >> np.uint64(32)).astype(np.float32)
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
    state: Any = _term_keys(seed, terms)
    for counter in counters:
        column = np.atleast_1d(np.asarray(counter)).astype(np.uint64)[:, None]
        state = _mix(state ^ (column * np.uint64(_GOLDEN)))
    return ((_mix(state + np.uint64(_GOLDEN)) >> np.uint64(12)) + 0.5) * 2.0**-52


def integer_seed(seed: int, term: str) -> int:
    """Return a 31-bit seed for a library that keeps its own generator."""
    return int(_bits(seed, term, (np.zeros(1, int),), 1)[0, 0] >> np.uint64(33))


def _bits(seed: int, term: str, counters: tuple[ArrayLike, ...], size: int) -> NDArray[np.uint64]:
    key = np.uint64(_term_key(seed, term))
    state: Any = key
    for counter in counters:
        # at least 1-D: numpy warns of the overflow that is meant only for scalars
        counts = np.atleast_1d(np.asarray(counter)).astype(np.uint64)
        state = _mix(state ^ (counts * np.uint64(_GOLDEN)))
    return _mix(np.atleast_1d(state)[:, None] + _steps(size))


@functools.lru_cache(maxsize=256)
def _term_key(seed: int, term: str) -> int:
    digest = hashlib.blake2b(f"{seed & _MASK}:{term}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little")


@functools.lru_cache(maxsize=64)
def _term_keys(seed: int, terms: tuple[str, ...]) -> NDArray[np.uint64]:
    return np.array([_term_key(seed, term) for term in terms], np.uint64)


@functools.lru_cache(maxsize=256)
def _steps(size: int) -> NDArray[np.uint64]:
    steps = [(i + 1) * _GOLDEN & _MASK for i in range(size)]
    return np.array(steps, np.uint64)


def _mix(z: Any) -> Any:
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))
