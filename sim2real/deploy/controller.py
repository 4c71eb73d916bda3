"""An exported controller: one ONNX file that proves itself before it touches anything."""

import hashlib
from pathlib import Path
from typing import Any, final

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from sim2real.deploy import seal
from sim2real.deploy.source import Array, CommandSource
from sim2real.deploy.spec import (
    METADATA_KEY,
    ControllerSpec,
    RobotFacts,
    facts_hash,
    robot_hash,
)
from sim2real.errors import ControllerError
from sim2real.robot import Robot
from sim2real.signals import Measured, measured_signals

TOLERANCE = 1e-5
"""Largest difference from the golden tape, as a share of the joint's largest command (or of 1)."""

_FLOAT = "tensor(float)"
_COUNT = "count."


@final
class Controller(CommandSource):
    """The graph of an ONNX file, carrying its state from step to step."""

    def __init__(self, session: Any, spec: ControllerSpec, origin: dict[str, Any]):
        self.spec = spec
        self.goal, self.seen = spec.goal, spec.seen
        self.origin = origin
        self.warms_up = bool(spec.initial_state.keys() - {"command"})
        self.blended = True
        self.deviation = float("nan")
        """From the golden tape, as a share: set by `load`."""
        self._session = session
        self._states = [f"state.{name}" for name in spec.initial_state]
        self._outputs = ["command", *(f"next.{name}" for name in self._states)]
        self._feed: dict[str, NDArray[np.float32]] = {}
        self._set_state(spec.initial_state)

    @classmethod
    def load(cls, path: Path, robot: Robot | None) -> "Controller":
        """Return the controller of an ONNX file, after it has replayed its golden tape here.

        Args:
            path: the file.
            robot: the robot that is to be driven; None opens a controller of any robot.

        Raises:
            ControllerError: no such file, no controller, damaged, or made for another robot.
        """
        return cls.from_bytes(path, _read(path), robot)

    @classmethod
    def from_bytes(cls, path: Path, content: bytes, robot: Robot | None) -> "Controller":
        """Return the controller that a file of this content holds, as `load` does."""
        seal.check(path, content)
        session = open_session(path, content)
        spec = _read_spec(path, session)
        if robot is not None:
            _check_robot(path, spec, robot)
        _check_graph(path, session, spec)
        origin = {"kind": "controller", "file": path.name, "task": spec.task, "made": spec.origin,
                  "sha256": hashlib.sha256(content).hexdigest()}  # fmt: skip
        controller = cls(session, spec, origin)
        controller.deviation = controller._replay_tape(path)
        return controller

    def reset(self, command: Array) -> None:  # noqa: D102
        self._set_state(self.spec.initial_state)
        self.sent(command)

    def sent(self, command: Array) -> None:  # noqa: D102
        if "state.command" in self._feed:
            self._feed["state.command"] = np.array([command], np.float32)

    def step(self, measured: Measured, goal: Array) -> Array:  # noqa: D102
        feed = self._feed
        for name in self.spec.signals:
            feed[name] = np.array([getattr(measured, name)], np.float32)
        if self.goal:
            feed["goal"] = np.array([goal], np.float32)
        command, *states = self._session.run(self._outputs, feed)
        feed.update(zip(self._states, states, strict=True))
        return command[0].astype(np.float64)

    def counts(self) -> dict[str, int]:
        """Return the states named `count.<name>`, in which a controller counts its fallbacks."""
        counted = {
            n.removeprefix(_COUNT): v for n, v in self.state().items() if n.startswith(_COUNT)
        }
        return {name: round(float(value[0])) for name, value in counted.items()}

    def _set_state(self, state: dict[str, tuple[float, ...]]) -> None:
        for name, values in state.items():
            self._feed[f"state.{name}"] = np.array([values], np.float32)

    def state(self) -> dict[str, Array]:
        """Return what is carried to the next step, by name, each (size,)."""
        return {n.removeprefix("state."): self._feed[n][0].astype(float) for n in self._states}

    def _replay_tape(self, path: Path) -> float:
        """Replay the recorded steps through this machine's runtime, then begin anew."""
        tape, spec = self.spec.golden, self.spec
        t = len(tape.command)
        expected = _matrix(tape.command, len(spec.driven))
        signals = {n: _matrix(tape.inputs[n], signal.size) for n, signal in spec.signals.items()}
        goal = _matrix(tape.inputs.get("goal", ((),) * t), len(spec.goal))
        if not t or {len(rows) for rows in (*signals.values(), goal, expected)} != {t}:
            raise ControllerError(f"{path}: its golden tape has no or unequal rows: export again")
        self._set_state(tape.state)
        measured = Measured(**signals)
        got = np.array([self.step(measured.of(row), goal[row]) for row in range(t)])
        errors = {"a command": _error(got, expected)}
        for name, value in self.state().items():
            ends_in = np.array(tape.final_state[name])
            errors[f"the state {name!r} after it"] = _error(value[None], ends_in[None])
        for what, error in errors.items():
            if not error <= TOLERANCE:  # a NaN is refused, too
                raise ControllerError(
                    f"{path}: its golden tape does not replay: {what} differs by {error:.3g},"
                    f" at most {TOLERANCE:g} is allowed: the file is damaged, or onnxruntime"
                    f" {onnxruntime.__version__} computes it differently: export it again"
                )
        self._set_state(self.spec.initial_state)
        return max(errors.values())


