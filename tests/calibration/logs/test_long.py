"""A long log takes no more memory than a short one."""

import tracemalloc
from pathlib import Path

import h5py
import numpy as np
import pytest

from sim2real import spool
from sim2real.calibration.columns import Columns, JointColumns, Signal
from sim2real.calibration.logs import read_log
from sim2real.calibration.survey import survey


def write(path: Path, rows: int) -> None:
    with h5py.File(path, "w") as file:
        for name in ("t", "q", "v", "u"):
            file.create_dataset(name, (rows,), np.int64 if name == "t" else float)
        for first in range(0, rows, 50_000):
            t = np.arange(first, min(first + 50_000, rows)) * 1e-3
            q = 1.2 * np.sin(2.0 * t)
            part = slice(first, first + len(t))
            file["t"][part], file["q"][part], file["v"][part] = t * 1e9, q, 2.4 * np.cos(2.0 * t)
            file["u"][part] = -0.85 * np.sin(2.0 * t) + 3.58 * np.sin(q)


@pytest.fixture
def columns() -> Columns:
    joint = JointColumns(
        position=Signal(column="q", unit="rad"),
        velocity=Signal(column="v", unit="rad/s"),
        command=Signal(column="u", unit="Nm"),
    )
    return Columns(time=Signal(column="t", unit="ns"), joints={"pivot": joint})


def test_memory_does_not_grow_with_the_rows(tmp_path, monkeypatch, columns, recipe, pendulum):
    monkeypatch.setattr(spool, "MEMORY", 2**18)
    path, chosen, peaks = tmp_path / "log.hdf5", recipe("body.bob.mass", columns=columns), []
    write(path, 10_000)
    read_log(path, chosen, pendulum)  # imports are no part of it
    for rows in (100_000, 400_000):
        write(path, rows)
        tracemalloc.start()
        log = read_log(path, chosen, pendulum)
        survey(log, pendulum)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert len(log.time) == rows
    assert peaks[1] < 1.6 * peaks[0]
    assert peaks[1] < 400_000 * 4 * 8  # the rows themselves
