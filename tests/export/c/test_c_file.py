"""Controllers as C: compiled here, and compared with the ONNX files that they were made of."""

import functools
import re
import shutil
import subprocess

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from sim2real import shipped
from sim2real.errors import ConfigError, ControllerError
from sim2real.export.c import operators
from sim2real.export.c.c_file import write_c
from sim2real.export.c.tensors import Tensors, places
from sim2real.export.onnx_file import export
from sim2real.sim.kinematics import Kinematics
from sim2real.sim.model import compile_model
from sim2real.tasks import make_task
from sim2real.training.policy import Policy
from sim2real.training.recurrent import RecurrentPolicy
from sim2real.training.stages import History, Normalized

CC = shutil.which("cc")
needs_cc = pytest.mark.skipif(CC is None, reason="no C compiler (cc): apt-get install gcc")
TOLERANCE = 1e-5


def normalized(policy, nobs):
    rng = np.random.default_rng(0)
    return Normalized(policy, rng.normal(size=nobs), rng.uniform(0.5, 2.0, nobs), 10.0)


def recurrent(layer, layers=1):
    def make(nobs, nout):
        inner = RecurrentPolicy(layer(nobs, 12, layers), nn.Linear(nobs, nobs), nn.Linear(12, nout))
        return normalized(inner, nobs)

    return make


POLICIES = {
    "mlp": lambda nobs, nout: normalized(Policy((nobs, 24, 24, nout), "elu"), nobs),
    "gru": recurrent(nn.GRU),
    "lstm": recurrent(nn.LSTM, 2),
    "history": lambda nobs, nout: History(
        Policy((3 * nobs, 16, nout), "relu", squash=True), nobs, 3, fill="first"
    ),
    "plain": lambda nobs, nout: nn.Sequential(
        nn.Linear(nobs, 20), nn.LayerNorm(20), nn.SiLU(), nn.Linear(20, 20), nn.LeakyReLU(),
        nn.Linear(20, 20), nn.Softplus(), nn.Linear(20, 20), nn.Softmax(-1), nn.Linear(20, nout),
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """Exported files: each is made once."""
    folder = tmp_path_factory.mktemp("exported")

    @functools.cache
    def make(robot, policy):
        described = shipped.find_robot(robot)
        task = make_task(described, Kinematics(described, compile_model(described)))
        torch.manual_seed(0)
        made = POLICIES[policy](task.nobs, len(described.driven))
        path = folder / f"{robot}-{policy}.onnx"
        export(made, described, task, path, trained_on={}, origin={})
        return path.read_bytes()

    return make


@pytest.fixture
def exported(kept, tmp_path):
    def write(robot="pendulum", policy="mlp"):
        path = tmp_path / "controller.onnx"
        path.write_bytes(kept(robot, policy))
        return path

    return write


@needs_cc
@pytest.mark.parametrize(
    ("robot", "policy"),
    [*(("pendulum", policy) for policy in POLICIES), ("so101", "gru"), ("quadruped", "mlp")],
)
def test_c_does_what_the_onnx_file_does_over_a_thousand_carried_steps(exported, robot, policy):
    controller = exported(robot, policy)
    written = write_c(controller, controller.with_name("policy.c"))
    assert written.deviation <= TOLERANCE


@needs_cc
def test_a_microcontrollers_program_runs_the_self_test_and_a_step(exported, tmp_path):
    controller = exported("so101", "gru")
    write_c(controller, tmp_path / "arm.c")
    (tmp_path / "main.c").write_text(
        '#include "arm.h"\n#include <stdio.h>\nstatic arm_memory memory;\nint main(void) {\n'
        "  arm_input input = {0};\n  float command[ARM_NCOMMAND] = {0};\n"
        "  if (!(arm_selftest(&memory) <= ARM_TOLERANCE)) return 1;\n"
        "  arm_reset(&memory, command);\n  if (!arm_step(&memory, &input, command)) return 2;\n"
        "  input.position[0] = 0.0f / input.position[1];\n"  # NaN
        "  if (arm_step(&memory, &input, command)) return 3;\n"
        '  printf("%d", ARM_NCOMMAND);\n  return 0;\n}\n'
    )
    flags = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-O2", "-DARM_SELFTEST"]
    sources = [str(tmp_path / name) for name in ("main.c", "arm.c")]
    binary = str(tmp_path / "main")
    subprocess.run([CC, *flags, "-o", binary, *sources, "-lm"], check=True)
    done = subprocess.run([binary], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "6")


@needs_cc
def test_nothing_is_allocated_and_nothing_but_libm_is_called(exported, tmp_path):
    write_c(exported("so101", "gru"), tmp_path / "policy.c")
    library = tmp_path / "policy.o"
    subprocess.run([CC, "-c", "-O0", str(tmp_path / "policy.c"), "-o", str(library)], check=True)
    shown = subprocess.run(["nm", "-u", str(library)], capture_output=True, text=True, check=True)
    called = set(re.findall(r"U (\w+)", shown.stdout)) - {"_GLOBAL_OFFSET_TABLE_"}
    assert called <= {"expf", "expm1f", "memcpy", "memset", "sinf", "cosf", "tanhf", "fabsf"}
    assert " d " not in subprocess.run(["nm", str(library)], capture_output=True, text=True,
                                       check=True).stdout  # fmt: skip


@needs_cc
def test_c_that_does_something_else_is_not_written(exported, tmp_path, monkeypatch):
    controller = exported()
    monkeypatch.setitem(operators.UNARY, "Elu", "{x} > 0.0f ? {x} : {alpha} * {x}")
    with pytest.raises(ControllerError, match="its C deviates"):
        write_c(controller, tmp_path / "policy.c")
    assert [path.name for path in tmp_path.iterdir()] == ["controller.onnx"]


def test_without_a_compiler_nothing_is_claimed(exported, tmp_path, monkeypatch):
    controller = exported()
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert write_c(controller, tmp_path / "policy.c").deviation is None
    assert "float policy_selftest" in (tmp_path / "policy.h").read_text()


def test_a_damaged_file_is_refused(exported, tmp_path):
    controller = exported()
    content = bytearray(controller.read_bytes())
    content[len(content) // 2] ^= 1
    controller.write_bytes(content)
    with pytest.raises(ControllerError, match="seal is broken"):
        write_c(controller, tmp_path / "policy.c")


@pytest.mark.parametrize("name", ["my-policy.c", "7.c", "policy.txt"])
def test_a_name_that_c_cannot_have_is_refused(exported, tmp_path, name):
    with pytest.raises(ConfigError, match="a name that C can have"):
        write_c(exported(), tmp_path / name)


def test_an_operator_without_c_is_named(exported, tmp_path, monkeypatch):
    controller = exported()
    monkeypatch.delitem(operators.UNARY, "Elu")
    with pytest.raises(ControllerError, match="no C for the operator Elu"):
        write_c(controller, tmp_path / "policy.c")


def test_places_of_tensors_that_are_needed_at_once_do_not_overlap(exported):
    model = onnx.load(exported("so101", "gru"))
    tensors = Tensors.of(model)
    where, total = places(model, tensors)
    last = {name: step for step, node in enumerate(model.graph.node) for name in node.input}
    for value in model.graph.output:
        last[value.name] = len(model.graph.node)
    alive = {}
    for step, node in enumerate(model.graph.node):
        for name in node.output:
            span = set(range(where[name], where[name] + tensors.size(name)))
            for other, (cells, until) in alive.items():
                assert until < step or not span & cells, (name, other)
            alive[name] = span, last.get(name, step)
    assert total < sum(tensors.size(name) for name in where) / 4
