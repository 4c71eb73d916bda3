"""Adaptive model-predictive control as a policy: one function from measurements to an action.

It adapts a dynamics model to what the robot has just done, plans on it, and falls back where one of
the two fails, all by tensor functions with explicit state: so it exports as one ONNX file like any
other policy.
"""

from typing import Any, final

import numpy as np
import torch
from torch import Tensor, nn

from sim2real.errors import ConfigError
from sim2real.meta.dynamics import Dynamics, Memory
from sim2real.mpc.gate import trusted, updated_errors
from sim2real.mpc.noise_tape import NoiseTape
from sim2real.mpc.objective import ModelObjective, Predict, Situation
from sim2real.mpc.planner import Planner, nothing_planned
from sim2real.robot import Robot
from sim2real.signals import Measured
from sim2real.tasks.task import Task

_FAR = 20.0  # standard deviations of the training data: what lies beyond is a glitch
_PAST = "past."


@final
class AdaptivePolicy(nn.Module):
    """Measurements → action: adaptation, planning, fallbacks.

    What can go wrong, and what is then done; each is counted in a state of its own:

    - `count.unadapted`: the adapted model has lately predicted worse than the unadapted one, or
      nothing is known to adapt to: plans are made on the unadapted one.
    - `count.unknown`: a transition is not finite, or far outside of what the model was trained on:
      it is not learned from, and a measurement that is not finite is taken to be the last one.
    - `count.kept_plan`: the plan's return is not finite: the last plan is followed.
    """

    def __init__(
        self,
        robot: Robot,
        task: Task,
        dynamics: Dynamics,
        planner: Planner,
        *,
        adapts: bool = True,
        failure_cost: float = 10.0,
        seed: int = 0,
    ):
        """Take what is planned for, on what, and how.

        Args:
            robot: the robot.
            task: whose rewards are planned for.
            dynamics: the model, whose states are rows of what the robot measures.
            planner: the search.
            adapts: False plans on the unadapted model, for comparisons.
            failure_cost: what a predicted failure is charged with [reward].
            seed: of the planner's noise.
        """
        super().__init__()
        space = dynamics.scaling.space
        if dynamics.members > 1:
            raise ConfigError("a policy plans on a single model, not on an ensemble: give a member")
        self._robot, self._task, self._planner, self._adapts = robot, task, planner, adapts
        self._objective = ModelObjective(robot=robot, task=task, failure_cost=failure_cost)
        self.dynamics = dynamics
        self.noise = NoiseTape((planner.ndraws, planner.horizon, space.ncommand), seed=seed)
        self._nstate, self._ncommand, self._ngoal = space.nstate, space.ncommand, task.ngoal
        past = {f"{_PAST}{name}": size for name, size in dynamics.memory_sizes.items()}
        self.state_sizes = {
            "begun": 1,
            "measured": space.nstate,
            **past,
            "errors": 2,
            "plan": nothing_planned(planner, space.ncommand).numel(),
            "noise": 1,
            "count.unadapted": 1,
            "count.unknown": 1,
            "count.kept_plan": 1,
        }

    def observe(self, measured: Measured, command: Any, goal: Any) -> Tensor:
        """Return all that is measured, raw, with the command before and the goal (1, nobs)."""
        parts = [*measured.signals().values(), command, *([] if goal is None else [goal])]
        return torch.cat(parts, dim=1)

    def likely(self, rng: np.random.Generator, states: Memory) -> dict[str, Tensor]:
        """Return signals that could follow on `states`, by what the model was trained on."""
        scaling = self.dynamics.scaling
        before, command = (states[name].to(scaling.input_mean) for name in ("measured", "command"))
        noise = torch.from_numpy(rng.normal(size=(1, scaling.nin + scaling.nchange)))
        first, change = noise.to(before).split([scaling.nin, scaling.nchange], dim=1)
        near = scaling.inputs(before, command)[:, : -self._ncommand].abs().max() < 0.5 * _FAR
        state = scaling.typical_state(first)
        if near:
            state = scaling.next_states(before, change)
        position, velocity = torch.chunk(state, 2, dim=1)
        return {"position": position, "velocity": velocity}

    def forward(self, observation: Tensor, *states: Tensor) -> tuple[Tensor, ...]:
        """Return the action (1, ncommand) and the next states."""
        old = dict(zip(self.state_sizes, states, strict=True))
        measured, command, goal = observation.split(
            [self._nstate, self._ncommand, self._ngoal], dim=1
        )
        now = Situation(
            state=torch.where(torch.isfinite(measured), measured, old["measured"]),
            command=command,
            goal=goal,
        )
        past = {name: old[f"{_PAST}{name}"] for name in self.dynamics.memory_sizes}
        memory, known = self._remembered(old, past, measured, command)
        errors = self._judged(old, past, measured, command)
        errors = torch.where(known > 0.5, errors, old["errors"])
        use = trusted(errors) if self._adapts else torch.zeros_like(known)
        action, new = self._planned(old, now, memory, use)
        new |= {
            "begun": torch.ones_like(known),
            "measured": now.state,
            **{f"{_PAST}{name}": value for name, value in memory.items()},
            "errors": errors,
            "count.unadapted": old["count.unadapted"] + 1.0 - use,
            "count.unknown": old["count.unknown"] + (1.0 - known) * _flag(old["begun"]),
        }
        return action, *(new[name] for name in self.state_sizes)

    def _remembered(
        self, old: Memory, past: Memory, measured: Tensor, command: Tensor
    ) -> tuple[Memory, Tensor]:
        """Return the past with the last transition, and whether that one is known (1, 1)."""
        before, scaling = old["measured"], self.dynamics.scaling
        parts = [scaling.inputs(before, command), scaling.changes(before, measured)]
        near = (torch.cat(parts, dim=1).abs() < _FAR).all(dim=1, keepdim=True)  # False for NaN
        known = near & (old["begun"] > 0.5)
        after = torch.where(known, measured, torch.nan)
        return self.dynamics.observe(past, before, command, after), known.to(measured.dtype)

    def _judged(self, old: Memory, past: Memory, measured: Tensor, command: Tensor) -> Tensor:
        """Return the running errors of the unadapted and of the adapted model, (1, 2).

        Both predict the last transition without having seen it.
        """
        scaling, before = self.dynamics.scaling, old["measured"]
        models = (self.dynamics.unadapted(1), self.dynamics.adapted(past))
        said = torch.cat([_rows(model)(before, command) for model in models])
        changes = scaling.changes(before.expand(2, -1), said)
        return updated_errors(old["errors"], changes - scaling.changes(before, measured))

    def _planned(
        self, old: Memory, now: Situation, memory: Memory, use: Tensor
    ) -> tuple[Tensor, Memory]:
        """Return the action, and the states that planning carries."""
        dynamics, planner = self.dynamics, self._planner
        # a model that knows of no transition is the unadapted one
        model = dynamics.adapted(memory | {"known": memory["known"] * use})
        noise, place = self.noise(old["noise"])
        plan = planner.plan(
            lambda actions: self._objective.returns(_rows(model), now, actions),
            old["plan"].reshape(planner.nmemory, planner.horizon, self._ncommand),
            noise,
        )
        action = plan.actions[:1]
        return action, {
            "plan": plan.memory.reshape(1, -1),
            "noise": place,
            "count.kept_plan": old["count.kept_plan"] + 1.0 - plan.sound.to(action.dtype),
        }


def _rows(model: Any) -> Predict:
    """Return a model of one robot as a function of rows (n, size)."""
    return lambda states, commands: model(states[None], commands[None])[0]


def _flag(value: Tensor) -> Tensor:
    return (value > 0.5).to(value.dtype)
