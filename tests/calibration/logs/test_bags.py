"""What labs put into bags: broken files, other joints, messages of other kinds, two clocks."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from mcap.writer import Writer
from rosbags.rosbag2 import StoragePlugin
from rosbags.rosbag2 import Writer as Ros2Writer

from sim2real.calibration.columns import CommandTopic, MeasuredTopic, Topics
from sim2real.calibration.logs.read import read_rows
from sim2real.errors import ConfigError, LogError

NAMES = ["shoulder", "elbow"]
TOPICS = Topics(
    measured=MeasuredTopic(topic="/state", position="rad", velocity="rad/s", effort="Nm"),
    command=CommandTopic(topic="/command", unit="Nm", joints=("shoulder", "elbow")),
)


def state(i: int, **changes) -> dict:
    header = {"stamp": {"sec": 100, "nanosec": 1_000_000 * i}}
    numbers = {"position": [0.1 * i, 0.2 * i], "velocity": [0.1, 0.2], "effort": [1.0, 2.0]}
    return {"header": header, "name": NAMES, **numbers} | changes


@pytest.fixture
def bag(tmp_path: Path):
    """Write JSON messages (topic, received, content); return the file."""

    def write(messages: list[tuple[str, int, dict]], **chunks) -> Path:
        path = tmp_path / "log.mcap"
        with path.open("wb") as file:
            writer = Writer(file, **chunks)
            writer.start()
            schema = writer.register_schema("any", "jsonschema", b"{}")
            channels: dict[str, int] = {}
            for topic, received, content in messages:
                if topic not in channels:
                    channels[topic] = writer.register_channel(topic, "json", schema)
                writer.add_message(
                    channels[topic], received, json.dumps(content).encode(), received
                )
            writer.finish()
        return path

    return write


def json_rows(count=50, orders=None, **changes):
    """Return alternating states and commands, 1 ms apart."""
    found = []
    for i in range(count):
        received = 100 * 10**9 + 1_000_000 * i + 20_000
        found.append(("/state", received, state(i, **changes)))
        found.append(
            ("/command", received + 5, {"data": [0.01 * i, 0.0]} if orders is None else orders(i))
        )
    return found


@pytest.fixture
def read(recipe_of, double_pendulum):
    return lambda path, topics=TOPICS: read_rows(path, recipe_of(topics), double_pendulum)


def test_effort_is_the_measured_torque(bag, read):
    log = read(bag(json_rows()))
    np.testing.assert_array_equal(log.torque, np.tile([1.0, 2.0], (50, 1)))


def test_an_effort_that_is_left_empty_is_told(bag, read):
    with pytest.raises(LogError, match=r"0 numbers as 'effort', for 2 joints"):
        read(bag(json_rows(effort=[])))


def test_units_are_converted_and_required(bag, read):
    degrees = replace(TOPICS.measured, position="deg", velocity="deg/s")
    log = read(bag(json_rows()), replace(TOPICS, measured=degrees))
    assert log.position[10, 0] == pytest.approx(np.radians(1.0))
    with pytest.raises(ConfigError, match="'degrees'; did you mean 'deg'"):
        MeasuredTopic(topic="/state", position="degrees")
    with pytest.raises(ConfigError, match="no unit of angle or length"):
        MeasuredTopic(topic="/state", position="Nm")


def test_commands_as_joint_states_go_by_name(bag, read):
    order = {"name": NAMES[::-1], "effort": [7.0, 3.0]}
    log = read(bag(json_rows(orders=lambda i: order)))
    np.testing.assert_array_equal(log.command[0], [3.0, 7.0])


def test_a_trajectory_of_one_point_a_message_is_a_command(bag, read):
    order = {"joint_names": NAMES[::-1], "points": [{"positions": [], "effort": [7.0, 3.0]}]}
    log = read(bag(json_rows(orders=lambda i: order)))
    np.testing.assert_array_equal(log.command[0], [3.0, 7.0])


def test_a_trajectory_of_several_points_is_refused(bag, read):
    order = {"joint_names": NAMES, "points": [{"effort": [0, 0]}] * 2}
    with pytest.raises(LogError, match=r"of 2 points.*controller's reference"):
        read(bag(json_rows(orders=lambda i: order)))


def test_numbers_without_names_need_them_in_the_recipe(bag, read):
    with pytest.raises(LogError, match=r"topics\.command\.joints"):
        read(bag(json_rows()), replace(TOPICS, command=CommandTopic(topic="/command", unit="Nm")))


def test_another_publisher_on_the_topic_is_passed_over(bag, read):
    gripper = ("/state", 100 * 10**9 + 700_000, state(0, name=["finger"], position=[1.0]))
    log = read(bag([*json_rows(20), gripper, *json_rows(50)[40:]]))
    assert log.position[-1, 0] == pytest.approx(4.9)


@pytest.mark.parametrize("name", [["base", "arm"], ["shoulder", "wrist"]])
def test_a_log_of_other_joints_is_refused_with_their_names(bag, read, name):
    with pytest.raises(LogError, match=r"have no joint '(shoulder|elbow)'.*known: .*topics.names"):
        read(bag(json_rows(name=name)))


def test_a_topic_that_is_not_there_names_the_near_one(bag, read):
    measured = replace(TOPICS.measured, topic="/states")
    with pytest.raises(LogError, match=r"no topic '/states'; did you mean '/state'"):
        read(bag(json_rows()), replace(TOPICS, measured=measured))


def test_an_empty_bag_is_refused(bag, read, tmp_path):
    with pytest.raises(LogError, match="an empty bag"):
        read(bag([]))
    for plugin in StoragePlugin:
        with Ros2Writer(tmp_path / plugin.name, version=9, storage_plugin=plugin):
            pass
        with pytest.raises(LogError, match=r"an empty bag|no type definitions"):
            read(tmp_path / plugin.name)


@pytest.mark.parametrize("name", ["mcap-cdr", "mcap-json"])
@pytest.mark.parametrize("share", [0.4, 0.8, 0.99])
def test_a_truncated_mcap_is_read_up_to_its_last_complete_record(
    name, share, writers, rows, tmp_path, recipe_of, double_pendulum
):
    path, described = writers[name](rows, tmp_path)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    log = read_rows(path, recipe_of(described), double_pendulum)
    n = len(log.time)
    assert 2 <= n <= len(rows.time)
    np.testing.assert_array_equal(log.position, rows.position[:n])


def test_unchunked_records_are_read_to_the_last_one(bag, read):
    path = bag(json_rows(), use_chunking=False)
    whole = path.read_bytes()
    cut = whole.index(b'"data": [0.3, 0.0]')  # within the command of row 30
    path.write_bytes(whole[:cut])
    log = read(path)
    assert (len(log.time), len(log.command)) == (31, 30)


def arriving(delays: np.ndarray):
    """Return the states and commands with delays [ns], in the order in which they arrive."""
    messages = json_rows(len(delays) // 2)
    received = np.maximum.accumulate([row[1] for row in messages] + delays)
    received += np.arange(len(received))  # no two at once
    return [(t, r, c) for (t, _, c), r in zip(messages, received.tolist(), strict=True)]


def test_headers_that_drift_from_the_recorders_clock_are_told(bag, read):
    late = np.linspace(0, 20e6, 2000).astype(np.int64)  # 20 ms over a second
    with pytest.raises(LogError, match=r'clock drift.*-18\.\d ms.*clock = "received"'):
        read(bag(arriving(late)))
    received = replace(TOPICS, clock="received")
    assert len(read(bag(arriving(late)), received).time) == 1000


def test_a_busy_network_is_no_drift(bag, read):
    late = np.random.default_rng(0).exponential(2e6, 2000).astype(np.int64)
    assert len(read(bag(arriving(late))).time) == 1000


def test_a_bag_whose_index_is_lost_is_read_from_its_storage(
    writers, rows, tmp_path, recipe_of, double_pendulum
):
    path, described = writers["rosbag2-mcap"](rows, tmp_path)
    (path / "metadata.yaml").unlink()  # the recorder was killed before it wrote it
    assert len(read_rows(path, recipe_of(described), double_pendulum).time) == len(rows.time)