def _error(got: Array, expected: Array) -> float:
    """Return the largest difference, as a share of a column's largest number or of 1.

    A share, because the float32 next to 200 Nm is 1.5e-5 Nm away.
    """
    if not expected.size:
        return 0.0
    return float((np.abs(got - expected) / np.maximum(np.abs(expected).max(axis=0), 1.0)).max())


def _read_spec(path: Path, session: Any) -> ControllerSpec:
    metadata = session.get_modelmeta().custom_metadata_map
    if METADATA_KEY not in metadata:
        raise ControllerError(
            f"{path}: an ONNX file without a controller's specification: export it with"
            " sim2real, which writes the specification and the golden tape into the file"
        )
    spec = ControllerSpec.from_json(metadata[METADATA_KEY], str(path))
    if set(spec.facts.joints) != set(spec.joints) or spec.robot_hash != facts_hash(
        spec.facts, spec.joints
    ):
        raise ControllerError(
            f"{path}: its specification contradicts itself: joints, gains, limits or control_hz are"
            " not those of its robot_hash: export it again"
        )
    return spec


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ControllerError(
            f"{path}: cannot be read ({error.strerror}): give the .onnx file of an export"
        ) from None


def open_session(path: Path, content: bytes) -> Any:
    """Return an onnxruntime session of a file's content; raises ControllerError."""
    options = onnxruntime.SessionOptions()
    # one thread that sleeps: a spinning pool starves whatever shares the robot's computer
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    options.log_severity_level = 4  # what goes wrong is in the exception
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's exceptions have no common base
        raise ControllerError(f"{path}: not an ONNX file that can be run: {error}") from None


def _check_robot(path: Path, spec: ControllerSpec, robot: Robot) -> None:
    joints = tuple(robot.joints)
    if (spec.joints, spec.driven) != (joints, robot.driven):
        raise ControllerError(
            f"{path}: made for the robot {spec.robot!r} with joints {', '.join(spec.joints)}; this"
            f" is {robot.name!r} with joints {', '.join(joints)}: use a controller trained for it"
        )
    if spec.signals != (signals := measured_signals(robot)):
        raise ControllerError(
            f"{path}: made for the robot {spec.robot!r}, which measures {', '.join(spec.signals)};"
            f" {robot.name!r} measures {', '.join(signals)}: use a controller trained for it"
        )
    if spec.robot_hash != robot_hash(robot):
        differing = "; ".join(spec.facts.differences(RobotFacts.of(robot)))
        raise ControllerError(
            f"{path}: made for the robot {spec.robot!r} ({spec.robot_hash}); {robot.name!r}"
            f" ({robot_hash(robot)}) has the same joints, but the controller was made for"
            f" {differing}: train for this robot.toml, or put back the one trained with"
        )


def _check_graph(path: Path, session: Any, spec: ControllerSpec) -> None:
    inputs = {name: signal.size for name, signal in spec.signals.items()}
    inputs |= {"goal": len(spec.goal)} if spec.goal else {}
    states = {f"state.{name}": len(values) for name, values in spec.initial_state.items()}
    outputs = {"command": len(spec.driven)} | {f"next.{name}": n for name, n in states.items()}
    _check_seen(path, spec, inputs)
    _check_nodes(path, "inputs", session.get_inputs(), inputs | states)
    _check_nodes(path, "outputs", session.get_outputs(), outputs)
    tape = spec.golden
    ends = ({f"state.{n}": len(x) for n, x in s.items()} for s in (tape.state, tape.final_state))
    if set(tape.inputs) != set(inputs) or any(sizes != states for sizes in ends):
        raise ControllerError(f"{path}: its golden tape lacks signals of the graph: export again")


def _check_seen(path: Path, spec: ControllerSpec, sizes: dict[str, int]) -> None:
    """Refuse ranges that are none; without any, nobody noted them."""
    ends = {name: tuple(map(len, ends)) for name, ends in spec.seen.items()}
    whole = {name: (size, size) for name, size in sizes.items()}
    pairs = [pair for low, high in spec.seen.values() for pair in zip(low, high, strict=False)]
    if spec.seen and not (ends == whole and all(low <= high for low, high in pairs)):
        raise ControllerError(
            f"{path}: what its policy met in training is not told as ranges of its inputs: export"
            " it again"
        )


def _matrix(rows: tuple[tuple[float, ...], ...], width: int) -> Array:
    """Return the rows of that width."""
    fitting = [row for row in rows if len(row) == width]
    return np.array(fitting, np.float64).reshape(len(fitting), width)


def _check_nodes(path: Path, what: str, nodes: Any, expected: dict[str, int]) -> None:
    found = {node.name: (node.type, node.shape) for node in nodes}
    wanted = {name: (_FLOAT, [1, size]) for name, size in expected.items()}
    if found != wanted:
        differing = sorted(n for n in found.keys() | wanted if found.get(n) != wanted.get(n))
        details = "; ".join(
            f"{n} is {found.get(n, 'missing')}, should be {wanted.get(n, 'absent')}"
            for n in differing
        )
        raise ControllerError(f"{path}: the graph's {what} are not those of its spec: {details}")
