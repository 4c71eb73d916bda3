import csv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sim2real.calibration.columns import Columns, JointColumns, Signal
from sim2real.calibration.logs.read import read_rows
from sim2real.calibration.recipe import Recipe
from sim2real.errors import LogError
from sim2real.robot import Robot

DEGREES = Columns(
    time=Signal(column="t", unit="ms"),
    joints={
        "pivot": JointColumns(
            position=Signal(column="angle", unit="deg", scale=-1.0),
            velocity=Signal(column="speed", unit="rpm"),
            command=Signal(column="torque", unit="mNm"),
        )
    },
)
ROWS: list[list[Any]] = [[0, 90, 60, 1500], [10, 45, 30, 0], [25, 0, -30, -500]]


@pytest.fixture
def read(tmp_path: Path, pendulum: Robot, recipe: Callable[..., Recipe]):
    """Return the trajectory that is read from rows under a header."""

    def run(rows: list[list[Any]], header: str = "t,angle,speed,torque", columns: Any = DEGREES):
        path = tmp_path / "log.csv"
        with path.open("w", newline="") as file:
            csv.writer(file).writerows([header.split(","), *rows] if header else rows)
        return read_rows(path, recipe("body.bob.mass", columns=columns), pendulum)

    return run


def test_units_become_si(read):
    log = read(ROWS)
    np.testing.assert_array_equal(log.time, [0, 10_000_000, 25_000_000])
    np.testing.assert_allclose(log.position[:, 0], [-np.pi / 2, -np.pi / 4, 0])
    np.testing.assert_allclose(log.velocity[:, 0], [2 * np.pi, np.pi, -np.pi])
    np.testing.assert_allclose(log.command[:, 0], [1.5, 0.0, -0.5])


def test_the_mean_of_a_column_is_a_fact_of_the_log(read):
    columns = replace(DEGREES, facts={"temperature": "temp"})
    rows = [[*row, temp] for row, temp in zip(ROWS, (20, 26, 29), strict=True)]
    assert read(rows, "t,angle,speed,torque,temp", columns).facts["temperature"] == 25.0


def test_a_fact_has_a_column_and_a_number_in_each_row(read):
    columns = replace(DEGREES, facts={"temperature": "temp"})
    rows = [[*row, temp] for row, temp in zip(ROWS, (20, "nan", 29), strict=True)]
    with pytest.raises(LogError, match="'temp' is not finite in every row"):
        read(rows, "t,angle,speed,torque,temp", columns)
    with pytest.raises(LogError, match=r"temp.*did you mean 'tempo'"):
        read(rows, "t,angle,speed,torque,tempo", columns)


def test_npz_reads_the_same_as_csv(tmp_path: Path, read, pendulum: Robot, recipe):
    t, angle, speed, torque = np.array(ROWS, float).T
    both = np.stack([speed, torque], axis=1)
    np.savez(tmp_path / "log.npz", t=t.astype(np.int64), angle=angle, both=both)
    joint = DEGREES.joints["pivot"]
    columns = Columns(
        time=DEGREES.time,
        joints={
            "pivot": JointColumns(
                position=joint.position,
                velocity=Signal(column="both", unit="rpm", index=0),
                command=Signal(column="both", unit="mNm", index=1),
            )
        },
    )
    log = read_rows(tmp_path / "log.npz", recipe("body.bob.mass", columns=columns), pendulum)
    for name in ("time", "position", "velocity", "command"):
        np.testing.assert_array_equal(getattr(log, name), getattr(read(ROWS), name))


def test_seconds_since_1970_keep_their_nanoseconds(read):
    joint = DEGREES.joints["pivot"]
    columns = Columns(time=Signal(column="t", unit="s"), joints={"pivot": joint})
    rows = [[f"1700000000.{i:03d}", 0, 0, 0] for i in (0, 5, 10)]
    stamps = read(rows, columns=columns).time
    np.testing.assert_array_equal(stamps - 1_700_000_000 * 10**9, [0, 5_000_000, 10_000_000])


def test_a_missing_velocity_is_the_slope_of_the_position(read):
    joint = DEGREES.joints["pivot"]
    columns = Columns(
        time=DEGREES.time,
        joints={"pivot": JointColumns(position=joint.position, command=joint.command)},
    )
    rows = [[10 * i, 0.9 * i, 0, 0] for i in range(5)]
    np.testing.assert_allclose(read(rows, columns=columns).velocity, -np.pi / 2)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([ROWS[0], [10, "nan", 0, 0], ROWS[2]], "position is not finite in 1 of 3 rows.*row 1"),
        ([ROWS[0], [10, 1, 1, "broken"], ROWS[2]], "command is not finite"),
        ([ROWS[0], ["nan", 1, 1, 1], ROWS[2]], "time in row 1 is not finite"),
        ([ROWS[0], ROWS[0], ROWS[2]], "time repeats in row 1"),
        ([ROWS[0], ROWS[2], ROWS[1]], "time runs backward in row 2"),
        ([ROWS[0], [10, 1, 1], ROWS[2]], "row 1 has 3 values, the header names 4"),
        ([ROWS[0]], "1 rows are no motion"),
        ([], "has no rows"),
    ],
)
def test_damaged_rows_are_refused_with_their_place(read, rows: list[list[Any]], message: str):
    with pytest.raises(LogError, match=message):
        read(rows)


def test_an_empty_file_is_refused(read):
    with pytest.raises(LogError, match="nothing in it"):
        read([], header="")


def test_a_missing_column_names_the_near_one(read):
    with pytest.raises(LogError, match=r"no column 'angle'; did you mean 'angles'\?"):
        read(ROWS, header="t,angles,speed,torque")


def test_a_joint_that_the_robot_has_not_is_refused(read):
    columns = Columns(time=DEGREES.time, joints={"pivott": DEGREES.joints["pivot"]})
    with pytest.raises(LogError, match=r"'pivott'.*did you mean 'pivot'"):
        read(ROWS, columns=columns)


def test_a_driven_joint_without_commands_is_refused(read):
    joint = JointColumns(position=DEGREES.joints["pivot"].position)
    with pytest.raises(LogError, match="no command for the joint 'pivot'"):
        read(ROWS, columns=Columns(time=DEGREES.time, joints={"pivot": joint}))


def test_columns_must_be_described(read):
    with pytest.raises(LogError, match=r"needs a recipe with \[columns\]"):
        read(ROWS, columns=None)


def test_other_files_are_refused(tmp_path: Path, pendulum: Robot, recipe):
    (tmp_path / "log.npz").write_text("not an archive")
    (tmp_path / "log.csvx").touch()
    for name, message in (
        ("log.npz", "not an NPZ file"),
        ("log.csvx", r"format '.csvx'; did you mean '.csv'"),
        ("gone.csv", "no such file"),
    ):
        with pytest.raises(LogError, match=message):
            read_rows(tmp_path / name, recipe("body.bob.mass", columns=DEGREES), pendulum)
