"""No bytes make a reader do anything but read or refuse."""

import contextlib
import io
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from sim2real.calibration.columns import Columns, JointColumns, Signal
from sim2real.calibration.logs.contents import contents
from sim2real.calibration.logs.csv_table import CsvTable
from sim2real.calibration.logs.json_table import JsonTable
from sim2real.calibration.logs.read import read_rows
from sim2real.calibration.logs.tables import read_table
from sim2real.errors import Sim2RealError
from sim2real.shipped import find_robot

FUZZ = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
BINARY = ("npz", "hdf5", "lerobot", "mcap-cdr", "mcap-json", "rosbag2-sqlite3", "ros1")
COLUMNS = Columns(
    time=Signal(column="t", unit="s"),
    joints={
        "pivot": JointColumns(
            position=Signal(column="q", unit="rad"), command=Signal(column="u", unit="Nm")
        )
    },
)
CELL = st.one_of(
    st.floats().map(repr), st.text(max_size=6), st.integers().map(str), st.just("[1, 2]")
)


@pytest.mark.parametrize("name", BINARY)
def test_damaged_bytes_are_read_or_refused(
    name, writers, lerobot, rows, tmp_path, recipe_of, double_pendulum
):
    written, described = (writers | {"lerobot": lerobot})[name](rows, tmp_path)
    path = next(written.glob("*.db3")) if written.is_dir() else written
    whole, recipe = path.read_bytes(), recipe_of(described)

    @FUZZ
    @given(
        cut=st.floats(0.0, 1.0),
        damage=st.lists(
            st.tuples(st.floats(0.0, 0.999), st.binary(min_size=1, max_size=8)), max_size=4
        ),
    )
    @example(cut=1.0, damage=[(0.875, b"\x80")])  # in a name in a Parquet file: no longer text
    def check(cut, damage):
        content = bytearray(whole[: int(cut * len(whole))])
        for place, change in damage:
            begin = int(place * len(content))
            content[begin : begin + len(change)] = change
        path.write_bytes(content)
        with contextlib.suppress(Sim2RealError):
            read_rows(written, recipe, double_pendulum)
        with contextlib.suppress(Sim2RealError):
            contents(written)

    check()


@FUZZ
@given(text=st.text(max_size=200), rows=st.lists(st.lists(CELL, max_size=5), max_size=6))
def test_any_text_is_a_csv_or_refused(tmp_path: Path, text, rows):
    path = tmp_path / "log.csv"
    body = "\n".join(",".join(row) for row in rows)
    for content in (text, "t,q,u\n" + body, "t,q,u\n" + text):
        path.write_text(content, encoding="utf-8", errors="replace")
        with contextlib.suppress(Sim2RealError):
            read_table(CsvTable(path), COLUMNS, find_robot("pendulum"))
        with contextlib.suppress(Sim2RealError):
            contents(path)


VALUE = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["t", "q", "u", "x"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@FUZZ
@given(value=VALUE, records=st.lists(st.fixed_dictionaries({"t": VALUE, "q": VALUE, "u": VALUE})))
def test_any_json_is_a_log_or_refused(tmp_path: Path, value, records):
    path = tmp_path / "log.json"
    for content in (value, records, {"entries": records, "kp": value}):
        path.write_text(json.dumps(content))
        with contextlib.suppress(Sim2RealError):
            read_table(JsonTable(path), COLUMNS, find_robot("pendulum"))
        with contextlib.suppress(Sim2RealError):
            contents(path)


@FUZZ
@given(
    arrays=st.fixed_dictionaries(
        {
            name: st.sampled_from(
                [
                    np.arange(5),
                    np.arange(5.0),
                    np.arange(4.0),
                    np.zeros((5, 2)),
                    np.zeros((5, 0)),
                    np.zeros(0),
                    np.float64(1.0),
                    np.array(["a"] * 5),
                    np.array([1 + 1j] * 5),
                    np.arange(5.0) * 1e300,
                    np.array([0, 1, np.nan, 3, 4]),
                    np.zeros((5, 1), order="F"),
                    np.array([(1, 2.0)] * 5, "i4,f8"),
                    np.arange(5).astype("datetime64[ns]"),
                ]
            )
            for name in ("t", "q", "u")
        }
    )
)
def test_any_arrays_are_a_log_or_refused(tmp_path: Path, recipe, arrays):
    path = tmp_path / "log.npz"
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    path.write_bytes(buffer.getvalue())
    with contextlib.suppress(Sim2RealError):
        read_rows(path, recipe("body.bob.mass", columns=COLUMNS), find_robot("pendulum"))
    with contextlib.suppress(Sim2RealError):
        contents(path)
