"""The same rows, written in each format that labs use."""

import json
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pyarrow as pa
import pytest
from mcap.writer import Writer as McapWriter
from pyarrow import parquet
from rosbags.rosbag1 import Writer as Ros1Writer
from rosbags.rosbag2 import StoragePlugin
from rosbags.rosbag2 import Writer as Ros2Writer
from rosbags.typesys import Stores, get_typestore

from sim2real.calibration.columns import (
    Columns,
    CommandTopic,
    JointColumns,
    MeasuredTopic,
    Signal,
    Topics,
)
from sim2real.calibration.recipe import Recipe
from sim2real.robot import Robot
from sim2real.shipped import find_robot
from sim2real.trajectory import Trajectory

EPOCH = 1_700_000_000 * 10**9
QUANTITIES = ("position", "velocity", "command")
UNITS = {"position": "rad", "velocity": "rad/s", "command": "Nm"}
SENT = Signal(column="sent", unit="ns")
STATES, COMMANDS = "/joint_states", "/effort_controller/commands"

Write = Callable[[Trajectory, Path], tuple[Path, Columns | Topics]]


def stamps(log: Trajectory) -> np.ndarray:
    return log.time + EPOCH


def command_stamps(log: Trajectory) -> np.ndarray:
    return log.command_stamps + EPOCH


def flat(log: Trajectory) -> Columns:
    """Columns named `shoulder.position`, and `time`."""
    joints = {
        joint: JointColumns(**{q: Signal(column=f"{joint}.{q}", unit=UNITS[q]) for q in QUANTITIES})
        for joint in log.joints
    }
    own = Signal(column="sent", unit="us")
    return Columns(time=Signal(column="time", unit="s"), command_time=own, joints=joints)


def wide(log: Trajectory, names: dict[str, str], **more: Any) -> Columns:
    """Columns that hold all joints, in reverse order."""
    last = len(log.joints) - 1
    joints = {
        joint: JointColumns(
            **{q: Signal(column=names[q], unit=UNITS[q], index=last - i) for q in QUANTITIES}
        )
        for i, joint in enumerate(log.joints)
    }
    return Columns(time=Signal(column="time", unit="ns"), joints=joints, **more)


def reversed_columns(log: Trajectory, names: dict[str, str]) -> dict[str, np.ndarray]:
    return {names[q]: np.ascontiguousarray(getattr(log, q)[:, ::-1]) for q in QUANTITIES}


def write_csv(log: Trajectory, folder: Path) -> tuple[Path, Columns]:
    names = [f"{joint}.{q}" for q in QUANTITIES for joint in log.joints]
    values = np.hstack([getattr(log, q) for q in QUANTITIES])
    lines = [",".join(["note", "time", "sent", *names])]
    for stamp, sent, row in zip(stamps(log), command_stamps(log), values.tolist(), strict=True):
        times = [str(Decimal(int(stamp)).scaleb(-9)), str(Decimal(int(sent)).scaleb(-3))]
        lines.append(",".join(["x", *times, *map(repr, row)]))
    path = folder / "log.csv"
    path.write_text("\n".join(lines) + "\n")
    return path, flat(log)


def write_npz(log: Trajectory, folder: Path) -> tuple[Path, Columns]:
    names = {"position": "q", "velocity": "qd", "command": "tau"}
    columns = reversed_columns(log, names) | {"sent": command_stamps(log)}
    np.savez_compressed(folder / "log.npz", time=stamps(log), **columns)
    return folder / "log.npz", wide(log, names, command_time=SENT)


def write_hdf5(log: Trajectory, folder: Path) -> tuple[Path, Columns]:
    names = {"position": "observations/qpos", "velocity": "observations/qvel", "command": "action"}
    with h5py.File(folder / "log.hdf5", "w") as file:
        file.attrs["sim"] = False
        file["time"], file["sent"] = stamps(log), command_stamps(log)
        for name, values in reversed_columns(log, names).items():
            file[name] = values
    return folder / "log.hdf5", wide(log, names, command_time=SENT)


