"""A planner on the simulator as a source of commands: what drives a robot without any training."""

from typing import final

import torch

from sim2real.control import ActionMap
from sim2real.deploy.source import Array, CommandSource
from sim2real.errors import ConfigError
from sim2real.mpc.noise_tape import NoiseTape
from sim2real.mpc.planner import Planner, nothing_planned, shifted
from sim2real.mpc.simulation import SimulatedObjective
from sim2real.signals import Measured


@final
class SimulatorPlanner(CommandSource):
    """Plans from what is measured, and follows the plan for `every` steps."""

    def __init__(
        self, objective: SimulatedObjective, planner: Planner, *, every: int = 1, seed: int = 0
    ):
        """Take an objective with room for `planner.width` sequences.

        Raises:
            ConfigError: the robot has a floating base, whose state no sensor tells; or a plan is to
                be followed for longer than it is.
        """
        robot = objective.robot
        if robot.base is not None:
            raise ConfigError(
                f"robot {robot.name!r}: its sensors do not tell where a floating base is and how"
                " fast, which a plan begins with: plan for a robot that is held"
            )
        if not 1 <= every <= planner.horizon:
            raise ConfigError(f"every = {every} must be from 1 to horizon = {planner.horizon}")
        self.goal = tuple(map(float, objective.task.default_goal()))
        self.origin = {"kind": "planner on the simulator", "task": robot.task["name"]}
        self._objective, self._planner, self._every = objective, planner, every
        self._map, self._ncommand = ActionMap.of(robot), len(robot.driven)
        self._noise = NoiseTape((planner.ndraws, planner.horizon, self._ncommand), seed=seed)
        self.reset(torch.zeros(self._ncommand).numpy())

    def reset(self, command: Array) -> None:  # noqa: D102
        self._memory = nothing_planned(self._planner, self._ncommand).double()
        self._command, self._place, self._step = command, torch.zeros(1, 1), 0
        self._unsound = 0

    def step(self, measured: Measured, goal: Array) -> Array:  # noqa: D102
        if self._step % self._every == 0:
            self._plan(measured, goal)
        action = self._actions[self._step % self._every][None]
        self._step += 1
        self._command = self._map.command(action, self._command[None])[0]
        return self._command

    def counts(self) -> dict[str, int]:  # noqa: D102
        return {"kept_plan": self._unsound}

    def _plan(self, measured: Measured, goal: Array) -> None:
        noise, self._place = self._noise(self._place)
        here = self._objective.at(measured.position, measured.velocity, self._command, goal)
        plan = self._planner.plan(here, self._memory, noise.double())
        self._actions, self._memory = plan.actions.numpy(), plan.memory
        for _ in range(self._every - 1):
            self._memory = shifted(self._memory)
        self._unsound += not bool(plan.sound)
