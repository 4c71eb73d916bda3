"""The inverse that a graph can compute."""

import pytest
import torch

from sim2real.meta.symmetric import inverse, inverse_by_products


@pytest.mark.parametrize("n", [4, 64])
def test_by_products_it_is_the_inverse_by_a_factor(n: int) -> None:
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(3, n, 256, generator=generator, dtype=torch.float64)
    least = torch.tensor(10.0, dtype=torch.float64)
    matrix = features @ features.mT + least * torch.eye(n, dtype=torch.float64)
    torch.testing.assert_close(inverse_by_products(matrix, least), inverse(matrix, least))


def test_by_products_it_is_right_where_nothing_is_known() -> None:
    least = torch.tensor(10.0)
    eye = torch.eye(5)
    torch.testing.assert_close(inverse_by_products(least * eye, least), eye / least)
