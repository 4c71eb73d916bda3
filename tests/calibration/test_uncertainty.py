import numpy as np
import pytest

from sim2real.calibration.fit import Fit
from sim2real.calibration.identifiability import IDENTIFIED, verdicts
from sim2real.calibration.uncertainty import between_logs, capped_at_prior, within_logs
from sim2real.calibration.weighting import Weighting
from sim2real.calibration.windows import Windows

BLOCKS, ROWS = 40, 50


def linear_fit(noise: np.ndarray, log: np.ndarray | None = None) -> tuple[Fit, Windows]:
    """Return the fit of two coefficients to a window of rows a block, with noise (BLOCKS, ROWS)."""
    rng = np.random.default_rng(5)
    X = rng.standard_normal((BLOCKS, ROWS, 2)) * [1.0, 0.2]
    X[..., 0] = np.abs(X[..., 0])  # so that an offset of a block moves the coefficient
    flat = X.reshape(-1, 2)
    z = -np.linalg.solve(flat.T @ flat + np.eye(2), flat.T @ noise.ravel())
    r = noise + X @ z
    n = np.zeros(BLOCKS)
    weighting = Weighting(
        start=n, root=n, basis=n, reach=n, turn=n, window=n, noise=1.0, redundancy=1.0
    )
    windows = Windows(
        position=n, velocity=n, covariance=n, command=n, before=n, measured=n, noise=n,
        log=np.zeros(BLOCKS, np.int64) if log is None else log,
        start=2.0 * np.arange(BLOCKS), dropped={},
    )  # fmt: skip
    information = np.einsum("ndp,ndq->npq", X, X)
    score = np.einsum("ndp,nd->np", X, r)
    fit = Fit(z=z, information=information, score=score, weighting=weighting, steps=1)
    return fit, windows


def spread(make_noise) -> tuple[np.ndarray, np.ndarray]:
    """Return the true and the mean claimed standard deviation of the coefficients."""
    rng = np.random.default_rng(0)
    pairs = [linear_fit(make_noise(rng)) for _ in range(300)]
    true = np.std([fit.z for fit, _ in pairs], axis=0)
    claimed = np.mean([np.sqrt(np.diag(within_logs(*pair))) for pair in pairs], axis=0)
    return true, claimed


def test_independent_noise_gives_the_textbook_covariance():
    true, claimed = spread(lambda rng: rng.standard_normal((BLOCKS, ROWS)))
    np.testing.assert_allclose(claimed, true, rtol=0.15)


def test_noise_that_blocks_share_widens_the_interval_as_it_should():
    def shared(rng):
        return rng.standard_normal((BLOCKS, ROWS)) + 2.0 * rng.standard_normal((BLOCKS, 1))

    true, claimed = spread(shared)
    assert true[0] > 3 * spread(lambda rng: rng.standard_normal((BLOCKS, ROWS)))[1][0]
    np.testing.assert_allclose(claimed[0], true[0], rtol=0.15)


def test_one_log_says_nothing_about_others():
    fit, windows = linear_fit(np.random.default_rng(0).standard_normal((BLOCKS, ROWS)))
    np.testing.assert_array_equal(between_logs(fit, windows), np.zeros((2, 2)))


@pytest.mark.parametrize(("difference", "low", "high"), [(0.0, 0.0, 0.08), (1.0, 0.4, 0.9)])
def test_logs_that_differ_are_told_from_logs_that_are_noisy(difference, low, high):
    log = np.repeat([0, 1, 2, 3], BLOCKS // 4)
    fit, windows = linear_fit(np.random.default_rng(1).standard_normal((BLOCKS, ROWS)), log)
    own = difference * np.array([-0.6, 0.6, -0.6, 0.6])[log]
    score = fit.score + fit.information[:, :, 0] * own[:, None]
    moved = Fit(**{**vars(fit), "score": score})
    assert low <= np.sqrt(between_logs(moved, windows)[0, 0]) <= high


def test_logs_that_do_not_differ_add_nothing_however_few_they_are():
    added = []
    for seed in range(50):
        noise = np.random.default_rng(seed).standard_normal((BLOCKS, ROWS))
        fit, windows = linear_fit(noise, np.repeat([0, 1], BLOCKS // 2))
        within, between = within_logs(fit, windows), between_logs(fit, windows)
        added.append(np.diag(between) > 0.5 * np.diag(within))
    assert np.mean(added) < 0.1


def test_the_prior_bounds_what_is_not_known():
    capped = capped_at_prior(np.array([[4.0, 1.9], [1.9, 1.0]]))
    assert np.linalg.eigvalsh(capped).max() <= 1 + 1e-12


def test_verdicts_name_the_combination_that_leaves_no_trace():
    names = ("body.bob.mass", "actuator.pivot.gain", "joint.pivot.damping", "geom.foot.friction")
    ratio = np.array([1.0, -1.0, 0.0, 0.0])  # the data see the difference, not the sum
    information = 400 * np.outer(ratio, ratio) + np.diag([0.0, 0.0, 900.0, 0.0])
    told = verdicts(names, information, np.linalg.inv(information + np.eye(4)))
    assert "up with actuator.pivot.gain up" in told[0]
    assert "up with body.bob.mass up" in told[1]
    assert told[2] == IDENTIFIED
    assert "changes nothing" in told[3]


def test_a_weak_excitation_is_named():
    told = verdicts(("body.bob.mass",), np.array([[0.5]]), np.array([[1 / 1.5]]))
    assert "hardly depends" in told[0]
