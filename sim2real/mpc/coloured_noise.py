"""Noise that is correlated over time: what explores with less jitter."""

import numpy as np
from numpy.typing import NDArray


def colouring(length: int, exponent: float) -> NDArray[np.float64]:
    """Return the matrix (length, length) that gives white noise (length,) a spectrum 1/f^exponent.

    Each number keeps its variance. Timmer and König 1995, as in Pinneri et al. 2020 (iCEM); the frequency 0 counts as the lowest
    other one. It is exact where inverse transforms of random spectra are, and a constant of the
    exported graph.
    """
    frequency = np.fft.rfftfreq(length)
    frequency[0] = 1.0 / length
    gain = frequency ** (-exponent / 2.0)
    filtered = np.fft.irfft(np.fft.rfft(np.eye(length), axis=0) * gain[:, None], n=length, axis=0)
    return filtered / np.linalg.norm(filtered, axis=1, keepdims=True)
