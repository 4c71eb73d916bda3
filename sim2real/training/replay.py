"""SAC's memory: without what a simulation did that diverged, and corrected for a gap."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from stable_baselines3.common.buffers import ReplayBuffer
from stable_baselines3.common.type_aliases import ReplayBufferSamples
from stable_baselines3.common.vec_env import VecNormalize

from sim2real.gap.target import Steps
from sim2real.gap.transitions import Transitions
from sim2real.training.correction import RoundCorrection

Round = tuple[Transitions, NDArray[np.bool_], NDArray[Any]]

_ARRAYS = ("observations", "next_observations", "actions", "rewards", "dones", "timeouts", "pos",
           "full")  # fmt: skip
_POOL = 4
"""Times as many steps are drawn as are chosen by their weights."""


class Replay(ReplayBuffer):
    """The library's buffer, without the steps in which a simulation diverged.

    With a correction, rewards and choice of what is sampled are those of its present judgement:
    old steps are judged anew whenever they are drawn.
    """

    _correction: RoundCorrection | None = None
    _target: ReplayBuffer | None = None

    def correct(self, correction: RoundCorrection) -> None:
        """Correct all that is sampled from now on."""
        self._correction = correction
        self._measured: dict[str, NDArray[np.float32]] = {}
        self._round: list[Round] = []
        if correction.method == "mix":
            spaces = self.observation_space, self.action_space
            self._target = ReplayBuffer(correction.gap.settings.target_steps, *spaces, "cpu")

    def add(  # noqa: D102
        self,
        obs: np.ndarray,
        next_obs: np.ndarray,
        action: np.ndarray,
        reward: np.ndarray,
        done: np.ndarray,
        infos: list[dict[str, Any]],
    ) -> None:
        rows = np.arange(self.n_envs)
        good = np.array([not info.get("diverged", False) for info in infos])
        if self._correction is not None:
            step, _ = self._correction.take()
            self._round.append((step, good, reward.copy()))
        if not good.all():
            if not good.any():
                return
            # a row of the buffer holds a step of each environment: another's stands in
            rows = np.where(good, rows, np.flatnonzero(good)[0])
            obs, next_obs, action, reward, done = (
                array[rows] for array in (obs, next_obs, action, reward, done)
            )
        if self._correction is not None:
            self._keep(self._round[-1][0][rows])
        super().add(obs, next_obs, action, reward, done, [infos[row] for row in rows])

    def take_round(self) -> Round:
        """Return what came since the last call: steps (nstep n, ...), which are good, rewards."""
        steps, good, rewards = zip(*self._round, strict=True)
        self._round = []
        return Transitions.join(steps), np.array(good), np.array(rewards)

    def add_target(self, played: Steps) -> None:
        """Keep what was observed on the target, if it is learned from."""
        if self._target is not None:
            for step in played:
                for i in range(len(step[0])):
                    obs, after, action, reward, done = (part[i : i + 1] for part in step)
                    self._target.add(obs, after, action, reward, done, [{}])

    def sample(self, batch_size: int, env: VecNormalize | None = None) -> ReplayBufferSamples:
        """Return steps to learn from."""
        correction, target = self._correction, self._target
        if correction is None or (target is None and not correction.gap.ready):
            return super().sample(batch_size, env)
        if target is not None:
            if not target.size():
                return super().sample(batch_size, env)
            halves = super().sample(batch_size // 2, env), target.sample(batch_size // 2, env)
            return _joined(*halves)
        count = batch_size * (_POOL if correction.method in ("weight", "filter") else 1)
        rows = np.random.randint(self.size(), size=count)  # noqa: NPY002 - as the library draws
        envs = np.random.randint(self.n_envs, size=count)  # noqa: NPY002
        transitions = self._transitions(rows, envs)
        weights = correction.gap.weights(transitions)
        if weights is not None:
            share = weights / weights.sum()
            chosen = np.random.choice(count, batch_size, p=share)  # noqa: NPY002
            rows, envs, transitions = rows[chosen], envs[chosen], transitions[chosen]
        return self._samples(rows, envs, correction.gap.bonus(transitions))

    def state_dict(self) -> dict[str, Any]:
        """Return all that is needed to continue exactly from here."""
        data = {key: getattr(self, key) for key in _ARRAYS}
        if self._correction is not None:
            data["measured"] = self._measured
        if self._target is not None:
            data["target"] = {key: getattr(self._target, key) for key in _ARRAYS}
        return data

    def load_state_dict(self, data: dict[str, Any]) -> None:
        """Continue from what `state_dict` returned."""
        for key in _ARRAYS:
            setattr(self, key, data[key])
        if self._correction is not None:
            self._measured, self._round = data["measured"], []
        if self._target is not None:
            for key in _ARRAYS:
                setattr(self._target, key, data["target"][key])

    def _keep(self, step: Transitions) -> None:
        """Keep what was measured beside the row that is written next."""
        for name, values in vars(step).items():
            if name not in self._measured:
                shape = (self.buffer_size, *values.shape)
                self._measured[name] = np.zeros(shape, np.float32)
            self._measured[name][self.pos] = values

    def _transitions(self, rows: NDArray[np.int64], envs: NDArray[np.int64]) -> Transitions:
        return Transitions(**{name: kept[rows, envs] for name, kept in self._measured.items()})

    def _samples(
        self, rows: NDArray[np.int64], envs: NDArray[np.int64], bonus: NDArray[np.float64]
    ) -> ReplayBufferSamples:
        ended = self.dones[rows, envs] * (1.0 - self.timeouts[rows, envs])
        reward = (self.rewards[rows, envs] + bonus).astype(np.float32)
        arrays = (self.observations[rows, envs], self.actions[rows, envs],
                  self.next_observations[rows, envs], ended[:, None], reward[:, None])  # fmt: skip
        return ReplayBufferSamples(*map(self.to_torch, arrays))


def _joined(one: ReplayBufferSamples, other: ReplayBufferSamples) -> ReplayBufferSamples:
    names = ("observations", "actions", "next_observations", "dones", "rewards")
    pairs = ((getattr(one, name), getattr(other, name)) for name in names)
    return ReplayBufferSamples(*(torch.cat([a, b.to(a.dtype)]) for a, b in pairs))
