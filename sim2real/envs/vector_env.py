"""A robot's task in n randomized simulations, as a gymnasium VectorEnv."""

from typing import Any, final

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from sim2real.control import ActionMap, resting_command
from sim2real.parameters import randomness
from sim2real.parameters.posterior import Posterior
from sim2real.randomization.engine import Randomizer
from sim2real.robot import Robot
from sim2real.rotation import rotate_back
from sim2real.sim.kinematics import Kinematics
from sim2real.sim.mujoco_batch import MujocoSimulator
from sim2real.sim.simulator import Simulator
from sim2real.tasks import State, make_task

Array = NDArray[np.float64]
Step = tuple[NDArray[np.float32], Array, NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]]


@final
class RobotVectorEnv(VectorEnv):
    """`num_envs` randomized simulations of a robot at its task.

    Every episode is drawn anew: dynamics, sensors, start and goal are functions of
    (seed, environment, episode). An episode that ends restarts within the same step: the returned
    observation is the new episode's first, `infos["final_obs"]` holds the old one's last.
    """

    def __init__(
        self,
        robot: Robot,
        num_envs: int,
        *,
        seed: int = 0,
        nthread: int = 1,
        posterior: Posterior | None = None,
        randomized: bool = True,
        simulator: Simulator | None = None,
    ):
        """Make the environment.

        Args:
            robot: the robot.
            num_envs: number of simulations.
            seed: key of everything random.
            nthread: threads of the simulator.
            posterior: calibrated parameters, drawn instead of the robot's ranges for them.
            randomized: False for the nominal robot.
            simulator: another engine with `num_envs` simulations; MuJoCo by default.
        """
        self.robot, self.num_envs = robot, num_envs
        self.sim = simulator or MujocoSimulator(robot, num_envs, nthread=nthread)
        self.task = make_task(robot, Kinematics(robot, self.sim.model))
        self._ranges = robot.ranges if randomized else {}
        self._posterior = posterior if randomized else None
        self._action_map = ActionMap.of(robot)
        self._resting = resting_command(robot)
        self._driven = [list(robot.joints).index(name) for name in robot.driven]
        self._is_servo = np.array([robot.joints[name].mode == "position" for name in robot.driven])
        self.max_steps = round(self.task.options.episode_seconds * robot.control_hz)
        self._seed_everything(seed)
        self._make_spaces()
        self._make_state()
        self._everyone = np.arange(num_envs, dtype=np.int32)

    def reset(
        self, *, seed: int | list[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Start every environment: episode 0 of `seed`, or the next episode without one."""
        if seed is not None:
            self._seed_everything(int(seed[0] or 0) if isinstance(seed, list) else seed)
            self.episode[:] = -1
        self._start(self._everyone)
        return self._observe(), {}

    def step(self, actions: NDArray[Any]) -> Step:  # type: ignore[override]
        """Advance every environment by one control step."""
        state = self._advance(actions)
        reward = self.task.reward(state)
        terminated = self.task.terminated(state)
        if self.sim.diverged.any():  # no reward of such a step can be trusted
            reward = np.where(self.sim.diverged, 0.0, reward)
            terminated = terminated | self.sim.diverged
        self._note_success(state)
        truncated = (self.steps >= self.max_steps) & ~terminated
        done = terminated | truncated
        observation = self._observe()
        if not done.any():
            return observation, reward, terminated, truncated, {}
        first, infos = self._finish(done, observation)
        return first, reward, terminated, truncated, infos

    @property
    def privileged(self) -> NDArray[np.float32]:
        """What only a critic may see: each world's parameters, normalized, (n, p).

        And of a floating base what no sensor tells: its height and its velocity in its own frame.
        """
        base = self.sim.base
        if base is None:
            return self._normalized.astype(np.float32)
        velocity = rotate_back(base.orientation, base.linear_velocity)
        parts = [self._normalized, base.position[:, 2:], velocity]
        return np.concatenate(parts, axis=1, dtype=np.float32)

    def state_dict(self) -> dict[str, Any]:
        """Return all that is needed to continue exactly from here."""
        return {
            "seed": self.seed,
            "simulation": self.sim.fields.state.copy(),
            **{name: getattr(self, name).copy() for name in self._state_names},
        }

    def load_state_dict(self, data: dict[str, Any]) -> None:
        """Continue from what `state_dict` returned."""
        self._seed_everything(data["seed"])
        values, _ = self.randomizer.draw(self._everyone, data["episode"])
        self.randomizer.apply(self._everyone, values)
        self._start_physics(self._everyone, data["episode"])
        for name in self._state_names:  # after the start, which sets the command of its own
            getattr(self, name)[...] = data[name]
        self.sim.fields.state[...] = data["simulation"]
        self.sim.fields.forward()  # tips and the like follow; so would the solver's warm start
        self.sim.fields.state[...] = data["simulation"]

    _state_names = ("episode", "steps", "command", "goal", "success_steps", "_normalized")

    def _seed_everything(self, seed: int) -> None:
        self.seed = seed
        self.randomizer = Randomizer(self.sim, self._ranges, self._posterior, seed=seed)

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
        self._normalized = np.zeros((n, len(self.randomizer.names)))

    def _start(self, ids: NDArray[np.int32]) -> None:
        self.episode[ids] += 1
        self.steps[ids] = 0
        self.success_steps[ids] = 0
        episode = self.episode[ids]
        values, self._normalized[ids] = self.randomizer.draw(ids, episode)
        self.randomizer.apply(ids, values)
        self._start_physics(ids, episode)
        if self.task.ngoal:
            u = randomness.uniform(self.seed, "goal", ids, episode, size=self.task.ngoal_uniforms)
            self.goal[ids] = self.task.draw_goal(u)

    def _start_physics(self, ids: NDArray[np.int32], episode: NDArray[np.int64]) -> None:
        u = randomness.uniform(self.seed, "start", ids, episode, size=self.task.nstart)
        position, velocity, base = self.task.start(u)
        # a servo holds the pose it starts from
        command = np.where(self._is_servo, position[:, self._driven], self._resting)
        self.command[ids] = command
        self.sim.reset(ids, position, velocity, command, base)

    def _advance(self, actions: NDArray[Any]) -> State:
        action = np.clip(actions, -1.0, 1.0)
        last_command = self.command.copy()
        self.command[...] = self._action_map.command(action, last_command)
        self.sim.step(self.command)
        self.steps += 1
        tip, rotation = self.sim.tip if self.robot.tip is not None else (None, None)
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

    def _observe(self, ids: NDArray[np.int32] | None = None) -> NDArray[np.float32]:
        """Return what the policies of `ids`, by default all, see now, (n, nobs)."""
        rows: Any = slice(None) if ids is None else ids
        sensors = self.sim.sensors if ids is None else self.sim.sensors.of(ids)
        z = np.zeros((1, 2 * len(self.robot.joints)))
        if sensors.noisy:  # else drawing would take time and change nothing
            counters = (self._everyone[rows], self.episode[rows], self.steps[rows])
            z = randomness.normal(self.seed, "noise", *counters, size=z.shape[1])
        measured = sensors.measure(self.sim.truth if ids is None else self.sim.truth.of(ids), z)
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
        infos = {
            "final_obs": last,
            "final_privileged": self.privileged,
            "_final_obs": done,
            "success": done & (self.success_steps >= hold),
            "episode_steps": np.where(done, self.steps, 0),
        }
        self._start(ids)
        first = last.copy()
        first[ids] = self._observe(ids)
        return first, infos
