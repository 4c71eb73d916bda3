"""What action sequences return on the simulator itself, in one world or in several."""

from typing import final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sim2real.control import ActionMap
from sim2real.errors import ConfigError
from sim2real.parameters.posterior import Posterior
from sim2real.randomization.engine import Randomizer
from sim2real.robot import Robot
from sim2real.sim.base import BaseState
from sim2real.sim.kinematics import Kinematics
from sim2real.sim.mujoco_batch import MujocoSimulator
from sim2real.tasks import State, make_task

Array = NDArray[np.float64]


@final
class SimulatedObjective:
    """Return of each sequence, on average over worlds: robust where worlds are a posterior's.

    Every sequence is tried in the same worlds, so that none wins by luck. What a world's sensors
    do plays no part: a simulation starts from what is known of the robot, and its truth is scored.
    """

    def __init__(  # noqa: PLR0913 - what worlds are drawn from
        self,
        robot: Robot,
        capacity: int,
        *,
        worlds: int = 1,
        posterior: Posterior | None = None,
        seed: int = 0,
        nthread: int = 1,
        failure_cost: float = 10.0,
        risk: float = 0.0,
    ):
        """Make `capacity` x `worlds` simulations.

        Args:
            robot: the robot.
            capacity: the largest number of sequences that are tried at once.
            worlds: how many worlds each is tried in; 1 is the nominal robot, or the posterior's
                mean.
            posterior: what worlds are drawn from; the robot's own ranges if not given.
            seed: of the worlds.
            nthread: threads of the simulator.
            failure_cost: what an episode that ends early is charged with [reward].
            risk: 0 scores by the mean over worlds, 1 by the worst one, between them by both.
        """
        if min(capacity, worlds, nthread) < 1 or not 0.0 <= risk <= 1.0:
            raise ConfigError(
                f"planning on the simulator: capacity = {capacity}, worlds = {worlds} and nthread ="
                f" {nthread} must be at least 1, and risk = {risk} in [0, 1]"
            )
        self.robot, self._worlds, self._capacity = robot, worlds, capacity
        self._risk, self._failure_cost = risk, failure_cost
        self._sim = MujocoSimulator(robot, capacity * worlds, nthread=nthread)
        self.task = make_task(robot, Kinematics(robot, self._sim.model))
        self._map = ActionMap.of(robot)
        self._put_worlds(posterior, seed)

    def at(
        self, position: Array, velocity: Array, command: Array, goal: Array,
        base: BaseState | None = None,
    ) -> "SimulatedReturns":  # fmt: skip
        """Return the objective of plans that begin here; each array is (size,), base (1, ...)."""
        return SimulatedReturns(self, position, velocity, command, goal, base)

    def returns(self, actions: Array, start: "SimulatedReturns") -> Array:
        """Return what sequences (n, horizon, ncommand) return, (n,)."""
        missing = self._capacity - len(actions)
        if missing < 0:
            raise ConfigError(
                f"{len(actions)} sequences are to be tried, but there is room for {self._capacity}:"
                " give a larger capacity"
            )
        filled = np.concatenate([actions, np.zeros((missing, *actions.shape[1:]))])
        total = self._roll_out(np.repeat(filled, self._worlds, axis=0), start)
        each = total.reshape(self._capacity, self._worlds)[: len(actions)]
        return (1.0 - self._risk) * each.mean(axis=1) + self._risk * each.min(axis=1)

    def _roll_out(self, actions: Array, start: "SimulatedReturns") -> Array:
        sim, n = self._sim, len(actions)
        command, goal = np.tile(start.command, (n, 1)), np.tile(start.goal, (n, 1))
        sim.reset(np.arange(n, dtype=np.int32), np.tile(start.position, (n, 1)),
                  np.tile(start.velocity, (n, 1)), command, _tiled(start.base, n))  # fmt: skip
        total, alive = np.zeros(n), np.ones(n)
        for action in np.moveaxis(actions, 1, 0):
            last, command = command, self._map.command(action, command)
            sim.step(command)
            state = self._state(action, command, last, goal)
            failed = self.task.terminated(state) | sim.diverged
            reward = np.where(sim.diverged, 0.0, self.task.reward(state))
            total += alive * (reward - self._failure_cost * failed)
            alive *= ~failed
        return total

    def _state(self, action: Array, command: Array, last: Array, goal: Array) -> State:
        sim = self._sim
        tip, rotation = sim.tip if self.task.needs_tip else (None, None)
        return State(sim.position, sim.velocity, action, command, last, goal, sim.base,
                     tip, rotation)  # fmt: skip

    def _put_worlds(self, posterior: Posterior | None, seed: int) -> None:
        """Write world w to the simulations of all sequences in that world."""
        ranges = self.robot.ranges if self._worlds > 1 else {}
        randomizer = Randomizer(
            self._sim, ranges, posterior, seed=seed, impossible=self.robot.impossible,
            correlations=self.robot.correlations if self._worlds > 1 else (),
        )  # fmt: skip
        which = np.arange(self._worlds)
        values, _ = randomizer.draw(which, np.zeros_like(which))
        if self._worlds == 1 and posterior is not None:
            values = np.array([posterior.mean])
        everyone = np.arange(self._capacity * self._worlds, dtype=np.int32)
        randomizer.apply(everyone, np.tile(values, (self._capacity, 1)))


@final
class SimulatedReturns:
    """A `SimulatedObjective` where plans begin: a planner's objective."""

    def __init__(
        self,
        objective: SimulatedObjective,
        position: Array,
        velocity: Array,
        command: Array,
        goal: Array,
        base: BaseState | None = None,
    ):
        self._objective = objective
        self.position, self.velocity = position, velocity
        self.command, self.goal, self.base = command, goal, base

    def __call__(self, actions: Tensor) -> Tensor:
        """Return what sequences (n, horizon, ncommand) return, (n,)."""
        returns = self._objective.returns(actions.numpy().astype(np.float64), self)
        return torch.from_numpy(returns).to(actions.dtype)


def _tiled(base: BaseState | None, n: int) -> BaseState | None:
    if base is None:
        return None
    return BaseState(**{name: np.repeat(value, n, axis=0) for name, value in vars(base).items()})
