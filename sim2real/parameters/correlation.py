"""Correlation across ranges that are otherwise drawn independently: a Gaussian copula.

The ranges keep their distributions: what is correlated are the normal scores, z = Φ⁻¹(u), of the
uniform numbers that they are drawn at (Nelsen 2006, An Introduction to Copulas, section 2.3).
"""

from collections.abc import Container
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from sim2real.errors import ParameterError

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Correlation:
    """A group of `k` parameters that are drawn together."""

    parameters: tuple[str, ...]
    """Their names; in `robot.toml` a star stands for all joints: `joint.*.damping`."""
    coefficient: float | None = None
    """Between any two of them."""
    matrix: tuple[tuple[float, ...], ...] | None = None
    """Between each two of them, (k, k), instead of one coefficient for all."""

    def __post_init__(self) -> None:
        if (self.coefficient is None) == (self.matrix is None):
            raise ParameterError("correlate: give either a coefficient or a matrix")
        if self.coefficient is not None and not -1.0 <= self.coefficient <= 1.0:
            raise ParameterError(f"correlate: coefficient = {self.coefficient} must be in [-1, 1]")
        if self.matrix is not None:
            _check_matrix(np.asarray(_square(self.matrix, len(self.parameters))))

    def over(self, names: Container[str]) -> "Correlation":
        """Return the correlation of those of its parameters that are among `names`, sorted.

        Leaving a parameter out does not change how the others are distributed, and the order in
        which they are written does not change what is drawn.
        """
        kept = [i for i, name in enumerate(self.parameters) if name in names]
        kept.sort(key=lambda i: self.parameters[i])
        chosen = tuple(self.parameters[i] for i in kept)
        if self.matrix is None:
            return Correlation(parameters=chosen, coefficient=self.coefficient)
        rows = tuple(tuple(self.matrix[i][j] for j in kept) for i in kept)
        return Correlation(parameters=chosen, matrix=rows)

    def root(self) -> Array:
        """Return the symmetric square root (k, k) of the matrix; raises ParameterError."""
        k = len(self.parameters)
        if self.matrix is None:
            matrix = np.full((k, k), cast("float", self.coefficient))
            np.fill_diagonal(matrix, 1.0)
        else:
            matrix = np.asarray(self.matrix)
        values, vectors = np.linalg.eigh(matrix)
        if values.min() < -1e-9:
            raise ParameterError(_impossible(self, matrix))
        return (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T


def correlated(u: Array, root: Array) -> Array:
    """Return uniform numbers (n, k) whose normal scores have the correlation root @ root.T.

    Args:
        u: independent uniform numbers (n, k).
        root: a square root (k, k) of the correlation matrix.
    """
    from scipy.special import ndtr, ndtri

    # rows one after the other: a matrix product rounds differently for other numbers of rows
    z = (ndtri(u)[:, None, :] * root).sum(axis=-1)
    return np.clip(ndtr(z), 2.0**-53, 1 - 2.0**-53)


def _square(matrix: tuple[tuple[float, ...], ...], k: int) -> tuple[tuple[float, ...], ...]:
    if len(matrix) != k or any(len(row) != k for row in matrix):
        raise ParameterError(f"correlate: {k} parameters need a matrix of {k} rows of {k} numbers")
    return matrix


def _check_matrix(matrix: Array) -> None:
    if not np.isfinite(matrix).all() or (np.diag(matrix) != 1.0).any():
        raise ParameterError("correlate: the matrix must be finite, with 1 on its diagonal")
    if (matrix != matrix.T).any():
        row, column = np.argwhere(matrix != matrix.T)[0]
        raise ParameterError(
            f"correlate: the matrix is not symmetric: [{row}][{column}] is {matrix[row, column]:g},"
            f" [{column}][{row}] is {matrix[column, row]:g}"
        )
    smallest = np.linalg.eigvalsh(matrix).min()
    if smallest < -1e-9:
        raise ParameterError(
            f"correlate: no parameters can be correlated like this: the matrix is not positive"
            f" semidefinite (smallest eigenvalue {smallest:.3g}); multiply its off-diagonal numbers"
            f" by {_shrink(smallest):.3g} or less"
        )


def _impossible(group: Correlation, matrix: Array) -> str:
    lowest = -1.0 / (len(group.parameters) - 1)
    return (
        f"correlate: {len(group.parameters)} parameters cannot all have the coefficient"
        f" {group.coefficient} with each other: the lowest possible is {lowest:.3g}"
    )


def _shrink(smallest: float) -> float:
    """Return the largest factor of the off-diagonal part that leaves no negative eigenvalue."""
    return 1.0 / (1.0 - smallest)
