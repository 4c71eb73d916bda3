"""What a randomization is: how its parameters are distributed, how its worlds move."""

from collections.abc import Mapping
from dataclasses import dataclass

import mujoco
import numpy as np
from numpy.typing import NDArray

from sim2real.control import resting_command
from sim2real.deploy.excitation import Excitation
from sim2real.errors import ConfigError
from sim2real.parameters.posterior import Posterior
from sim2real.parameters.ranges import Range
from sim2real.randomization.engine import Randomizer
from sim2real.robot import Robot
from sim2real.sim.model import compile_model, longest_delay
from sim2real.sim.mujoco_batch import MujocoSimulator

Array = NDArray[np.float64]

_DRAWS = 50_000
"""Of each distribution, for its shape and its quantiles."""


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """One randomized parameter, in SI units."""

    name: str
    unit: str
    nominal: float
    range: Range | None
    """As written in robot.toml; None for what a posterior gives."""
    values: Array
    """Many draws (m,), sorted."""

    def quantile(self, share: float) -> float:
        """Return the value below which the share of the draws lies."""
        return float(np.quantile(self.values, share))

    @property
    def bounds(self) -> tuple[float, float]:
        """What can be drawn at all; of a distribution without end, what a thousandth exceeds."""
        low, high = self.quantile(0.001), self.quantile(0.999)
        if self.range is None:
            return low, high
        ends = self.range.bounds(self.nominal)
        return (ends[0] if np.isfinite(ends[0]) else low), (
            ends[1] if np.isfinite(ends[1]) else high
        )

    @property
    def logarithmic(self) -> bool:
        """Whether an axis of orders of magnitude shows it better: it is less skewed there."""
        low, high = self.bounds
        if low <= 0 or high < 5 * low:
            return False
        return abs(_skewness(np.log(self.values))) < 0.5 * abs(_skewness(self.values))


@dataclass(frozen=True, kw_only=True)
class Worlds:
    """`n` worlds and the nominal robot from home, under the same commands; `t` control steps."""

    robot: Robot
    parameters: tuple[Drawn, ...]
    values: Array
    """Of the worlds (n, p)."""
    joint_units: tuple[str, ...]
    """rad or m (njoint,)."""
    command: Array
    """(t, ncommand)."""
    position: Array
    """True positions (n, t, njoint); NaN from where a world diverged."""
    velocity: Array
    """True velocities (n, t, njoint)."""
    nominal_position: Array
    """(t, njoint)."""
    nominal_velocity: Array

    @property
    def seconds(self) -> Array:
        """Times of the rows (t,) [s]."""
        return np.arange(len(self.command)) / self.robot.control_hz

    @property
    def diverged(self) -> int:
        """How many of the worlds blew up."""
        return int(np.isnan(self.position).any(axis=(1, 2)).sum())


def drawn_parameters(
    robot: Robot, posterior: Posterior | None = None, *, seed: int = 0
) -> tuple[Drawn, ...]:
    """Return how each randomized parameter of the robot is distributed; raises ConfigError."""
    randomizer = randomizer_of(simulator_of(robot, 1, posterior), posterior, seed)
    everyone = np.arange(_DRAWS)
    draws, _ = randomizer.draw(everyone, np.zeros(_DRAWS, np.int64))
    ranges = robot.ranges if posterior is None else _without(robot.ranges, posterior)
    parameters = randomizer.parameters
    return tuple(
        Drawn(
            name=name,
            unit=term.unit,
            nominal=float(nominal),
            range=ranges.get(name),
            values=np.sort(draws[:, column]),
        )
        for column, (name, term, nominal) in enumerate(
            zip(parameters.names, parameters.terms, parameters.nominal, strict=True)
        )
    )


