"""A robot's task in n randomized simulations, as a gymnasium VectorEnv."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, final

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from sim2real.control import ActionMap, resting_command
from sim2real.deploy.envelope.bounds import Envelope
from sim2real.envs.episodes import Episodes
from sim2real.envs.guard import Guard
from sim2real.envs.worlds import Worlds
from sim2real.errors import ParameterError
from sim2real.parameters import randomness
from sim2real.parameters.posterior import Posterior
from sim2real.parameters.ranges import Range
from sim2real.randomization.engine import Randomizer
from sim2real.robot import Robot
from sim2real.rotation import rotate_back
from sim2real.signals import Measured
from sim2real.sim.kinematics import Kinematics
from sim2real.sim.model import compile_model, longest_delay
from sim2real.sim.mujoco_batch import MujocoSimulator
from sim2real.sim.simulator import Simulator
from sim2real.tasks import State, make_task

Array = NDArray[np.float64]
Step = tuple[NDArray[np.float32], Array, NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]]

_BASE = ("base.height", "base.velocity[0]", "base.velocity[1]", "base.velocity[2]")


@final
class RobotVectorEnv(VectorEnv):
    """`num_envs` randomized simulations of a robot at its task.

    Every episode is drawn anew: dynamics, sensors, start and goal are functions of
    (seed, environment, episode), and so is what varies within it. An episode that ends restarts
    within the same step: the returned observation is the new episode's first,
    `infos["final_obs"]` holds the old one's last.

    A simulation that diverges is truncated without a reward, at the last observation before it
    did; `infos["diverged"]` tells of it, and `diverged` counts.
    """

    def __init__(  # noqa: PLR0913 - what worlds are drawn from
        self,
        robot: Robot,
        num_envs: int,
        *,
        seed: int = 0,
        nthread: int = 1,
        posterior: Posterior | None = None,
        posterior_share: float = 1.0,
        randomized: bool = True,
        privileged: Sequence[str] | None = None,
        environments: Sequence[int] | None = None,
        simulator: Simulator | None = None,
        enveloped: bool = False,
    ):
        """Make the environment.

        Args:
            robot: the robot.
            num_envs: number of simulations.
            seed: key of everything random.
            nthread: threads of the simulator.
            posterior: calibrated parameters, drawn instead of the robot's ranges for them.
            posterior_share: share of the worlds that are drawn from the posterior.
            randomized: False for the nominal robot.
            privileged: names or patterns (`joint.*.damping`) of the drawn parameters that
                `privileged` shows; by default all.
            environments: their numbers, which key what they draw; by default from 0 on.
            simulator: another engine with `num_envs` simulations; MuJoCo by default.
            enveloped: whether the robot's envelope stands between policies and simulations:
                commands are limited, and an episode ends where a run on the robot would.
        """
        self.robot, self.num_envs = robot, num_envs
        posterior = posterior if randomized else None
        self.sim = simulator or MujocoSimulator(
            robot,
            num_envs,
            nthread=nthread,
            model=compile_model(robot, longest_delay(robot, posterior)),
        )
        self.task = make_task(robot, Kinematics(robot, self.sim.model))
        self._worlds = Worlds(
            self.sim,
            np.arange(num_envs) if environments is None else np.array(environments),
            ranges=robot.ranges if randomized else {},
            posterior=posterior,
            posterior_share=posterior_share,
        )
        self.guard = Guard(Envelope.of(robot)) if enveloped else None
        """The envelope and its counts, if there is one."""
        self._action_map = ActionMap.of(robot)
        self._resting = resting_command(robot)
        self._driven = [list(robot.joints).index(name) for name in robot.driven]
        self._is_servo = np.array([robot.joints[name].mode == "position" for name in robot.driven])
        self.max_steps = round(self.task.options.episode_seconds * robot.control_hz)
        self._seed_everything(seed)
        self._make_spaces()
        self._make_state()
        self._everyone = np.arange(num_envs, dtype=np.int32)
        self._exposed = self._worlds.columns(privileged)
        self.listeners: list[Callable[[Episodes], None]] = []
        self.watchers: list[Callable[[Measured, Measured, NDArray[np.bool_]], None]] = []
        """Told in each step what all sensors measured before and after it, and what terminated."""

    def reset(
        self, *, seed: int | list[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Start every environment: episode 0 of `seed`, or the next episode without one.

        `options={"episode": e}` starts episode e instead. `options={"worlds": values}` sets the
        parameters (num_envs, p), in the order of `randomizer.names`, of the episodes that start
        here; starts, goals and noise are the seed's. Such worlds have no place in the
        distribution: `privileged` is NaN.
        """
        if seed is not None:
            self._seed_everything(int(seed[0] or 0) if isinstance(seed, list) else seed)
            self.episode[:] = -1
        if options and "episode" in options:
            self.episode[:] = options["episode"] - 1
        worlds = (options or {}).get("worlds")
        needed = self._worlds.values.shape
        if worlds is not None and np.shape(worlds) != needed:
            raise ParameterError(
                f"worlds of shape {np.shape(worlds)} are given, {needed} are needed:"
                f" a row for each environment, with {', '.join(self.randomizer.names) or 'nothing'}"
            )
        self._start(self._everyone, worlds)
        return self._remember(self._observe()), {}

    def step(self, actions: NDArray[Any]) -> Step:  # type: ignore[override]
        """Advance every environment by one control step."""
        before = self._measured() if self.watchers else None
        state = self._advance(actions)
        reward = self.task.reward(state)
        terminated = self.task.terminated(state)
        if self.guard is not None:
            terminated = terminated | self.guard.tripped(self.sim.measure())
        diverged = self.sim.diverged
        if diverged.any():  # neither the reward nor the end of such a step can be trusted
            reward = np.where(diverged, 0.0, reward)
            terminated = terminated & ~diverged
        if before is not None:
            after = self._measured()
            for watcher in self.watchers:
                watcher(before, after, terminated)
        self.returns += reward
        self._note_success(state)
        truncated = (self.steps >= self.max_steps) & ~terminated | diverged
        done = terminated | truncated
        if self.randomizer.varies:
            ids = np.flatnonzero(~done).astype(np.int32)
            self._worlds.vary(ids, self.episode, self.steps)
        observation = self._observe()
        if not done.any():
            return self._remember(observation), reward, terminated, truncated, {}
        if diverged.any():
            observation = np.where(diverged[:, None], self._last, observation)
        first, infos = self._finish(done, observation)
        return self._remember(first), reward, terminated, truncated, infos

    def set_progress(self, progress: float) -> None:
        """Say how much of the training is over, in [0, 1]: curricula follow, episode by episode."""
        if not 0.0 <= progress <= 1.0:
            raise ParameterError(f"progress = {progress} must be in [0, 1]")
        self._worlds.training_progress = float(progress)

    def randomize(self, ranges: Mapping[str, Range], *, boundary: float = 0.0) -> None:
        """Draw from other ranges from each environment's next episode on: `Randomizer.replace`."""
        self._worlds.move(ranges, boundary)

    @property
    def randomizer(self) -> Randomizer:
        """What draws the worlds."""
        return self._worlds.randomizer

    @property
    def progress(self) -> float:
        """How much of the training is over, in [0, 1]."""
        return self._worlds.training_progress

    @property
    def environments(self) -> NDArray[np.int64]:
        """Numbers of the environments (n,), which key what they draw."""
        return self._worlds.environments

    @property
    def privileged(self) -> NDArray[np.float32]:
        """What only a critic may see: each world's parameters, normalized, (n, nprivileged).

        And of a floating base what no sensor tells: its height and its velocity in its own frame.
        """
        parameters, base = self._worlds.normalized[:, self._exposed], self.sim.base
        if base is None:
            return parameters.astype(np.float32)
        velocity = rotate_back(base.orientation, base.linear_velocity)
        parts = [parameters, base.position[:, 2:], velocity]
        return np.concatenate(parts, axis=1, dtype=np.float32)

    @property
    def privileged_names(self) -> tuple[str, ...]:
        """What `privileged` shows, in the order of its columns."""
        base = () if self.sim.base is None else _BASE
        return (*(self.randomizer.names[column] for column in self._exposed), *base)

    @property
    def values(self) -> Array:
        """The parameters of each world as they are now (n, p), in the randomizer's order."""
        return self._worlds.values.copy()

    def state_dict(self) -> dict[str, Any]:
        """Return all that is needed to continue exactly from here."""
        return {
            "seed": self.seed,
            "diverged": self.diverged,
            "worlds": self._worlds.state_dict(),
            "simulation": self.sim.fields.state.copy(),
            "effects": self.sim.effects.state_dict(),
            **{name: getattr(self, name).copy() for name in self._state_names},
        }

    def load_state_dict(self, data: dict[str, Any]) -> None:
        """Continue from what `state_dict` returned."""
        self._seed_everything(data["seed"])
        self.diverged = data["diverged"]
        self._worlds.load_state_dict(data["worlds"])
        self._start_physics(self._everyone, data["episode"])
        for name in self._state_names:  # after the start, which sends a command of its own
            getattr(self, name)[...] = data[name]
        self.sim.fields.state[...] = data["simulation"]
        self.sim.fields.forward()  # tips and the like follow; so would the solver's warm start
        self.sim.fields.state[...] = data["simulation"]
        self.sim.effects.load_state_dict(data["effects"])

    _state_names = ("episode", "steps", "command", "goal", "success_steps", "returns", "_last")

    def _seed_everything(self, seed: int) -> None:
        self.seed = seed
        self.sim.effects.clock.identify(seed, self.environments)
        self._worlds.seed(seed)

    def _make_spaces(self) -> None:
        limit = np.full(self.task.nobs, np.inf, np.float32)
        self.single_observation_space = gymnasium.spaces.Box(-limit, limit)
        one = np.ones(len(self._driven), np.float32)
        self.single_action_space = gymnasium.spaces.Box(-one, one)
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)
        self.metadata = {"autoreset_mode": AutoresetMode.SAME_STEP}

    def _make_state(self) -> None:
        n = self.num_envs
        self.episode = np.full(n, -1, np.int64)
        self.steps = np.zeros(n, np.int64)
        self.command = np.tile(self._resting, (n, 1))
        self.goal = np.zeros((n, self.task.ngoal))
        self.success_steps = np.zeros(n, np.int64)
        self.returns = np.zeros(n)
        self.diverged = 0
        """How many episodes ended because their simulation diverged."""
        self._last = np.zeros((n, self.task.nobs), np.float32)

    def _start(self, ids: NDArray[np.int32], worlds: Array | None = None) -> None:
        self.episode[ids] += 1
        self.steps[ids] = 0
        self.success_steps[ids] = 0
        self.returns[ids] = 0.0
        episode, who = self.episode[ids], self.environments[ids]
        self._worlds.begin(ids, episode, worlds)
        self._start_physics(ids, episode)
        if self.task.ngoal:
            u = randomness.uniform(self.seed, "goal", who, episode, size=self.task.ngoal_uniforms)
            self.goal[ids] = self.task.draw_goal(u)

    def _start_physics(self, ids: NDArray[np.int32], episode: NDArray[np.int64]) -> None:
        who = self.environments[ids]
        u = randomness.uniform(self.seed, "start", who, episode, size=self.task.nstart)
        position, velocity, base = self.task.start(u)
        # a servo holds the pose it starts from
        command = np.where(self._is_servo, position[:, self._driven], self._resting)
        self.command[ids] = command
        self.sim.effects.clock.begin(episode, ids)
        self.sim.reset(ids, position, velocity, command, base)

    def _remember(self, observation: NDArray[np.float32]) -> NDArray[np.float32]:
        """Keep what is returned: an episode that diverges in the next step ends with it."""
        self._last = observation.copy()
        return observation

    def _advance(self, actions: NDArray[Any]) -> State:
        # rewards see what acted; `command` clips too, for whoever calls it with a policy's answer
        action = np.minimum(np.maximum(actions, -1.0), 1.0)  # half the time of clip
        last_command = self.command.copy()
        self.command[...] = self._action_map.command(action, last_command)
        if self.guard is not None:
            self.command[...] = self.guard.limit(self.command, last_command, self.sim.measure())
        self.sim.step(self.command)
        self.steps += 1
        tip, rotation = self.sim.tip if self.task.needs_tip else (None, None)
        return State(
            position=self.sim.position,
            velocity=self.sim.velocity,
            action=action,
            command=self.command,
            last_command=last_command,
            goal=self.goal,
            base=self.sim.base,
            tip_position=tip,
            tip_rotation=rotation,
        )

    def _measured(self) -> Measured:
        """Return a copy of what all sensors measure now."""
        signals = self.sim.measure().signals()
        return Measured(**{name: value.copy() for name, value in signals.items()})

    def _observe(self, ids: NDArray[np.int32] | None = None) -> NDArray[np.float32]:
        """Return what the policies of `ids`, by default all, see now, (n, nobs)."""
        rows: Any = slice(None) if ids is None else ids
        measured = self.sim.measure(rows)
        observation = self.task.observe(measured, self.command[rows], self.goal[rows])
        return observation.astype(np.float32)

    def _note_success(self, state: State) -> None:
        success = self.task.success(state)
        self.success_steps += 1
        self.success_steps *= success

    def _finish(
        self, done: NDArray[np.bool_], last: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Restart those that are `done`; return all observations, and what ended.

        `last` (n, nobs) is what the policies would see had nothing restarted.
        """
        ids = np.flatnonzero(done).astype(np.int32)
        hold = min(round(self.task.options.hold_seconds * self.robot.control_hz), self.max_steps)
        diverged = done & self.sim.diverged  # a copy: restarting clears it
        self.diverged += int(diverged.sum())
        infos = {
            "final_obs": last,
            "final_privileged": self.privileged,
            "_final_obs": done,
            "success": done & (self.success_steps >= hold) & ~diverged,
            "episode_steps": np.where(done, self.steps, 0),
            "diverged": diverged,
        }
        self._tell(ids, infos)
        self._start(ids)
        first = last.copy()
        first[ids] = self._observe(ids)
        return first, infos

    def _tell(self, ids: NDArray[np.int32], infos: dict[str, Any]) -> None:
        """Tell the listeners of the episodes that ended in `ids` (n,)."""
        if not self.listeners:
            return
        episodes = Episodes(
            seed=self.seed,
            environment=self.environments[ids],
            episode=self.episode[ids],
            progress=self._worlds.progress[ids],
            values=self._worlds.values[ids],
            returns=self.returns[ids],
            steps=self.steps[ids],
            success=infos["success"][ids],
            diverged=infos["diverged"][ids],
        )
        for listener in self.listeners:
            listener(episodes)
