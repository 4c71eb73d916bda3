"""Readers: a recorded file of any known format becomes a trajectory in SI units."""

import csv
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sim2real.calibration.recipe import Columns, JointColumns, Recipe, Signal
from sim2real.errors import LogError, known
from sim2real.robot import Robot
from sim2real.trajectory import Array, Trajectory

FORMATS = (".csv", ".mcap", ".npz")


def read_log(path: Path, recipe: Recipe, robot: Robot) -> Trajectory:
    """Return the log's trajectory, joints in the robot's order.

    Raises:
        LogError: the file is no log of this robot, or its rows are damaged.
    """
    if not path.is_file():
        raise LogError(f"{path}: no such file")
    if path.suffix == ".mcap":
        return _recording(path, robot)
    if path.suffix == ".csv":
        table = _read_csv(path)
    elif path.suffix == ".npz":
        table = _read_npz(path)
    else:
        raise LogError(f"{path}: format {path.suffix!r}{known(path.suffix, FORMATS)}")
    if recipe.columns is None:
        raise LogError(f"{path}: the recipe has no [columns] that says what its columns mean")
    return _trajectory(table, recipe.columns, robot, str(path))


def _recording(path: Path, robot: Robot) -> Trajectory:
    from sim2real.deploy.recording import read_recording

    log, _ = read_recording(path)
    if log.joints != tuple(robot.joints) or log.driven != robot.driven:
        raise LogError(
            f"{path}: joints {', '.join(log.joints)} (driven: {', '.join(log.driven)}), but robot"
            f" {robot.name!r} has {', '.join(robot.joints)} (driven: {', '.join(robot.driven)})"
        )
    return log


def _read_csv(path: Path) -> dict[str, Array]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        header = [name.strip() for name in next(csv.reader(file), [])]
        rows = [row for row in csv.reader(file) if row]
    if not header or not rows:
        raise LogError(f"{path}: the file has {'no rows' if header else 'nothing in it'}")
    for number, row in enumerate(rows):
        if len(row) != len(header):
            raise LogError(
                f"{path}: row {number} has {len(row)} values, the header names {len(header)}"
            )
    return {name: _column(column, name, path) for name, *column in zip(header, *rows, strict=True)}


def _column(texts: list[str], name: str, path: Path) -> Array:
    """Return the numbers; NaN for all of a column that holds text: it may not be asked for."""
    try:
        return np.array(texts, float)
    except ValueError:
        values = [_number(text) for text in texts]
        return np.array(values)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return np.nan


def _read_npz(path: Path) -> Mapping[str, Array]:
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (OSError, ValueError) as error:
        raise LogError(f"{path}: not an NPZ file of plain arrays: {error}") from None


def _trajectory(
    table: Mapping[str, Array], columns: Columns, robot: Robot, source: str
) -> Trajectory:
    for name in columns.joints:
        if name not in robot.joints:
            raise LogError(
                f"{source}: the recipe's columns name the joint {name!r}, which robot"
                f" {robot.name!r} has not{known(name, robot.joints)}"
            )
    joints = [_joint(columns, name, source) for name in robot.joints]
    driven = [_command(columns.joints[name], name, source) for name in robot.driven]
    time = _nanoseconds(table, columns.time, source)
    position = np.stack([_take(table, joint.position, source) for joint in joints], axis=1)
    if len(time) != len(position):
        raise LogError(f"{source}: {len(time)} time stamps for {len(position)} positions")
    velocity = [
        _slope(time, position[:, i])
        if joint.velocity is None
        else _take(table, joint.velocity, source)
        for i, joint in enumerate(joints)
    ]
    return Trajectory(
        joints=tuple(robot.joints),
        driven=robot.driven,
        time=time,
        position=position,
        velocity=np.stack(velocity, axis=1),
        command=np.stack([_take(table, signal, source) for signal in driven], axis=1),
        source=source,
    )


def _joint(columns: Columns, name: str, source: str) -> JointColumns:
    if name not in columns.joints:
        raise LogError(
            f"{source}: the recipe's columns leave out the joint {name!r}"
            f"{known(name, columns.joints)}"
        )
    return columns.joints[name]


def _command(joint: JointColumns, name: str, source: str) -> Signal:
    if joint.command is None:
        raise LogError(f"{source}: the recipe's columns give no command for the joint {name!r}")
    return joint.command


def _take(table: Mapping[str, Array], signal: Signal, source: str) -> Array:
    """Return the signal's values (t,) in SI units."""
    return _raw(table, signal, source).astype(float) * signal.factor


def _raw(table: Mapping[str, Array], signal: Signal, source: str) -> NDArray:
    if signal.column not in table:
        raise LogError(f"{source}: no column {signal.column!r}{known(signal.column, table)}")
    values = np.asarray(table[signal.column])
    if values.ndim == 2 and signal.index is not None and signal.index < values.shape[1]:
        values = values[:, signal.index]
    if values.ndim != 1 or not np.issubdtype(values.dtype, np.number):
        raise LogError(
            f"{source}: {signal.column!r} is an array of shape {values.shape} and type"
            f" {values.dtype}: a signal is one number a row; choose a column with index = ..."
        )
    return values


def _nanoseconds(table: Mapping[str, Array], signal: Signal, source: str) -> NDArray[np.int64]:
    """Return stamps (t,) [ns]; of floating-point ones relative to the first.

    Seconds since 1970 in a float64 have steps of 240 ns: taking the difference first keeps them.
    """
    values = _raw(table, signal, source)
    if not np.isfinite(values).all():
        row = int(np.flatnonzero(~np.isfinite(values))[0])
        raise LogError(f"{source}: the time in row {row} is not finite: repair or cut that row")
    if len(values) == 0:
        raise LogError(f"{source}: the file has no rows")
    return np.round((values - values[0]).astype(float) * (signal.factor * 1e9)).astype(np.int64)


def _slope(time: NDArray[np.int64], position: Array) -> Array:
    if len(time) < 2 or (np.diff(time) <= 0).any():
        return np.zeros(len(position))  # Trajectory refuses such stamps, with the row
    return np.gradient(position, (time - time[0]) * 1e-9)
