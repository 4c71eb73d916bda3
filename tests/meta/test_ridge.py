"""The last layer that adapts in closed form, against least squares and Bayes' rule."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from sim2real.errors import MetaError
from sim2real.meta.ridge import Evidence, RidgeModel, change_by_samples, solve

NTASK, N, NFEATURE, NOUT = 3, 7, 5, 2


def data(n: int = N) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(NTASK, n, NFEATURE, generator=generator, dtype=torch.float64)
    return x, torch.randn(NTASK, n, NOUT, generator=generator, dtype=torch.float64)


def none() -> Evidence:
    return Evidence.none(NTASK, NFEATURE, NOUT, data()[0])


STRENGTH = torch.tensor(0.7, dtype=torch.float64)


def test_the_solution_is_that_of_regularized_least_squares() -> None:
    features, errors = data()
    found = solve(none().plus(features, errors), STRENGTH).change
    for task in range(NTASK):
        rows = np.vstack([features[task], math.sqrt(STRENGTH) * np.eye(NFEATURE)])
        sides = np.vstack([errors[task], np.zeros((NFEATURE, NOUT))])
        expected = np.linalg.lstsq(rows, sides, rcond=None)[0]
        np.testing.assert_allclose(found[task], expected, atol=1e-12)


def test_solving_by_samples_gives_the_same() -> None:
    features, errors = data(3)
    by_features = solve(none().plus(features, errors), STRENGTH).change
    torch.testing.assert_close(change_by_samples(features, errors, STRENGTH), by_features)


def test_samples_one_by_one_tell_what_all_at_once_do() -> None:
    features, errors = data()
    one_by_one = none()
    for i in range(N):
        one_by_one = one_by_one.plus(features[:, i : i + 1], errors[:, i : i + 1])
    at_once = none().plus(features, errors)
    for found, expected in zip(vars(one_by_one).values(), vars(at_once).values(), strict=True):
        torch.testing.assert_close(found, expected)


def test_faded_evidence_is_weighted_least_squares() -> None:
    features, errors = data()
    faded = none()
    for i in range(N):
        faded = faded.plus(features[:, i : i + 1], errors[:, i : i + 1], keep=0.8)
    weight = 0.8 ** (0.5 * torch.arange(N - 1, -1, -1, dtype=torch.float64))[:, None]
    weighted = none().plus(weight * features, weight * errors)
    torch.testing.assert_close(faded.precision, weighted.precision)
    torch.testing.assert_close(faded.moment, weighted.moment)


def test_without_new_samples_it_returns_to_the_prior() -> None:
    evidence = none().plus(*data())
    nothing = torch.zeros(NTASK, 1, NFEATURE, dtype=torch.float64)
    for _ in range(200):
        evidence = evidence.plus(nothing, nothing[..., :NOUT], keep=0.8)
    layer = solve(evidence, STRENGTH)
    assert layer.change.abs().max() < 1e-12
    expected = torch.eye(NFEATURE, dtype=torch.float64) / STRENGTH
    torch.testing.assert_close(layer.covariance, expected.expand(NTASK, -1, -1))


def model() -> RidgeModel:
    torch.manual_seed(0)
    features = nn.Sequential(nn.Linear(1, 24), nn.Tanh(), nn.Linear(24, NFEATURE), nn.Tanh())
    return RidgeModel(features, NFEATURE, 1, strength=1.0).double()


def test_the_variance_is_that_of_errors_where_the_prior_is_true() -> None:
    ridge, generator = model(), torch.Generator().manual_seed(1)
    ntask, noise = 4000, 0.1
    with torch.no_grad():
        x = 4.0 * torch.rand(ntask, 6, 1, generator=generator, dtype=torch.float64) - 2.0
        phi = ridge.embed(x)
        z = torch.randn(ntask, NFEATURE, 1, generator=generator, dtype=torch.float64)
        e = torch.randn(ntask, 6, 1, generator=generator, dtype=torch.float64)
        y = ridge.last(phi) + noise * (phi @ z / ridge.log_strength.exp().sqrt() + e)
        layer = solve(ridge.observe(None, x[:, :5], y[:, :5]), ridge.log_strength.exp())
        mean, variance = ridge.predict(x[:, 5:], layer)
    score = ((y[:, 5:] - mean).square()[..., 0] / (noise**2 * variance)).mean()
    assert abs(float(score) - 1.0) < 4.0 * math.sqrt(2.0 / ntask)


def test_it_is_surer_where_it_has_been() -> None:
    ridge = model()
    x = torch.full((1, 20, 1), 0.5, dtype=torch.float64)
    with torch.no_grad():
        layer = solve(ridge.observe(None, x, x), ridge.log_strength.exp())
        here, there = (ridge.predict(x[:, :1] + d, layer)[1] for d in (0.0, 3.0))
    assert float(here) < float(there)


def test_features_and_prior_are_learned_through_the_solve() -> None:
    ridge = model()
    x = torch.linspace(-1.0, 1.0, 12, dtype=torch.float64).reshape(2, 6, 1)
    ridge.query_predictions((x, torch.sin(x)), x).square().sum().backward()
    for name, parameter in ridge.named_parameters():
        assert parameter.grad is not None, name
        assert float(parameter.grad.abs().max()) > 0.0, name


def test_training_and_use_predict_alike() -> None:
    ridge = model()
    x = torch.linspace(-1.0, 1.0, 12, dtype=torch.float64).reshape(2, 6, 1)
    layer = solve(ridge.observe(None, x, torch.sin(x)), ridge.log_strength.exp())
    trained = ridge.query_predictions((x, torch.sin(x)), x + 0.1)
    torch.testing.assert_close(ridge.predict(x + 0.1, layer)[0], trained)


def test_a_sample_that_is_no_number_is_refused() -> None:
    x = torch.zeros(1, 2, 1, dtype=torch.float64)
    with pytest.raises(MetaError, match="not finite"):
        model().observe(None, x, x * torch.nan)