def write_json(log: Trajectory, folder: Path) -> tuple[Path, Columns]:
    names = {"position": "q", "velocity": "qd", "command": "tau"}
    columns = {name: values.tolist() for name, values in reversed_columns(log, names).items()}
    columns |= {"time": stamps(log).tolist(), "sent": command_stamps(log).tolist()}
    records = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    (folder / "log.json").write_text(json.dumps({"kp": 100, "entries": records}))
    return folder / "log.json", wide(log, names, command_time=SENT)


def write_lerobot(log: Trajectory, folder: Path, half: int | None = None) -> tuple[Path, Columns]:
    """Write episodes whose times begin at 0: one of `half` rows and the rest, or only one."""
    info = {"observation.state": {"names": [f"{joint}.pos" for joint in log.joints[::-1]]}}
    (folder / "meta").mkdir()
    (folder / "meta" / "info.json").write_text(json.dumps({"features": info}))
    path = folder / "data" / "chunk-000" / "file-000.parquet"
    path.parent.mkdir(parents=True)
    names = {"position": "observation.state", "velocity": "observation.velocity",
             "command": "action"}  # fmt: skip
    arrays = reversed_columns(log, names)
    second = len(log.time) - (half or 0)
    episodes = np.repeat([0, 1], [half or 0, second])
    begins = np.where(episodes == 0, log.time[0], log.time[half or 0])
    columns = {name: pa.array(list(values)) for name, values in arrays.items()} | {
        "time": pa.array((log.time - begins).astype(np.int64)),
        "episode_index": pa.array(episodes),
    }
    parquet.write_table(pa.table(columns), path, row_group_size=100)
    columns_of = wide(log, names, episode="episode_index")
    joints = {
        joint: replace(item, position=replace(item.position, index=f"{joint}.pos"))
        for joint, item in columns_of.joints.items()
    }
    return path, replace(columns_of, joints=joints)


def topics(log: Trajectory, **more: Any) -> Topics:
    return Topics(
        measured=MeasuredTopic(topic=STATES, position="rad", velocity="rad/s"),
        command=CommandTopic(topic=COMMANDS, unit="Nm", joints=log.driven[::-1]),
        names={joint: f"{joint}_joint" for joint in log.joints},
        **more,
    )


def messages(log: Trajectory, types: Any, header: Callable[[int], Any]) -> list[tuple]:
    """Return (topic, type, received, message) in the order of time."""
    state, array = types["sensor_msgs/msg/JointState"], types["std_msgs/msg/Float64MultiArray"]
    layout = types["std_msgs/msg/MultiArrayLayout"](dim=[], data_offset=0)
    names = [f"{joint}_joint" for joint in log.joints]
    found = []
    times = zip(stamps(log).tolist(), command_stamps(log).tolist(), strict=True)
    for i, (stamp, sent) in enumerate(times):
        order = np.random.default_rng(i).permutation(len(names))
        measured = state(
            header=header(stamp),
            name=[names[k] for k in order],
            position=log.position[i, order],
            velocity=log.velocity[i, order],
            effort=np.empty(0),
        )
        found.append((STATES, state.__msgtype__, stamp + 50_000, measured))
        command = array(layout=layout, data=np.ascontiguousarray(log.command[i, ::-1]))
        found.append((COMMANDS, array.__msgtype__, sent, command))
    return found


