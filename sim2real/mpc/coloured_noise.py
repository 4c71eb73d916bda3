"""Noise that is correlated over time: what explores with less jitter."""

import numpy as np
from numpy.typing import NDArray


def colouring(length: int, exponent: float) -> NDArray[np.float64]:
    """Return the matrix (length, length) that gives white noise (length,) a spectrum 1/f^exponent.

    Each number keeps its variance; the frequency 0 counts as the lowest other one. Of the law of
    what Timmer and König 1995 draw, as iCEM does (Pinneri et al. 2020), but a constant: a graph
    needs no Fourier transform.
    """
    frequency = np.fft.rfftfreq(length)
    frequency[0] = 1.0 / length
    gain = frequency ** (-exponent / 2.0)
    filtered = np.fft.irfft(np.fft.rfft(np.eye(length), axis=0) * gain[:, None], n=length, axis=0)
    return filtered / np.linalg.norm(filtered, axis=1, keepdims=True)
