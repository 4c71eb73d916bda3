"""Robots in given worlds that plan on a dynamics model, many at once."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim2real.envs.vector_env import RobotVectorEnv
from sim2real.meta.dynamics import Dynamics
from sim2real.mpc.drive import ManyPolicies
from sim2real.mpc.planner import Planner
from sim2real.mpc.policy import AdaptivePolicy
from sim2real.robot import Robot

Array = NDArray[np.float64]
Worlds = Mapping[str, Array]
"""Parameter → its value, as a share of the nominal one, in each robot's world (n,)."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Driven:
    """What robots earned under a planner."""

    rewards: Array
    """(steps, n); 0 once a robot's episode is over."""
    unadapted: float
    """Share of the steps in which the unadapted model was planned on."""

    @property
    def returns(self) -> Array:
        """Each robot's return (n,)."""
        return self.rewards.sum(axis=0)


def driven(  # noqa: PLR0913 - what is driven, where, and what happens there
    robot: Robot,
    dynamics: Dynamics,
    planner: Planner,
    worlds: Worlds,
    seconds: float,
    *,
    seed: int,
    adapts: bool = True,
    later: Mapping[float, Worlds] | None = None,
) -> Driven:
    """Return what robots earn in worlds, one episode each.

    Args:
        robot: at the rate of the model.
        dynamics: what is planned on.
        planner: the search.
        worlds: where they are; what is not named is nominal.
        seconds: how long.
        seed: of the starts.
        adapts: whether the model adapts.
        later: second → worlds that are like that from then on, as when a drive dies.
    """
    names = {name for each in (worlds, *(later or {}).values()) for name in each}
    drawn: dict[str, Any] = {name: {"scale": [1.0, 1.0]} for name in sorted(names)}
    n = len(next(iter(worlds.values())))
    env = RobotVectorEnv(dataclasses.replace(robot, randomize=drawn, correlate=()), n, seed=seed)
    env.max_steps = round(seconds * robot.control_hz) + 1
    env.reset(seed=seed, options={"worlds": _values(env, worlds)})
    many = ManyPolicies(AdaptivePolicy(env.robot, env.task, dynamics, planner, adapts=adapts), n)
    changes = {round(at * robot.control_hz): each for at, each in (later or {}).items()}
    alive, rewards = np.ones(n, bool), []
    for step in range(round(seconds * robot.control_hz)):
        if step in changes:
            everyone = np.arange(n, dtype=np.int32)
            env.randomizer.apply(everyone, _values(env, changes[step]))
            env.sim.update(everyone)
        action = many.act(env.sim.measure(), env.command, env.goal)
        _, reward, ended, _, _ = env.step(action)
        rewards.append(np.where(alive, reward, 0.0))
        alive &= ~ended
    counted = float(many.states["count.unadapted"].mean()) / len(rewards)
    return Driven(rewards=np.array(rewards), unadapted=counted)


def _values(env: RobotVectorEnv, worlds: Worlds) -> Array:
    """Return the parameters (n, p) of worlds that say shares of the nominal ones."""
    names, nominal = env.randomizer.names, env.randomizer.parameters.nominal
    n = len(next(iter(worlds.values())))
    shares = np.stack([worlds.get(name, np.ones(n)) for name in names], axis=1)
    return shares * nominal
