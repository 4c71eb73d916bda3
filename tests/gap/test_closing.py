"""When calibration stops, and what it fits next. Maps and fits have tests of their own."""

from types import SimpleNamespace

import pytest

from sim2real.calibration.recipe import Parameter, Recipe
from sim2real.gap import closing
from sim2real.gap.closing import close_gap
from sim2real.gap.suspects import Suspect

RECIPE = Recipe(
    robot="pendulum", parameters={"joint.pivot.damping": Parameter(prior={"set": [0.0, 0.5]})}
)
DAMPING = Suspect(name="joint.pivot.damping", nominal=0.05, value=0.2, closed=0.8)
FRICTION = Suspect(name="joint.pivot.frictionloss", nominal=0.1, value=0.25, closed=0.4)
PAYLOAD = Suspect(name="body.bob.payload", nominal=0.0, value=0.1, closed=0.02)


def said(auc, *suspects):
    """Return a map that says this."""
    interval = (auc - 0.05, auc + 0.05)
    return SimpleNamespace(
        auc=auc, interval=interval, suspects=suspects, indistinguishable=interval[0] <= 0.5
    )


@pytest.fixture
def close(monkeypatch):
    """Return what runs the loop on maps that are given, and lists the fitted priors."""

    def run(*maps, rounds=4):
        remaining, fitted = iter(maps), []

        def fake_map(robot, logs, recipe, posterior, **options):
            assert logs == ["held out"]
            assert (posterior is None) == (not fitted)
            return next(remaining)

        def fake_calibrate(robot, recipe, logs, held_out, **options):
            assert logs == ["fit"]
            fitted.append({name: item.prior["set"] for name, item in recipe.parameters.items()})
            return SimpleNamespace(posterior=len(fitted))

        monkeypatch.setattr(closing, "gap_map", fake_map)
        monkeypatch.setattr(closing, "calibrate", fake_calibrate)
        return close_gap(None, RECIPE, ["fit"], ["held out"], rounds=rounds), fitted

    return run


def test_a_model_that_is_right_is_not_calibrated(close):
    found, fitted = close(said(0.51))
    assert found.reason == "indistinguishable"
    assert not fitted


def test_it_stops_when_the_classifiers_cannot_tell(close):
    found, fitted = close(said(0.9, DAMPING), said(0.7, FRICTION), said(0.52))
    assert found.reason == "indistinguishable"
    assert [list(names) for names in fitted] == [
        ["joint.pivot.damping"],
        ["joint.pivot.damping", "joint.pivot.frictionloss"],
    ]
    assert found.best is found.rounds[-1]
    low, high = fitted[1]["joint.pivot.frictionloss"]
    assert low <= 0.1 <= high
    assert low <= FRICTION.value <= high


def test_what_another_parameter_stands_in_for_is_not_forgotten(close):
    """Friction explained much before damping was fitted, and little since."""
    found, fitted = close(said(0.9, DAMPING, FRICTION), said(0.7, PAYLOAD), said(0.52))
    assert found.reason == "indistinguishable"
    assert "joint.pivot.frictionloss" in fitted[1]


def test_it_stops_when_nothing_explains_the_rest(close):
    found, _ = close(said(0.9, DAMPING), said(0.7, DAMPING, PAYLOAD))
    assert found.reason == "no suspect"


def test_it_stops_when_a_fit_made_it_worse_and_keeps_the_better(close):
    found, _ = close(said(0.7, DAMPING, FRICTION), said(0.9, FRICTION))
    assert found.reason == "no progress"
    assert found.best is found.rounds[0]


def test_it_stops_after_so_many_rounds(close):
    found, fitted = close(said(0.9, DAMPING), said(0.8, FRICTION), rounds=1)
    assert found.reason == "rounds"
    assert len(fitted) == 1
