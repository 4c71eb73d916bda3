import numpy as np
import pytest

from sim2real.errors import ParameterError
from sim2real.parameters import randomness
from sim2real.parameters.posterior import Posterior, Samples

NAMES = ("body.bob.mass", "joint.pivot.damping")


def posterior(**changes):
    values = {
        "names": NAMES,
        "mean": (0.5, 0.02),
        "covariance": ((0.01, 0.0005), (0.0005, 0.0001)),
        "lower": (0.1, 0.0),
        "upper": (2.0, 1.0),
        "origin": {"robot": "pendulum"},
    }
    return Posterior(**(values | changes))


def test_draws_have_the_posteriors_mean_and_covariance():
    given = posterior(lower=(-9.0, -9.0), upper=(9.0, 9.0))
    draws = given.draw(randomness.normal(0, "posterior", np.arange(50000), size=2))
    np.testing.assert_allclose(draws.mean(axis=0), given.mean, atol=2e-3)
    np.testing.assert_allclose(np.cov(draws.T), given.covariance, rtol=0.05)


def test_draws_stay_within_the_bounds():
    draws = posterior().draw(randomness.normal(0, "posterior", np.arange(5000), size=2))
    assert (draws >= (0.1, 0.0)).all()
    assert (draws <= (2.0, 1.0)).all()


def test_the_interval_of_a_normal_is_196_deviations():
    (low, high), _ = posterior().interval(0.95)
    np.testing.assert_allclose((low, high), (0.5 - 0.196, 0.5 + 0.196), atol=1e-3)


def test_a_saved_posterior_loads_as_it_was(tmp_path):
    posterior().save(tmp_path / "posterior.toml")
    assert Posterior.load(tmp_path / "posterior.toml") == posterior()


@pytest.mark.parametrize(
    "changes",
    [
        {"mean": (0.5,)},
        {"covariance": ((1.0, 2.0), (2.0, 1.0))},
        {"lower": (3.0, 0.0)},
        {"names": ("mass", "joint.pivot.damping")},
    ],
)
def test_an_impossible_posterior_is_refused(changes):
    with pytest.raises(ParameterError):
        posterior(**changes)


ROWS = ((0.4, 0.01), (0.5, 0.02), (0.8, 0.05))


def of_samples(**options):
    return Posterior.of_samples(
        NAMES, Samples(values=ROWS, **options), lower=(0.1, 0.0), upper=(2.0, 1.0), origin={}
    )


def standard_normals(given, n=40_000):
    return randomness.normal(0, "posterior", np.arange(n), size=given.ndraw)


def test_samples_are_drawn_together_and_as_often_as_their_weights_say():
    given = of_samples(weights=(1.0, 2.0, 1.0))
    draws, counts = np.unique(given.draw(standard_normals(given)), axis=0, return_counts=True)
    np.testing.assert_array_equal(draws, ROWS)
    np.testing.assert_allclose(counts / 40_000, [0.25, 0.5, 0.25], atol=0.01)


@pytest.mark.parametrize("kernel", [0.2, 0.7, 1.0])
def test_a_kernel_blurs_the_samples_and_keeps_their_mean_and_covariance(kernel):
    given = Posterior.of_samples(
        NAMES, Samples(values=ROWS, kernel=kernel), lower=(-9, -9), upper=(9, 9), origin={}
    )
    draws = given.draw(standard_normals(given))
    assert len(np.unique(draws[:, 0])) > 30_000
    np.testing.assert_allclose(draws.mean(axis=0), given.mean, rtol=0.01)
    np.testing.assert_allclose(np.cov(draws.T), given.covariance, rtol=0.04)


def test_the_interval_of_samples_is_that_of_their_weights():
    values = tuple((float(i), 0.5) for i in range(1, 101))
    samples = Samples(values=values)
    given = Posterior.of_samples(NAMES, samples, lower=(0.0, 0.0), upper=(200.0, 1.0), origin={})
    np.testing.assert_allclose(given.interval(0.9)[0], (5.0, 95.0), atol=1.0)


def test_saved_samples_load_as_they_were(tmp_path):
    given = of_samples(weights=(1.0, 2.0, 1.0), kernel=0.1)
    given.save(tmp_path / "posterior.toml")
    assert Posterior.load(tmp_path / "posterior.toml") == given


def test_a_world_is_the_same_drawn_alone():
    for given in (posterior(), of_samples(kernel=0.3)):
        z = standard_normals(given, 30)
        alone = np.concatenate([given.draw(row[None]) for row in z])
        np.testing.assert_array_equal(given.draw(z), alone)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"values": ()}, "at least one"),
        ({"values": ((0.4, 0.01), (0.5,))}, "same length"),
        ({"values": ((0.4, np.nan),)}, "finite"),
        ({"values": ROWS, "weights": (1.0,)}, "as many weights"),
        ({"values": ROWS, "weights": (1.0, -1.0, 1.0)}, "negative"),
        ({"values": ROWS, "kernel": 2.0}, "kernel"),
    ],
)
def test_impossible_samples_are_refused(values, says):
    with pytest.raises(ParameterError, match=says):
        Samples(**values)


def test_samples_must_agree_with_what_is_said_of_them():
    with pytest.raises(ParameterError, match="their mean"):
        posterior(samples=Samples(values=ROWS))
    with pytest.raises(ParameterError, match=r"row 2: body\.bob\.mass = 0\.8 lies outside"):
        Posterior.of_samples(
            NAMES, Samples(values=ROWS), lower=(0.1, 0.0), upper=(0.7, 1.0), origin={}
        )
