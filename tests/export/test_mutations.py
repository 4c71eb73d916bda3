"""Bugs of exporters, planted one at a time: loading refuses each, and no good file."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from sim2real import shipped
from sim2real.deploy.controller import Controller
from sim2real.errors import ControllerError
from sim2real.export.onnx_file import export
from sim2real.sim.kinematics import Kinematics
from sim2real.sim.model import compile_model
from sim2real.tasks import make_task
from sim2real.training.policy import Policy
from sim2real.training.recurrent import RecurrentPolicy
from sim2real.training.stages import History, Normalized


def _mutations():
    path = Path(__file__).parents[2] / "benchmarks/export/mutations.py"
    spec = importlib.util.spec_from_file_location("mutations", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["mutations"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


mutations = _mutations()


def exported(robot_name, make, folder, seed=0):
    robot = shipped.find_robot(robot_name)
    task = make_task(robot, Kinematics(robot, compile_model(robot)))
    torch.manual_seed(seed)
    path = folder / "controller.onnx"
    policy = make(task.nobs, len(robot.driven))
    export(policy, robot, task, path, trained_on={"a": [1.0]}, origin={"seed": seed})
    return path.read_bytes()


def feed_forward(nobs, nout):
    policy = Policy((nobs, 24, nout), "elu")
    policy.mean.normal_()
    policy.scale.uniform_(0.5, 2.0)
    return policy


def stacked(nobs, nout):
    return History(feed_forward(3 * nobs, nout), nobs, 3)


def recurrent(layer):
    def make(nobs, nout):
        policy = RecurrentPolicy(layer(nobs, 12), nn.Identity(), nn.Linear(12, nout))
        rng = np.random.default_rng(0)
        return Normalized(policy, rng.normal(size=nobs), rng.uniform(0.5, 2.0, nobs), 10.0)

    return make


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    """Robot → good file, of every kind of policy."""
    folder = tmp_path_factory.mktemp("exports")
    arm, other = (exported("so101", feed_forward, folder, seed) for seed in (0, 1))
    gru, lstm = (exported("hopper", recurrent(layer), folder) for layer in (nn.GRU, nn.LSTM))
    return {
        "arm": ("so101", mutations.Case(arm, other=other)),
        "quadruped": ("quadruped", mutations.Case(exported("quadruped", feed_forward, folder))),
        "history": ("pendulum", mutations.Case(exported("pendulum", stacked, folder))),
        "gru": ("hopper", mutations.Case(gru, other_kind=lstm)),
        "lstm": ("hopper", mutations.Case(lstm, other_kind=gru)),
    }


def test_good_files_load(cases):
    for name, (robot, case) in cases.items():
        controller = Controller.from_bytes(Path(name), case.content, shipped.find_robot(robot))
        assert controller.deviation <= 1e-6


def test_there_are_at_least_forty_bugs():
    assert len(mutations.MUTATIONS) >= 40


@pytest.mark.parametrize("bug", mutations.MUTATIONS)
def test_a_file_with_this_bug_is_refused(bug, cases):
    planted = 0
    for name, (robot, case) in cases.items():
        content = mutations.MUTATIONS[bug](case)
        if content is None:
            continue
        planted += 1
        assert content != case.content
        with pytest.raises(ControllerError):
            Controller.from_bytes(Path(name), content, shipped.find_robot(robot))
    assert planted > 0


def test_any_bit_of_a_file_counts(cases):
    robot, case = cases["arm"]
    rng = np.random.default_rng(0)
    for at in rng.integers(len(case.content), size=100):
        content = bytearray(case.content)
        content[at] ^= 1 << rng.integers(8)
        with pytest.raises(ControllerError):
            Controller.from_bytes(Path("flipped"), bytes(content), shipped.find_robot(robot))
