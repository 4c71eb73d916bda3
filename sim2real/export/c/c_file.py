"""ONNX file → C files, compiled and compared with it here, if there is a compiler."""

import ctypes
import hashlib
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from sim2real import config
from sim2real.deploy.controller import TOLERANCE, Controller, open_session
from sim2real.deploy.spec import ControllerSpec
from sim2real.errors import ConfigError, ControllerError
from sim2real.export.c.source import header, scratch_size, source

STEPS = 1000
_SPREADS = (1.0, 0.3, 3.0, 1.0, 10.0)
_FLAGS = ("-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-O2", "-shared", "-fPIC")


@dataclass(frozen=True, kw_only=True)
class Written:
    """What was written."""

    source: str
    header: str
    deviation: float | None
    """From the ONNX file over `STEPS` carried steps, as a share of a number beyond 1; None if there
    is no C compiler here: then the target has to run the self-test."""


def write_c(controller: Path, path: Path) -> Written:
    """Write a controller's ONNX file as C: `path`.c, and the header beside it.

    Raises:
        ControllerError: the file is no sound controller, has an operator without C, or its C does
            something else; nothing is written.
        ConfigError: the path's name cannot be one in C.
    """
    name = path.stem
    if path.suffix not in (".c", ".h") or not name.isidentifier() or not name.isascii():
        raise ConfigError(f"{path}: give a name that C can have, like policy.c")
    content = controller.read_bytes()
    spec = Controller.from_bytes(controller, content, None).spec
    model = onnx.load_from_string(content)
    digest = hashlib.sha256(content).hexdigest()
    texts = {".h": header(spec, model, name=name, sha256=digest),
             ".c": source(spec, model, name=name)}  # fmt: skip
    deviation = _check(controller, content, spec, model, texts)
    for suffix, text in texts.items():
        config.write_atomically(path.with_suffix(suffix), text.encode())
    return Written(
        source=str(path.with_suffix(".c")), header=str(path.with_suffix(".h")), deviation=deviation
    )


def _check(
    path: Path, content: bytes, spec: ControllerSpec, model: onnx.ModelProto, texts: dict[str, str]
) -> float | None:
    """Return how far the compiled C is from the ONNX file; None without a compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        return None
    name = texts[".c"].partition('"')[2].partition(".h")[0]
    with tempfile.TemporaryDirectory() as folder:
        for suffix, text in texts.items():
            (Path(folder) / f"{name}{suffix}").write_text(text)
        built = Path(folder) / "controller.so"
        flags = (*_FLAGS, f"-D{name.upper()}_SELFTEST")
        command = [compiler, *flags, "-o", str(built), str(built.with_name(f"{name}.c")), "-lm"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise ControllerError(f"{path}: its C does not compile: {done.stderr[:500]}")
        library = CLibrary(built, spec, name, scratch_size(model))
        deviation = max(library.selftest(), _deviation(path, content, spec, library))
    if not deviation <= TOLERANCE:
        raise ControllerError(
            f"{path}: its C deviates from it by {deviation:.2e}, at most {TOLERANCE:g} is allowed:"
            " float32 is not enough for this policy; use the ONNX file"
        )
    return deviation


def _deviation(path: Path, content: bytes, spec: ControllerSpec, library: "CLibrary") -> float:
    """Return the largest difference over steps that carry their states, each its own."""
    session, rng, worst = open_session(path, content), np.random.default_rng(4), 0.0
    sizes = {node.name: node.shape[1] for node in session.get_inputs()}
    states = {name: np.zeros((1, size), np.float32) for name, size in sizes.items()
              if name.startswith("state.")}  # fmt: skip
    for name, values in spec.initial_state.items():
        states[f"state.{name}"][0] = values
    library.reset(states.get("state.command", np.zeros((1, len(spec.driven)), np.float32))[0])
    outputs = [node.name for node in session.get_outputs()]
    for step in range(STEPS):
        feed = {name: _random(rng, name, size, _SPREADS[step % len(_SPREADS)])
                for name, size in sizes.items() if name not in states}  # fmt: skip
        answers = dict(zip(outputs, session.run(outputs, feed | states), strict=True))
        got = library.step({name: value[0] for name, value in feed.items()})
        states = {name: answers[f"next.{name}"] for name in states}
        ends = {name: states[f"state.{name}"][0] for name in spec.initial_state}
        for name, expected in ends.items():
            worst = max(worst, _share(library.state(name), expected))
        worst = max(worst, _share(got, answers["command"][0]))
    return worst


def _random(rng: np.random.Generator, name: str, size: int, spread: float) -> Any:
    row = rng.normal(size=(1, size))
    if name == "orientation":  # of length 1: float32 has no digits left for others
        return (row / np.linalg.norm(row)).astype(np.float32)
    return (spread * row).astype(np.float32)


def _share(got: Any, expected: Any) -> float:
    difference = np.abs(got - expected).max() / max(1.0, float(np.abs(expected).max()))
    return float(difference) if np.isfinite(difference) else np.inf


class CLibrary:
    """The compiled C of a controller, called from Python."""

    def __init__(self, path: Path, spec: ControllerSpec, name: str, scratch: int):
        """Load a shared library that was compiled with the self-test.

        Args:
            path: the library.
            spec: of the controller.
            name: with which its functions begin.
            scratch: `scratch_size` of its graph.
        """
        self._library: Any = ctypes.CDLL(str(path))
        self._name, self._ncommand = name, len(spec.driven)
        goal = {"goal": len(spec.goal)} if spec.goal else {}
        inputs = {key: signal.size for key, signal in spec.signals.items()} | goal
        states = {key: len(values) for key, values in spec.initial_state.items()}
        self._input = {key: np.zeros(size, np.float32) for key, size in inputs.items()}
        self._ends = np.cumsum([0, *states.values()])
        self._names = list(states)
        self._memory = np.zeros(int(self._ends[-1]) + scratch, np.float32)
        self._call("selftest").restype = ctypes.c_float

    def selftest(self) -> float:
        """Replay the golden tape; return the largest deviation."""
        return float(self._call("selftest")(self._memory.ctypes))

    def reset(self, command: Any) -> None:
        """Begin anew."""
        held = np.ascontiguousarray(command, np.float32)
        self._call("reset")(self._memory.ctypes, held.ctypes)

    def step(self, inputs: dict[str, Any]) -> Any:
        """Return the next command (ncommand,); NaN if the C says that it is not finite."""
        row = np.concatenate([inputs[key] for key in self._input]).astype(np.float32)
        command = np.zeros(self._ncommand, np.float32)
        finite = self._call("step")(self._memory.ctypes, row.ctypes, command.ctypes)
        return command if finite else np.full_like(command, np.nan)

    def state(self, name: str) -> Any:
        """Return what is carried under a name."""
        index = self._names.index(name)
        return self._memory[self._ends[index] : self._ends[index + 1]].copy()

    def _call(self, function: str) -> Any:
        return getattr(self._library, f"{self._name}_{function}")