def roll_out(
    robot: Robot,
    motion: Excitation,
    *,
    worlds: int = 64,
    posterior: Posterior | None = None,
    seed: int = 0,
    nthread: int = 1,
) -> Worlds:
    """Return `worlds` draws of the robot, all started at home and given the motion's commands.

    Raises:
        ConfigError: the robot randomizes nothing.
    """
    sim = simulator_of(robot, worlds + 1, posterior, nthread)  # the last one stays nominal
    randomizer = randomizer_of(sim, posterior, seed)
    ids = np.arange(worlds, dtype=np.int32)
    values, _ = randomizer.draw(ids, np.zeros(worlds, np.int64))
    randomizer.apply(ids, values)
    home = np.array([[joint.home for joint in robot.joints.values()]]).repeat(worlds + 1, axis=0)
    rest = resting_command(robot)[None].repeat(worlds + 1, axis=0)
    sim.reset(np.arange(worlds + 1, dtype=np.int32), home, np.zeros_like(home), rest)
    position, velocity = _play(sim, motion.signal)
    return Worlds(
        robot=robot,
        parameters=drawn_parameters(robot, posterior, seed=seed),
        values=values,
        joint_units=joint_units(robot, sim.model),
        command=motion.signal,
        position=position[:-1],
        velocity=velocity[:-1],
        nominal_position=position[-1],
        nominal_velocity=velocity[-1],
    )


def simulator_of(
    robot: Robot, nsim: int, posterior: Posterior | None = None, nthread: int = 1
) -> MujocoSimulator:
    """Return simulations that can hold all delays of the robot's ranges and of the posterior."""
    model = compile_model(robot, longest_delay(robot, posterior))
    return MujocoSimulator(robot, nsim, nthread=nthread, model=model)


def randomizer_of(
    sim: MujocoSimulator, posterior: Posterior | None = None, seed: int = 0
) -> Randomizer:
    """Return the randomizer of the simulator's robot; raises ConfigError if it draws nothing."""
    robot = sim.robot
    randomizer = Randomizer(
        sim,
        robot.ranges,
        posterior,
        seed=seed,
        correlations=robot.correlations,
        impossible=robot.impossible,
    )
    if not randomizer.names:
        raise ConfigError(
            f"robot {robot.name!r} randomizes nothing: write [randomize] into its robot.toml"
            f" (sim2real robots {robot.name} --parameters lists what there is)"
        )
    return randomizer


def joint_units(robot: Robot, model: mujoco.MjModel) -> tuple[str, ...]:
    """Return the unit of each joint's position: rad of a hinge, m of a slide."""
    hinge = mujoco.mjtJoint.mjJNT_HINGE
    return tuple("rad" if model.joint(name).type[0] == hinge else "m" for name in robot.joints)


def command_units(robot: Robot, units: tuple[str, ...]) -> tuple[str, ...]:
    """Return the unit of each command, given the joints' `units`."""
    torque = {"rad": "Nm", "m": "N"}
    return tuple(
        torque[unit] if joint.mode == "torque" else unit
        for unit, joint in zip(units, robot.joints.values(), strict=True)
        if joint.mode != "passive"
    )


def _play(sim: MujocoSimulator, commands: Array) -> tuple[Array, Array]:
    """Return positions and velocities (nsim, t, njoint) before each of the commands (t, nu)."""
    shape = (sim.nsim, len(commands), len(sim.robot.joints))
    position, velocity = np.empty(shape), np.empty(shape)
    broken = np.zeros(sim.nsim, bool)
    for row, command in enumerate(commands):
        position[:, row], velocity[:, row] = sim.position, sim.velocity
        position[broken, row] = velocity[broken, row] = np.nan
        sim.step(np.broadcast_to(command, (sim.nsim, len(command))))
        broken |= sim.diverged
    return position, velocity


def _without(ranges: Mapping[str, Range], posterior: Posterior) -> dict[str, Range]:
    return {name: item for name, item in ranges.items() if name not in posterior.names}


def _skewness(values: Array) -> float:
    centred = values - values.mean()
    return float((centred**3).mean() / max(centred.std(), 1e-300) ** 3)
