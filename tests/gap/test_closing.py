"""Calibrating until the classifiers can't tell."""

import pytest

from sim2real.calibration.recipe import Parameter, Recipe
from sim2real.gap.closing import close_gap

DAMPING = Parameter(prior={"set": [0.0, 0.5]})
RECIPE = Recipe(robot="pendulum", parameters={"joint.pivot.damping": DAMPING})


@pytest.fixture(scope="module")
def logs(pendulum, record):
    """Return recordings of a pendulum that is damped more, and whose dry friction is forgotten."""
    planted = {"joint.pivot.damping": 0.12, "joint.pivot.frictionloss": 0.2}
    return [record(pendulum, planted, seed=seed) for seed in (0, 1)]


def test_what_was_forgotten_is_fitted_next_and_then_it_stops(pendulum, logs):
    found = close_gap(pendulum, RECIPE, logs[:1], logs[1:], rounds=3)
    assert found.reason == "indistinguishable"
    assert [one.parameters for one in found.rounds] == [
        (),
        ("joint.pivot.damping",),
        ("joint.pivot.damping", "joint.pivot.frictionloss"),
    ]
    aucs = [one.gap.auc for one in found.rounds]
    assert aucs[0] > aucs[1] > aucs[2]
    assert found.best is found.rounds[-1]
    posterior = found.best.calibration.posterior
    assert dict(zip(posterior.names, posterior.mean, strict=True)) == pytest.approx(
        {"joint.pivot.damping": 0.12, "joint.pivot.frictionloss": 0.2}, rel=0.15
    )


def test_a_model_that_is_right_is_not_calibrated(pendulum, record):
    log = record(pendulum, {}, seed=3)
    found = close_gap(pendulum, RECIPE, [log], [log])
    assert found.reason == "indistinguishable"
    assert len(found.rounds) == 1
