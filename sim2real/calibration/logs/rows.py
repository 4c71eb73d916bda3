"""Rows on their way into a trajectory: checked, in SI units, spooled."""

from collections.abc import Mapping
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from sim2real.calibration.columns import Signal
from sim2real.calibration.logs.table import Block, Table
from sim2real.calibration.units import UNITS
from sim2real.errors import LogError, known
from sim2real.robot import Robot
from sim2real.spool import Spool, blocks
from sim2real.trajectory import Array, Stamps, Trajectory

_LARGEST = 2**63 - 1


def values(block: Block, signal: Signal, table: Table) -> Array:
    """Return a signal's next rows (n,) in SI units; raises LogError."""
    raw = _raw(block, signal, table)
    if signal.bits is not None:
        raw = raw.astype(float)
        raw = np.where(raw >= 2.0 ** (signal.bits - 1), raw - 2.0**signal.bits, raw)
    return raw.astype(float) * signal.factor + signal.offset


def stamps(block: Block, signal: Signal, table: Table, row: int) -> Stamps:
    """Return the next stamps (n,) [ns]; raises LogError.

    Whole units and their fractions are converted apart: the product of seconds since 1970 and 10⁹
    has steps of 256 ns in float64.

    Args:
        block: the next rows.
        signal: where the time is, and in which unit.
        table: what is read.
        row: number of the block's first row, for messages.
    """
    raw = _raw(block, signal, table)
    bad = np.flatnonzero(~np.isfinite(raw))
    if bad.size:
        raise LogError(
            f"{table.path}: the time in row {row + int(bad[0])} is not finite:"
            " repair or cut that row"
        )
    size = round(UNITS[signal.unit][1] * 1e9)
    if raw.size and float(np.abs(raw).max()) * abs(signal.factor) * 1e9 >= _LARGEST:
        raise LogError(
            f"{table.path}: a time of {float(np.abs(raw).max()):g} {signal.unit} is more than int64"
            f" nanoseconds hold (292 years): is the unit of {signal.column!r} right?"
        )
    shift = round(signal.offset * 1e9)
    if raw.dtype.kind in "iu" and signal.scale == 1.0:
        return raw.astype(np.int64) * size + shift
    if raw.dtype != np.longdouble:
        raw = raw.astype(float)
    if signal.scale != 1.0:
        return np.rint(raw * (signal.scale * size)).astype(np.int64) + shift
    whole = np.floor(raw)
    return whole.astype(np.int64) * size + np.rint((raw - whole) * size).astype(np.int64) + shift


def place(signal: Signal, table: Table, width: int) -> int | None:
    """Return which of the `width` numbers of its column a signal is; raises LogError."""
    index = signal.index
    if isinstance(index, str):
        parts = list(table.parts(signal.column))
        if index not in parts:
            raise LogError(
                f"{table.path}: {signal.column!r} names no number {index!r}{known(index, parts)};"
                " without names in the file, give index as a number"
            )
        index = parts.index(index)
    if width > 1 and (index is None or not 0 <= index < width):
        raise LogError(
            f"{table.path}: {signal.column!r} holds {width} numbers a row, and a signal is one of"
            f" them: choose it with index = 0 to {width - 1}"
        )
    if not width:
        raise LogError(f"{table.path}: {signal.column!r} holds no numbers")
    if width == 1 and index not in (None, 0):
        raise LogError(
            f"{table.path}: {signal.column!r} holds one number a row: no index = {index}"
        )
    return index


def _raw(block: Block, signal: Signal, table: Table) -> NDArray[Any]:
    raw = block[signal.column]
    if raw.ndim == 2:
        raw = raw[:, place(signal, table, raw.shape[1]) or 0]
    if raw.ndim != 1 or raw.dtype.kind not in "iufb":
        raise LogError(
            f"{table.path}: {signal.column!r} is an array of shape {raw.shape} and type"
            f" {raw.dtype}: a signal is one number a row"
        )
    return raw


def slope(time: Stamps, position: Array) -> Array:
    """Return the velocities (t, n) of positions (t, n): second-order differences, uneven stamps."""
    velocity = Spool(position.shape[1])
    for part in blocks(len(time)):
        first, end = max(part.start - 1, 0), min(part.stop + 1, len(time))
        seconds = (time[first:end] - time[first]) * 1e-9
        if len(seconds) < 2 or (np.diff(seconds) <= 0).any():
            velocity.append(np.zeros_like(position[part]))  # Trajectory refuses it, with the row
            continue
        gradient = np.gradient(position[first:end], seconds, axis=0)
        velocity.append(gradient[part.start - first : part.stop - first])
    return velocity.array()


@final
class Rows:
    """Spools of a trajectory's parts, which become the trajectory at the end."""

    def __init__(self, robot: Robot, source: str, *, velocity: bool, torque: bool, enabled: bool):
        """Prepare for the rows of a robot's log, with the signals that it has."""
        njoint = len(robot.joints)
        self._robot, self._source = robot, source
        self.time, self.position = Spool(dtype=np.int64), Spool(njoint)
        self.velocity = Spool(njoint) if velocity else None
        self.torque = Spool(njoint) if torque else None
        self.enabled = Spool(dtype=np.bool_) if enabled else None
        self.command, self.command_time = Spool(len(robot.driven)), Spool(dtype=np.int64)

    def trajectory(self, facts: Mapping[str, Any]) -> Trajectory:
        """Return what was gathered; raises LogError if it is no motion."""
        time, position = self.time.array(), self.position.array()
        own = self.command_time.array() if len(self.command_time) else None
        if not len(self.time) or not len(self.command):
            what = "measurements" if not len(self.time) else "commands"
            raise LogError(f"{self._source}: the file has no rows of {what}")
        velocity = slope(time, position) if self.velocity is None else self.velocity.array()
        return Trajectory(
            joints=tuple(self._robot.joints),
            driven=self._robot.driven,
            time=time,
            position=position,
            velocity=velocity,
            command=self.command.array(),
            command_time=None if own is None or np.array_equal(own, time) else own,
            torque=None if self.torque is None else self.torque.array(),
            enabled=None if self.enabled is None else self.enabled.array(),
            source=self._source,
            facts=facts,
        )