def ros2(log: Trajectory) -> tuple[Any, list[tuple]]:
    store = get_typestore(Stores.ROS2_HUMBLE)
    types = store.types

    def header(stamp: int) -> Any:
        time = types["builtin_interfaces/msg/Time"](sec=stamp // 10**9, nanosec=stamp % 10**9)
        return types["std_msgs/msg/Header"](stamp=time, frame_id="")

    return store, messages(log, types, header)


def write_mcap_cdr(log: Trajectory, folder: Path) -> tuple[Path, Topics]:
    store, rows = ros2(log)
    with (folder / "log.mcap").open("wb") as file:
        writer = McapWriter(file, chunk_size=20_000)
        writer.start("ros2", "a lab")
        channels = {}
        for topic, kind, received, message in rows:
            if topic not in channels:
                text = store.generate_msgdef(kind, ros_version=2)[0]
                schema = writer.register_schema(kind, "ros2msg", text.encode())
                channels[topic] = writer.register_channel(topic, "cdr", schema)
            data = bytes(store.serialize_cdr(message, kind))
            writer.add_message(channels[topic], received, data, received)
        writer.finish()
    return folder / "log.mcap", topics(log)


def write_mcap_json(log: Trajectory, folder: Path) -> tuple[Path, Topics]:
    _, rows = ros2(log)
    with (folder / "log.mcap").open("wb") as file:
        writer = McapWriter(file, chunk_size=20_000)
        writer.start("", "a lab")
        schema = writer.register_schema("any", "jsonschema", b"{}")
        channels = {
            topic: writer.register_channel(topic, "json", schema) for topic in (STATES, COMMANDS)
        }
        for topic, _, received, message in rows:
            writer.add_message(
                channels[topic], received, json.dumps(plain(message)).encode(), received
            )
        writer.finish()
    return folder / "log.mcap", topics(log)


def plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.tolist()
    if hasattr(value, "__dataclass_fields__"):
        return {name: plain(getattr(value, name)) for name in value.__dataclass_fields__
                if name != "__msgtype__"}  # fmt: skip
    return value


def write_rosbag2(plugin: StoragePlugin) -> Write:
    def write(log: Trajectory, folder: Path) -> tuple[Path, Topics]:
        store, rows = ros2(log)
        with Ros2Writer(folder / "bag", version=9, storage_plugin=plugin) as writer:
            connections = {
                topic: writer.add_connection(topic, kind, typestore=store)
                for topic, kind in {(row[0], row[1]) for row in rows}
            }
            for topic, kind, received, message in rows:
                writer.write(connections[topic], received, store.serialize_cdr(message, kind))
        return folder / "bag", topics(log)

    return write


def write_ros1(log: Trajectory, folder: Path) -> tuple[Path, Topics]:
    store = get_typestore(Stores.ROS1_NOETIC)
    types = store.types

    def header(stamp: int) -> Any:
        time = types["builtin_interfaces/msg/Time"](sec=stamp // 10**9, nanosec=stamp % 10**9)
        return types["std_msgs/msg/Header"](seq=0, stamp=time, frame_id="")

    rows = messages(log, types, header)
    with Ros1Writer(folder / "log.bag") as writer:
        connections = {
            topic: writer.add_connection(topic, kind, typestore=store)
            for topic, kind in {(row[0], row[1]) for row in rows}
        }
        for topic, kind, received, message in rows:
            writer.write(connections[topic], received, store.serialize_ros1(message, kind))
    return folder / "log.bag", topics(log)


WRITERS: dict[str, Write] = {
    "csv": write_csv,
    "npz": write_npz,
    "hdf5": write_hdf5,
    "json": write_json,
    "mcap-cdr": write_mcap_cdr,
    "mcap-json": write_mcap_json,
    "rosbag2-sqlite3": write_rosbag2(StoragePlugin.SQLITE3),
    "rosbag2-mcap": write_rosbag2(StoragePlugin.MCAP),
    "ros1": write_ros1,
}


@pytest.fixture(scope="session")
def writers() -> dict[str, Write]:
    return WRITERS


@pytest.fixture(scope="session")
def lerobot() -> Write:
    return write_lerobot


@pytest.fixture(scope="session")
def double_pendulum() -> Robot:
    return find_robot("double_pendulum")


@pytest.fixture
def rows(double_pendulum: Robot) -> Trajectory:
    """A log of two joints whose numbers have all their digits; commands follow measurements."""
    rng, count = np.random.default_rng(0), 300
    time = np.arange(count) * 2_000_000 + rng.integers(0, 100_000, count)
    time -= time[0]
    position, velocity, command = rng.standard_normal((3, count, 2))
    return Trajectory(
        joints=tuple(double_pendulum.joints),
        driven=double_pendulum.driven,
        time=time,
        position=position,
        velocity=velocity,
        command=command,
        command_time=time + rng.integers(1_000, 1_000_000, count),
        source="rows",
    )


@pytest.fixture
def recipe_of(recipe: Callable[..., Recipe]) -> Callable[..., Recipe]:
    """Return a recipe that reads a log so described."""

    def make(described: Columns | Topics, robot: str = "double_pendulum") -> Recipe:
        key = "columns" if isinstance(described, Columns) else "topics"
        return replace(recipe("body.bob.mass", **{key: described}), robot=robot)

    return make
