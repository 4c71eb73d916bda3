"""The inverse of symmetric positive definite matrices, also where a graph is exported."""

import torch
from torch import Tensor

_ITERATIONS = 30


def inverse(matrix: Tensor, least: Tensor) -> Tensor:
    """Return the inverses of matrices (..., n, n) whose eigenvalues are `least` (0-d) or more.

    By a Cholesky factor; where a graph is exported, which knows no such node, by products alone.
    """
    if torch.compiler.is_exporting():
        return inverse_by_products(matrix, least)
    return torch.cholesky_inverse(torch.linalg.cholesky(matrix))


def inverse_by_products(matrix: Tensor, least: Tensor) -> Tensor:
    """Return the same by Newton's iteration (Schulz 1933), quadratic in its end.

    The first guess is the best multiple of 1 for eigenvalues between `least` and the trace.
    """
    eye = torch.eye(matrix.shape[-1], dtype=matrix.dtype)
    largest = matrix.diagonal(dim1=-2, dim2=-1).sum(dim=-1)[..., None, None]
    guess = 2.0 / (largest + least) * eye
    for _ in range(_ITERATIONS):
        guess = guess @ (2.0 * eye - matrix @ guess)
    return 0.5 * (guess + guess.mT)
