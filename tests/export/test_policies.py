"""Policies of every kind: the exported file does what the library that made them does."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from rsl_rl.models import MLPModel, RNNModel
from stable_baselines3 import PPO, SAC, TD3
from stable_baselines3.common.vec_env import VecFrameStack, VecNormalize, VecTransposeImage
from tensordict import TensorDict
from torch import nn

from sim2real import shipped
from sim2real.control import ActionMap
from sim2real.deploy.controller import Controller
from sim2real.envs.stable_baselines3 import StableBaselines3Env
from sim2real.envs.vector_env import RobotVectorEnv
from sim2real.errors import ControllerError
from sim2real.export.onnx_file import export
from sim2real.signals import Measured
from sim2real.sim.kinematics import Kinematics
from sim2real.sim.model import compile_model
from sim2real.tasks import make_task
from sim2real.training.from_rsl_rl import from_rsl_rl
from sim2real.training.from_stable_baselines3 import from_stable_baselines3
from sim2real.training.recurrent import RecurrentPolicy
from sim2real.training.stages import History, Normalized

ROBOT = shipped.find_robot("pendulum")
TASK = make_task(ROBOT, Kinematics(ROBOT, compile_model(ROBOT)))
Act = Callable[[np.ndarray], Any]


def exported(policy: nn.Module, folder) -> Controller:
    path = folder / "controller.onnx"
    export(policy, ROBOT, TASK, path, trained_on={}, origin={})
    return Controller.load(path, ROBOT)


def assert_does(controller: Controller, act: Act, steps: int = 30) -> None:
    """Its commands are those of `act`, observation (1, nobs) → action (1, ncommand)."""
    rng, action_map = np.random.default_rng(0), ActionMap.of(ROBOT)
    command = np.zeros((1, 1))
    for _ in range(steps):
        position, velocity = rng.normal(size=(2, 1, 1)).astype(np.float32)
        measured = Measured(position=position, velocity=velocity)
        seen = TASK.observe(measured, command, None).astype(np.float32)
        command = action_map.command(np.asarray(act(seen), np.float64), command)
        got = controller.step(measured.of(0), np.zeros(0))
        np.testing.assert_allclose(got, command[0], atol=1e-5)


def environment():
    return StableBaselines3Env(RobotVectorEnv(ROBOT, 1, seed=0))


def trained_normalizer(env):
    """A normalizer that has seen something."""
    env.reset()
    rng = np.random.default_rng(0)
    for _ in range(20):
        env.step(rng.uniform(-1, 1, (1, 1)).astype(np.float32))
    env.training = False
    return env


@pytest.mark.parametrize(
    ("algorithm", "options"),
    [
        (PPO, {}),
        (SAC, {"use_sde": True, "policy_kwargs": {"net_arch": [16]}}),
        (TD3, {"policy_kwargs": {"net_arch": [16]}}),
    ],
)
def test_a_model_of_stable_baselines3_with_its_normalizer(algorithm, options, tmp_path):
    env = trained_normalizer(VecNormalize(environment(), clip_obs=1.5))
    model = algorithm("MlpPolicy", env, seed=0, device="cpu", **options)
    controller = exported(from_stable_baselines3(model, env), tmp_path)
    assert_does(
        controller, lambda seen: model.predict(env.normalize_obs(seen), deterministic=True)[0]
    )


def test_frames_stacked_on_normalized_observations_are_a_history_behind_a_normalizer(tmp_path):
    inner = trained_normalizer(VecNormalize(environment()))
    env = VecFrameStack(inner, 3)
    model = PPO("MlpPolicy", env, seed=0, device="cpu")
    controller = exported(from_stable_baselines3(model, env), tmp_path)
    assert controller.spec.initial_state["history"] == (0.0,) * 2 * TASK.nobs
    frames = np.zeros((1, 3 * TASK.nobs), np.float32)

    def act(seen):
        frames[:] = np.concatenate([frames[:, TASK.nobs :], inner.normalize_obs(seen)], axis=1)
        return model.predict(frames, deterministic=True)[0]

    assert_does(controller, act)


def test_a_recurrent_model_of_sb3_contrib(tmp_path):
    contrib = pytest.importorskip("sb3_contrib")
    env = environment()
    options = {"lstm_hidden_size": 8, "n_lstm_layers": 2, "net_arch": [8]}
    model = contrib.RecurrentPPO(
        "MlpLstmPolicy", env, n_steps=16, batch_size=16, seed=0, device="cpu", policy_kwargs=options
    )
    model.learn(16)
    controller = exported(from_stable_baselines3(model, env), tmp_path)
    assert {name: len(x) for name, x in controller.spec.initial_state.items()} == {
        "command": 1, "hidden": 16, "cell": 16,
    }  # fmt: skip
    state: Any = None

    def act(seen):
        nonlocal state
        action, state = model.predict(seen, state, deterministic=True)
        return action

    assert_does(controller, act)


@pytest.mark.parametrize("kind", ["gru", "lstm"])
def test_a_recurrent_model_of_rsl_rl(kind, tmp_path):
    torch.manual_seed(0)
    seen = TensorDict({"policy": torch.zeros(1, TASK.nobs)}, [1])
    model = RNNModel(
        seen, {"actor": ["policy"]}, "actor", 1, [8], obs_normalization=True,
        rnn_type=kind, rnn_hidden_dim=6, rnn_num_layers=2,
    )  # fmt: skip
    model.update_normalization(TensorDict({"policy": torch.randn(50, TASK.nobs)}, [50]))
    model.eval()
    controller = exported(from_rsl_rl(model), tmp_path)

    def act(seen):
        with torch.inference_mode():
            return model(TensorDict({"policy": torch.from_numpy(seen)}, [1])).numpy()

    assert_does(controller, act)


def test_a_feed_forward_model_of_rsl_rl(tmp_path):
    torch.manual_seed(0)
    seen = TensorDict({"policy": torch.randn(50, TASK.nobs)}, [50])
    model = MLPModel(seen, {"actor": ["policy"]}, "actor", 1, [8], obs_normalization=True)
    model.update_normalization(seen)
    model.eval()
    groups = lambda seen: TensorDict({"policy": torch.from_numpy(seen)}, [1])  # noqa: E731
    assert_does(exported(from_rsl_rl(model), tmp_path), lambda s: model(groups(s)).detach().numpy())


class Smoothed(nn.Module):
    """Anybody's module, with torch's own recurrent layer in it."""

    state_sizes = {"memory": 5}  # noqa: RUF012

    def __init__(self):
        super().__init__()
        self.layer, self.out = nn.GRU(TASK.nobs, 5), nn.Linear(5, 1)

    def forward(self, observation, memory):
        values, following = self.layer(observation[None], memory[None])
        return self.out(values[0]), following[0]


def test_a_plain_torch_module_with_a_memory_of_its_own(tmp_path):
    torch.manual_seed(0)
    policy, memory = Smoothed(), torch.zeros(1, 5)

    def act(seen):
        nonlocal memory
        with torch.inference_mode():
            action, memory = policy(torch.from_numpy(seen), memory)
        return action.numpy()

    assert_does(exported(policy, tmp_path), act)


def test_a_history_filled_with_the_first_observation():
    seen = []

    class Look(nn.Module):
        def forward(self, stacked):
            seen.append(stacked.tolist())
            return stacked[:, :1]

    policy = History(Look(), nobs=1, length=3, fill="first")
    states = [torch.zeros(1, size) for size in policy.state_sizes.values()]
    for value in (5.0, 6.0, 7.0):
        _, *states = policy(torch.tensor([[value]]), *states)
    assert seen == [[[5.0, 5.0, 5.0]], [[5.0, 5.0, 6.0]], [[5.0, 6.0, 7.0]]]


def test_a_recurrent_policy_behind_a_history_and_a_normalizer_keeps_all_its_states(tmp_path):
    torch.manual_seed(0)
    inner = RecurrentPolicy(nn.LSTM(2 * TASK.nobs, 4), nn.Identity(), nn.Linear(4, 1))
    policy = Normalized(History(inner, TASK.nobs, 2, fill="first"), np.zeros(4), np.ones(4))
    assert policy.state_sizes == {"history": 4, "history_begun": 1, "hidden": 4, "cell": 4}
    controller = exported(policy, tmp_path)
    assert list(controller.state()) == ["command", "history", "history_begun", "hidden", "cell"]


@pytest.mark.parametrize("bidirectional", [True, False])
def test_layers_that_see_the_future_are_refused(bidirectional):
    layer = nn.GRU(2, 2, bidirectional=True) if bidirectional else nn.RNN(2, 2)
    with pytest.raises(ControllerError, match="one direction"):
        RecurrentPolicy(layer, nn.Identity(), nn.Identity())


def test_a_wrapper_that_is_not_exported_is_refused():
    env = environment()
    model = PPO("MlpPolicy", env, device="cpu")
    strange = VecTransposeImage.__new__(VecTransposeImage)
    strange.venv = env
    with pytest.raises(ControllerError, match="VecTransposeImage changes observations"):
        from_stable_baselines3(model, strange)
