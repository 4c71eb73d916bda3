"""A table with columns, as the recipe explains them, becomes a trajectory."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np

from sim2real.calibration.columns import Columns, JointColumns, Signal
from sim2real.calibration.logs.csv_table import CsvTable
from sim2real.calibration.logs.hdf5_table import Hdf5Table
from sim2real.calibration.logs.json_table import JsonTable
from sim2real.calibration.logs.npz_table import NpzTable
from sim2real.calibration.logs.parquet_table import ParquetTable
from sim2real.calibration.logs.rows import Rows, place, stamps, values
from sim2real.calibration.logs.table import Block, Table
from sim2real.errors import LogError, known
from sim2real.robot import Robot
from sim2real.trajectory import Stamps, Trajectory

TABLES: dict[str, type[Table]] = {
    ".csv": CsvTable,
    ".h5": Hdf5Table,
    ".hdf5": Hdf5Table,
    ".json": JsonTable,
    ".npz": NpzTable,
    ".parquet": ParquetTable,
}
"""Ending of the file's name → its format."""

_PAUSE = 10_000_000_000
"""Between episodes [ns]: longer than any window."""


def read_table(table: Table, columns: Columns, robot: Robot) -> Trajectory:
    """Return the trajectory of the robot's joints, in the robot's order; raises LogError."""
    joints = _joints(columns, robot, table.path)
    commands = {name: _command(joints[name], name, table.path) for name in robot.driven}
    rows = Rows(
        robot,
        str(table.path),
        velocity=all(joint.velocity is not None for joint in joints.values()),
        torque=all(joint.torque is not None for joint in joints.values()),
        enabled=columns.enabled is not None,
    )
    own_clock = columns.command_time is not None
    _read_measured(table, columns, joints, {} if own_clock else commands, rows)
    if columns.command_time is not None:
        other = _command_table(table, columns)
        signals = [columns.command_time, *commands.values()]
        done = 0
        for block in _blocks(other, signals):
            rows.command_time.append(stamps(block, columns.command_time, other, done))
            rows.command.append(_stack(block, list(commands.values()), other))
            done = len(rows.command)
    return rows.trajectory({**table.facts(), **_means(table, columns.facts)})


def _means(table: Table, facts: dict[str, str]) -> dict[str, float]:
    """Return the mean of the column of each fact."""
    if not facts:
        return {}
    names = list(dict.fromkeys(facts.values()))
    sums, count = dict.fromkeys(names, 0.0), 0
    for block in table.read(names):
        count += len(block[names[0]])
        for name in names:
            sums[name] += float(np.sum(block[name], dtype=np.float64))
    for name, total in sums.items():
        if not np.isfinite(total):
            raise LogError(f"{table.path}: {name!r} is not finite in every row: it has no mean")
    return {fact: sums[name] / count for fact, name in facts.items()}


def _joints(columns: Columns, robot: Robot, path: Path) -> dict[str, JointColumns]:
    for name in columns.joints:
        if name not in robot.joints:
            raise LogError(
                f"{path}: the recipe's columns name the joint {name!r}, which robot"
                f" {robot.name!r} has not{known(name, robot.joints)}"
            )
    for name in robot.joints:
        if name not in columns.joints:
            raise LogError(
                f"{path}: the recipe's columns leave out the joint {name!r}"
                f"{known(name, columns.joints)}"
            )
    return {name: columns.joints[name] for name in robot.joints}


def _command(joint: JointColumns, name: str, path: Path) -> Signal:
    if joint.command is None:
        raise LogError(f"{path}: the recipe's columns give no command for the joint {name!r}")
    return joint.command


def _read_measured(
    table: Table,
    columns: Columns,
    joints: dict[str, JointColumns],
    commands: dict[str, Signal],
    rows: Rows,
) -> None:
    parts = [
        (rows.position, [joint.position for joint in joints.values()]),
        (rows.velocity, [joint.velocity for joint in joints.values()]),
        (rows.torque, [joint.torque for joint in joints.values()]),
        (rows.command, list(commands.values())),
    ]
    wanted = [(spool, [s for s in signals if s]) for spool, signals in parts if spool is not None]
    signals = [columns.time, *(signal for _, chosen in wanted for signal in chosen)]
    others = [name for name in (columns.enabled, columns.episode) if name is not None]
    episodes = _Episodes(columns, table) if columns.episode is not None else None
    done = 0
    for whole in _blocks(table, signals, others):
        time = stamps(whole, columns.time, table, done)
        done += len(time)
        block = whole
        if episodes is not None:
            chosen, time = episodes.place(whole, time)
            block = {name: column[chosen] for name, column in whole.items()}
        rows.time.append(time)
        for spool, chosen_signals in wanted:
            if chosen_signals:
                spool.append(_stack(block, chosen_signals, table))
        if rows.enabled is not None and columns.enabled is not None:
            rows.enabled.append(block[columns.enabled] != 0)
    if episodes is not None:
        episodes.check()


def _blocks(
    table: Table, signals: list[Signal], others: list[str] | None = None
) -> Iterator[Block]:
    names = [signal.column for signal in signals] + (others or [])
    widths = table.columns()
    for signal in signals:
        if signal.column in widths:
            place(signal, table, widths[signal.column])
    return table.read(names)


def _stack(block: Block, signals: list[Signal], table: Table) -> np.ndarray:
    return np.stack([values(block, signal, table) for signal in signals], axis=1)


def _command_table(table: Table, columns: Columns) -> Table:
    if columns.command_file is None:
        return table
    old, new = columns.command_file
    if old not in table.path.name:
        raise LogError(
            f"{table.path}: its name has no {old!r} to put {new!r} for (command_file): which file"
            " holds its commands?"
        )
    path = table.path.with_name(table.path.name.replace(old, new))
    if not path.is_file():
        raise LogError(f"{table.path}: no file {path.name} with its commands beside it")
    return type(table)(path)


class _Episodes:
    """Puts episodes that count their time from 0 after one another."""

    def __init__(self, columns: Columns, table: Table):
        self._columns, self._table = columns, table
        self._current: int | None = None
        self._shift, self._last = 0, -_PAUSE
        self._seen: set[int] = set()

    def place(self, block: Block, time: Stamps) -> tuple[np.ndarray, Stamps]:
        """Return which rows to take, and their stamps."""
        assert self._columns.episode is not None  # it is why this was made
        number = np.asarray(block[self._columns.episode]).astype(np.int64)
        self._seen.update(np.unique(number).tolist())
        wanted = self._columns.episodes
        chosen = np.isin(number, wanted) if wanted else np.ones(len(number), bool)
        number, time = number[chosen], time[chosen].copy()
        if not len(number):
            return chosen, time
        edges = [0, *(np.flatnonzero(np.diff(number)) + 1).tolist(), len(number)]
        for first, end in pairwise(edges):
            if number[first] != self._current:
                self._current = int(number[first])
                self._shift = self._last + _PAUSE - int(time[first])
            time[first:end] += self._shift
            self._last = int(time[end - 1])
        return chosen, time

    def check(self) -> None:
        """Raise LogError for an episode that was asked for and is not there."""
        for number in self._columns.episodes:
            if number not in self._seen:
                raise LogError(
                    f"{self._table.path}: no episode {number}"
                    f"{known(str(number), map(str, self._seen))}"
                )
