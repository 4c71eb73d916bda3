import json

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from sim2real import shipped
from sim2real.deploy.spec import METADATA_KEY, ControllerSpec, robot_hash
from sim2real.errors import ControllerError
from sim2real.export import onnx_file
from sim2real.export.onnx_file import export
from sim2real.export.tape import TOLERANCE
from sim2real.signals import Measured
from sim2real.sim.kinematics import Kinematics
from sim2real.sim.model import compile_model
from sim2real.tasks import make_task
from sim2real.training.policy import Policy

ROBOTS = ["pendulum", "hopper", "so101"]


def exported(name, folder, squash=False):
    robot = shipped.find_robot(name)
    task = make_task(robot, Kinematics(robot, compile_model(robot)))
    torch.manual_seed(0)
    policy = Policy((task.nobs, 32, len(robot.driven)), "elu", squash=squash)
    policy.mean.normal_()
    policy.scale.uniform_(0.5, 2.0)
    path = folder / f"{name}.onnx"
    deviation = export(policy, robot, task, path, trained_on={"a": [1.0]}, origin={"seed": 0})
    return robot, task, policy, path, deviation


@pytest.mark.parametrize("name", ROBOTS)
def test_the_file_does_what_torch_does_over_a_thousand_carried_steps(name, tmp_path):
    *_, path, deviation = exported(name, tmp_path)
    assert deviation <= TOLERANCE
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_the_file_says_which_robot_it_is_for(tmp_path):
    robot, task, _, path, _ = exported("so101", tmp_path, squash=True)
    session = onnxruntime.InferenceSession(str(path))
    text = session.get_modelmeta().custom_metadata_map[METADATA_KEY]
    spec = ControllerSpec.from_json(text, "file")
    assert spec.joints == tuple(robot.joints)
    assert spec.robot_hash == robot_hash(robot)
    assert spec.control_hz == 50
    assert len(spec.goal) == task.ngoal == 9
    assert len(spec.golden.command) == 64


def test_the_graph_computes_the_training_observation_and_action_map(tmp_path):
    from sim2real.control import ActionMap

    robot, task, policy, path, _ = exported("pendulum", tmp_path)
    session = onnxruntime.InferenceSession(str(path))
    rng = np.random.default_rng(0)
    position, velocity, previous = rng.normal(size=(3, 1, 1)).astype(np.float32)
    measured = Measured(position=position, velocity=velocity)
    command, following = session.run(
        None, {"position": position, "velocity": velocity, "state.command": previous}
    )
    observation = task.observe(measured, previous, None).astype(np.float32)
    expected = ActionMap.of(robot).command(policy.act(observation), previous)
    np.testing.assert_allclose(command, expected, atol=1e-5)
    np.testing.assert_array_equal(command, following)


def test_commands_stay_within_the_robots_limits_whatever_comes_in(tmp_path):
    robot, *_, path, _ = exported("so101", tmp_path)
    session = onnxruntime.InferenceSession(str(path))
    low, high = np.array([joint.limits.position for joint in robot.joints.values()]).T
    rng = np.random.default_rng(0)
    for scale in (1.0, 1e3):
        feed = {
            value.name: (scale * rng.normal(size=value.shape)).astype(np.float32)
            for value in session.get_inputs()
        }
        command = session.run(["command"], feed)[0][0]
        assert (command >= low - 1e-6).all()
        assert (command <= high + 1e-6).all()


def test_the_same_policy_gives_the_same_bytes(tmp_path):
    (tmp_path / "a").mkdir(), (tmp_path / "b").mkdir()
    one, other = (exported("pendulum", tmp_path / name)[3] for name in "ab")
    assert one.read_bytes() == other.read_bytes()


def test_no_path_of_this_machine_is_in_the_file(tmp_path):
    content = exported("pendulum", tmp_path)[3].read_bytes()
    assert b"site-packages" not in content
    assert b"sim2real/export" not in content
    assert b".py" not in content


def test_numbers_in_the_metadata_keep_all_their_digits(tmp_path):
    path = exported("pendulum", tmp_path)[3]
    (text,) = [p.value for p in onnx.load(path).metadata_props if p.key == METADATA_KEY]
    spec = ControllerSpec.from_json(text, "file")
    assert json.loads(text) == json.loads(spec.to_json())


def test_a_graph_that_deviates_from_torch_is_not_written(tmp_path, monkeypatch):
    monkeypatch.setattr(onnx_file, "to_onnx", _wrong_graph(onnx_file.to_onnx))
    with pytest.raises(ControllerError, match="deviates from torch"):
        exported("pendulum", tmp_path)
    assert not list(tmp_path.iterdir())


def _wrong_graph(right):
    def to_onnx(graph, opset):
        model = right(graph, opset)
        for tensor in model.graph.initializer:
            values = onnx.numpy_helper.to_array(tensor)
            if values.ndim == 2:
                tensor.CopyFrom(onnx.numpy_helper.from_array(values * 1.001, tensor.name))
        return model

    return to_onnx
