"""Coverage of logs of a real pendulum, where they are present."""

import os
from pathlib import Path

import pytest

from sim2real.calibration.recipe import Recipe
from sim2real.evaluation.coverage.study import Settings, study
from sim2real.shipped import folder

LOGS = Path(
    os.environ.get("SIM2REAL_LOGS", Path(__file__).resolve().parents[4] / "shared" / "logs")
)
PENDULUM = LOGS / "pendulum"

pytestmark = pytest.mark.skipif(
    not PENDULUM.is_dir(), reason=f"no real logs in {PENDULUM}: set SIM2REAL_LOGS"
)


@pytest.fixture(scope="module")
def found(pendulum):
    recipe = Recipe.load(folder("calibration") / "pendulum_dfki")
    paths = [PENDULUM / name for name in ("ddp.csv", "direct_collocation.csv")]
    return study(pendulum, paths, recipe, settings=Settings(worlds=120))


def test_most_of_a_real_robot_lies_within_the_shipped_ranges(found):
    assert all(signal.inside > 0.8 for signal in found.coverage.signals)
    assert found.coverage.verdict != "too wide"


def test_a_measured_torque_does_not_test_what_comes_before_it(found):
    assert {"actuator.pivot.gain", "actuator.pivot.delay"} <= set(found.replay.ignored)
    assert found.shares.keys() == {
        "body.bob.mass", "joint.pivot.damping", "joint.pivot.frictionloss"
    }  # fmt: skip


def test_the_noise_of_its_encoder_is_within_the_ranges(found):
    (position,) = [check for check in found.noise if check.name.endswith("position_noise")]
    assert position.inside
