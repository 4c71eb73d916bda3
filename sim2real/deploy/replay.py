"""Runs a recording's measurements through the same decisions again, and compares bit for bit."""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sim2real import config
from sim2real.deploy.driver import Array, Health, Measurement
from sim2real.deploy.envelope.bounds import Envelope
from sim2real.deploy.envelope.verdict import Check, Verdict
from sim2real.deploy.recording import read_metadata, records
from sim2real.deploy.source import CommandSource
from sim2real.deploy.supervisor import Decision, Event, State, Supervisor
from sim2real.errors import LogError
from sim2real.robot import EnvelopeOptions, Robot
from sim2real.signals import Measured


@dataclass(frozen=True, kw_only=True)
class Step:
    """One row of a recording."""

    tick: int
    """When it was decided, by the clock of the controller's computer [ns]."""
    measured: Measurement
    goal: Array
    event: Event
    decision: Decision


@dataclass(frozen=True, kw_only=True)
class Difference:
    """The first thing that came out otherwise."""

    step: int
    """Number of the row, from 0."""
    signal: str
    recorded: Any
    replayed: Any


@dataclass(frozen=True, kw_only=True)
class Replay:
    """How a replay went."""

    steps: int
    """Rows that were compared: up to and with the first difference."""
    difference: Difference | None


def replay(path: Path, source: CommandSource, robot: Robot) -> Replay:
    """Return the first difference between a recording and what is decided from it now.

    Args:
        path: a recording of `Recorder`, with its beginning: not that of a black box.
        source: what commanded, as it was at the start of the run.
        robot: the robot; the envelope's options are those of the recording.

    Raises:
        LogError: no recording of this version, or one of another robot.
    """
    metadata = read_metadata(path)
    if "envelope" not in metadata:
        raise LogError(f"{path}: recorded by an older version: it lacks what a replay needs")
    options = config.from_dict(EnvelopeOptions, metadata["envelope"], str(path))
    robot = dataclasses.replace(robot, envelope=options)
    supervisor = Supervisor(
        source, robot, envelope=Envelope.of(robot), shadow=metadata.get("shadow", False)
    )
    number = -1
    for number, step in enumerate(read_steps(path, robot)):
        decision = supervisor.step(step.tick, step.measured, step.goal, step.event)
        found = _difference(number, robot, step.decision, decision)
        if found is not None:
            return Replay(steps=number + 1, difference=found)
    return Replay(steps=number + 1, difference=None)


def read_steps(path: Path, robot: Robot) -> Iterator[Step]:
    """Yield the rows of a recording; raises LogError if one is damaged."""
    measured: Measurement | None = None
    for kind, content in records(path):
        try:
            if kind == "measurement":
                measured = _measurement(content, robot)
            elif kind == "command" and measured is not None:
                yield Step(
                    tick=content["tick"], measured=measured, goal=_array(content["goal"]),
                    event=Event(content["event"]), decision=_decision(content))  # fmt: skip
        except (KeyError, TypeError, ValueError) as error:
            raise LogError(f"{path}: a damaged recording: {error!r}") from None


def _measurement(content: dict[str, Any], robot: Robot) -> Measurement:
    temperature, voltage = content.get("temperature"), content.get("voltage")
    health = None
    if temperature is not None or voltage is not None:
        health = Health(
            temperature=None if temperature is None else _array(temperature), voltage=voltage
        )
    names = [field.name for field in dataclasses.fields(Measured)]
    signals = Measured(**{name: _array(content[name]) for name in names if name in content})
    return Measurement(
        seq=content["seq"], stamp=content["stamp"], received=content["received"], signals=signals,
        health=health, acting=content.get("acting"))  # fmt: skip


def _decision(content: dict[str, Any]) -> Decision:
    given = {
        name: None if content[name] is None else _array(content[name])
        for name in ("command", "wanted")
    }
    return Decision(
        state=State(content["state"]), stiffness=content["stiffness"],
        check=Check(Verdict(content["verdict"])), **given)  # fmt: skip


def _array(values: list[Any]) -> Array:
    return np.array([float(value) for value in values])  # "nan" and "inf" stand as text


def _difference(
    number: int, robot: Robot, recorded: Decision, replayed: Decision
) -> Difference | None:
    """Return what differs first, in the order in which it is decided."""
    for name in ("wanted", "command"):
        before, after = getattr(recorded, name), getattr(replayed, name)
        found = _of_arrays(number, name, robot.driven, before, after)
        if found is not None:
            return found
    pairs = {
        "stiffness": (recorded.stiffness, replayed.stiffness),
        "verdict": (recorded.check.verdict.name, replayed.check.verdict.name),
        "state": (recorded.state.name, replayed.state.name),
    }
    for name, (before, after) in pairs.items():
        if before != after:
            return Difference(step=number, signal=name, recorded=before, replayed=after)
    return None


def _of_arrays(
    number: int, what: str, names: tuple[str, ...], before: Array | None, after: Array | None
) -> Difference | None:
    if before is None or after is None:
        if before is after:
            return None
        given = [None if values is None else values.tolist() for values in (before, after)]
        return Difference(step=number, signal=what, recorded=given[0], replayed=given[1])
    same = before.view(np.int64) == after.view(np.int64)  # bits: NaN equals itself, 0 is not -0
    if same.all():
        return None
    first = int(np.argmin(same))
    return Difference(
        step=number, signal=f"{what} of {names[first]!r}", recorded=float(before[first]),
        replayed=float(after[first]))  # fmt: skip
