"""`sim2real robot`: start a virtual robot, a simulation behind a link."""

import dataclasses
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import tyro
from numpy.typing import NDArray

from sim2real import config, shipped
from sim2real.commands.console import Flag, Maybe, notes, options
from sim2real.commands.drive import check_seconds, key_of
from sim2real.deploy.robot_side.packets import DEFAULT_ADDRESS
from sim2real.deploy.robot_side.udp_robot import UdpRobot
from sim2real.errors import ConfigError
from sim2real.parameters.posterior import Posterior
from sim2real.parameters.randomness import integer_seed
from sim2real.parameters.ranges import Range
from sim2real.randomization.engine import Randomizer
from sim2real.robot import Robot as RobotDescription
from sim2real.sim.model import compile_model, longest_delay
from sim2real.sim.simulator import Simulator
from sim2real.sim.virtual_robot import serve

Array = NDArray[np.float64]

_ALONE = np.zeros(1, np.int32)
_FASTEST = 1000.0  # Hz: finer than any controller here, and still in time in Python


@dataclass(frozen=True, kw_only=True)
class Robot:
    """Start a virtual robot: a simulation in real time, reachable only through a link.

    Its true parameters are drawn once from the robot's ranges, and are not told to whoever talks
    to it. Runs until Ctrl-C.
    """

    name: Annotated[str, tyro.conf.arg(name="robot"), tyro.conf.Positional]
    """A shipped robot, or a folder with a robot.toml."""
    engine: Literal["bullet", "mujoco"] = "bullet"
    """What simulates it: another engine than training's is the better stand-in for reality."""
    seed: int = 0
    """Of its parameters and its sensor noise: another seed is another robot."""
    posterior: Maybe[Path] = None
    """A posterior.toml: the robot is what that calibration found, instead of drawn."""
    nominal: Flag = False
    """The robot is exactly its model."""
    fault: Maybe[tuple[str, float]] = None
    """A parameter and the value that it takes while the robot runs: actuator.knee.gain 0 is a dead
    drive, body.hand.mass 0.5 a load."""
    fault_after: float = 5.0
    """How long clients have used the robot until then [s]."""
    rate: Maybe[float] = None
    """Turns of the robot's own loop a second [Hz]; by default its physics' rate, up to 1000."""
    address: str = DEFAULT_ADDRESS
    """Where it listens, host:port."""
    key: Maybe[Path] = None
    """A file with the key that both ends share; needed if the link leaves this computer."""
    seconds: Maybe[float] = None
    """Stop after this long; until Ctrl-C if not given."""
    truth: Maybe[Path] = None
    """Write the true parameters to this file, for a later comparison."""


def main(arguments: Sequence[str]) -> None:
    """Run the verb."""
    chosen = options(Robot, arguments)
    check_seconds(chosen.seconds)
    robot = shipped.find_robot(chosen.name)
    rate = _own_rate(robot) if chosen.rate is None else chosen.rate
    if not rate >= robot.control_hz:
        raise ConfigError(
            f"--rate {rate:g}: the robot's loop must turn at least as often as its controller's,"
            f" {robot.control_hz:g} times a second"
        )
    posterior = None if chosen.posterior is None else Posterior.load(chosen.posterior)
    faster = dataclasses.replace(robot, control_hz=rate)
    simulator = _simulator(faster, chosen.engine, posterior)
    randomizer, world = _plant(simulator, chosen, posterior)
    planted = _told(randomizer, world, posterior)
    fault = _fault(simulator, chosen, randomizer, world)
    with UdpRobot(robot, chosen.address, key_of(chosen.key)) as side:
        _write_truth(chosen, planted, side.latency)
        notes.print(f"{robot.name} listens at {side.address} (stop with Ctrl-C)")
        noise = integer_seed(chosen.seed, "virtual robot's sensors")
        serve(simulator, side, seconds=chosen.seconds, seed=noise, on_step=fault)
        _write_truth(chosen, planted, side.latency)


def _write_truth(chosen: Robot, planted: dict[str, float], latency: float) -> None:
    """Write the parameters as a client meets them: a delay is the actuator's and the link's."""
    if chosen.truth is None:
        return
    true = {name: value + latency * name.endswith(".delay") for name, value in planted.items()}
    facts = {
        "engine": chosen.engine,
        "seed": chosen.seed,
        "planted": planted,
        "link_latency": latency,
        "parameters": true,
    }
    config.write_atomically(chosen.truth, json.dumps(facts, indent=2).encode())


def _own_rate(robot: RobotDescription) -> float:
    """Return the physics rate, or the largest whole part of it that is at most 1 kHz."""
    physics = 1.0 / compile_model(robot).opt.timestep
    return physics / math.ceil(physics / _FASTEST - 1e-9)


def _simulator(robot: RobotDescription, engine: str, posterior: Posterior | None) -> Simulator:
    model = compile_model(robot, longest_delay(robot, posterior))
    if engine == "bullet":
        from sim2real.sim.bullet.simulator import BulletSimulator

        return BulletSimulator(robot, 1, model=model)
    from sim2real.sim.mujoco_batch import MujocoSimulator

    return MujocoSimulator(robot, 1, model=model)


def _plant(
    simulator: Simulator, chosen: Robot, posterior: Posterior | None
) -> tuple[Randomizer, Array]:
    """Write the true parameters to the simulator; return what wrote them, and the world (1, p)."""
    robot = simulator.robot
    randomizer = Randomizer(
        simulator,
        ({} if chosen.nominal else robot.ranges) | _as_it_is(robot, chosen),
        posterior,
        seed=chosen.seed,
        correlations=() if chosen.nominal else robot.correlations,
        impossible=robot.impossible,
    )
    values, _ = randomizer.draw(_ALONE, _ALONE.astype(np.int64))
    if posterior is not None:
        values[:, -len(posterior.names) :] = posterior.mean
    randomizer.apply(_ALONE, values)
    return randomizer, values


def _told(randomizer: Randomizer, world: Array, posterior: Posterior | None) -> dict[str, float]:
    """Return what was drawn, by name; what a posterior knew is not hidden from anybody."""
    planted = dict(zip(randomizer.names, map(float, world[0]), strict=True))
    known = () if posterior is None else posterior.names
    return {name: value for name, value in planted.items() if name not in known}


def _as_it_is(robot: RobotDescription, chosen: Robot) -> dict[str, Range]:
    """Return a range for the parameter of the fault, nominal until then, if nothing draws it."""
    if chosen.fault is None or (not chosen.nominal and chosen.fault[0] in robot.ranges):
        return {}
    nominal = {chosen.fault[0]: {"scale": [1.0, 1.0]}}
    return dict(dataclasses.replace(robot, randomize=nominal, correlate=()).ranges)


def _fault(
    simulator: Simulator, chosen: Robot, randomizer: Randomizer, world: Array
) -> Callable[[float], None] | None:
    """Return what breaks the robot when its time has come."""
    if chosen.fault is None:
        return None
    (name, value), broken = chosen.fault, world.copy()
    broken[0, randomizer.names.index(name)] = value
    happened = False

    def on_step(used: float) -> None:
        nonlocal happened
        if not happened and used >= chosen.fault_after:
            happened = True
            randomizer.apply(_ALONE, broken)
            simulator.update(_ALONE)
            notes.print(f"{name} is {value:g} from now on, after {used:.1f} s")

    return on_step
