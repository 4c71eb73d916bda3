"""Parameters planted in a robot on another physics engine are found inside their intervals."""

import numpy as np
import pytest

from sim2real.calibration.calibrate import calibrate
from sim2real.calibration.recipe import Recipe
from sim2real.deploy.excitation import Excitation
from sim2real.randomization.engine import Randomizer
from sim2real.shipped import find_robot, folder
from sim2real.sim.bullet.simulator import BulletSimulator
from sim2real.trajectory import Trajectory

ALONE = np.zeros(1, np.int32)
NOTHING = np.zeros((1, 1))


def planted_robot(robot, seed):
    """Return a Bullet robot drawn from the robot's own ranges, and what was drawn."""
    simulator = BulletSimulator(robot, 1)
    randomizer = Randomizer(simulator, robot.ranges, seed=seed)
    values, _ = randomizer.draw(ALONE, ALONE)
    randomizer.apply(ALONE, values)
    simulator.reset(ALONE, NOTHING, NOTHING, NOTHING)
    return simulator, dict(zip(randomizer.names, values[0], strict=True))


def recording(robot, simulator, seed, seconds):
    """Return the motion under an excitation, as the robot's noisy sensors saw it."""
    commands = Excitation(robot, seconds=seconds, seed=seed).signal
    rows = []
    simulator.effects.clock.identify(seed)
    for command in commands:
        measured = simulator.measure()
        rows.append((measured.position.copy(), measured.velocity.copy()))
        simulator.step(command[None])
    position, velocity = np.array(rows)[:, :, 0].transpose(1, 0, 2)
    stamps = np.round(np.arange(len(commands)) * 1e9 / robot.control_hz).astype(np.int64)
    return Trajectory(
        joints=("pivot",), driven=("pivot",), time=stamps, position=position, velocity=velocity,
        command=commands, source=f"planted robot {seed}")  # fmt: skip


@pytest.mark.parametrize("seed", [0, 1])
def test_what_was_planted_lies_inside_the_95_percent_intervals(seed):
    robot = find_robot("pendulum")
    simulator, truth = planted_robot(robot, seed)
    with simulator:
        log = recording(robot, simulator, seed, seconds=20.0)
        simulator.reset(ALONE, NOTHING, NOTHING, NOTHING)
        check = recording(robot, simulator, seed + 100, seconds=8.0)
    recipe = Recipe.load(folder("calibration") / "pendulum")
    result = calibrate(robot, recipe, [log], [check], nthread=2)
    estimates = {estimate.name: estimate for estimate in result.estimates}
    for name in recipe.parameters:
        planted = truth.get(name, estimates[name].nominal)
        low, high = estimates[name].interval
        assert low <= planted <= high, name
    assert result.improves
    assert not estimates["actuator.pivot.gain"].identified
    assert estimates["actuator.pivot.delay"].identified
    # a prior that covers everything would, too: what is identified must be far narrower
    low, high = estimates["actuator.pivot.delay"].interval
    assert high - low < 0.006
