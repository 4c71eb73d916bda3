"""Bytes equal to those of rosbags' serialization, in both directions."""

import contextlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sim2real.deploy.drivers.cdr import CdrReader
from sim2real.deploy.drivers.ros2_messages import (
    ArrayEncoder,
    ImuEncoder,
    JointStateDecoder,
    JointStateEncoder,
    TrajectoryEncoder,
    decode_array,
    decode_imu,
)
from sim2real.errors import LinkError

typesys = pytest.importorskip("rosbags.typesys")
STORE = typesys.get_typestore(typesys.Stores.ROS2_HUMBLE)
NUMBERS = st.floats(allow_nan=False, width=64)
NAMES = st.lists(st.text(st.characters(codec="ascii"), min_size=1, max_size=9).filter(
    lambda name: "\0" not in name), min_size=1, max_size=8, unique=True)  # fmt: skip
STAMPS = st.integers(1, (1 << 31) * 10**9 - 1)


def make(kind, **members):
    return STORE.types[kind](**members)


def header(stamp=1, frame=""):
    seconds, nanoseconds = divmod(stamp, 10**9)
    time = make("builtin_interfaces/msg/Time", sec=seconds, nanosec=nanoseconds)
    return make("std_msgs/msg/Header", stamp=time, frame_id=frame)


def joint_state(names, position, velocity, *, stamp=1, frame="", effort=(), little=True):
    kind = "sensor_msgs/msg/JointState"
    message = make(
        kind, header=header(stamp, frame), name=list(names),
        position=np.array(position, float), velocity=np.array(velocity, float),
        effort=np.array(effort, float))  # fmt: skip
    return bytes(STORE.serialize_cdr(message, kind, little_endian=little))


@given(NAMES, STAMPS, st.data())
def test_a_joint_state_has_the_bytes_of_rosbags(names, stamp, data):
    position, velocity = (data.draw(arrays(float, len(names), elements=NUMBERS)) for _ in "pv")
    frame = data.draw(st.text(st.characters(codec="ascii"), max_size=5).filter(str.isprintable))
    encoder = JointStateEncoder(tuple(names), frame)
    expected = joint_state(names, position, velocity, stamp=stamp, frame=frame)
    assert encoder.encode(stamp, position, velocity) == expected


@given(NAMES, STAMPS, st.data())
def test_a_joint_state_with_efforts_has_the_bytes_of_rosbags(names, stamp, data):
    rows = [data.draw(arrays(float, len(names), elements=NUMBERS)) for _ in "pve"]
    expected = joint_state(names, *rows[:2], stamp=stamp, effort=rows[2])
    assert JointStateEncoder(tuple(names), efforts=True).encode(stamp, *rows) == expected


@given(STAMPS, arrays(float, 4, elements=NUMBERS), arrays(float, 3, elements=NUMBERS))
def test_an_imu_has_the_bytes_of_rosbags(stamp, orientation, turning):
    kind, none = "sensor_msgs/msg/Imu", np.zeros(9)
    vector, quaternion = "geometry_msgs/msg/Vector3", "geometry_msgs/msg/Quaternion"
    message = make(
        kind, header=header(stamp, "base"),
        orientation=make(quaternion, **dict(zip("wxyz", orientation.tolist(), strict=True))),
        orientation_covariance=none,
        angular_velocity=make(vector, **dict(zip("xyz", turning.tolist(), strict=True))),
        angular_velocity_covariance=none, linear_acceleration=make(vector, x=0.0, y=0.0, z=0.0),
        linear_acceleration_covariance=np.array([-1.0] + [0.0] * 8))  # fmt: skip
    expected = bytes(STORE.serialize_cdr(message, kind))
    assert ImuEncoder("base").encode(stamp, orientation, turning) == expected
    np.testing.assert_array_equal(decode_imu(expected).orientation, orientation)


@given(arrays(float, st.integers(0, 20), elements=NUMBERS))
def test_an_array_has_the_bytes_of_rosbags(values):
    layout = make("std_msgs/msg/MultiArrayLayout", dim=[], data_offset=0)
    kind = "std_msgs/msg/Float64MultiArray"
    expected = bytes(STORE.serialize_cdr(make(kind, layout=layout, data=values), kind))
    assert ArrayEncoder(len(values)).encode(values) == expected
    np.testing.assert_array_equal(decode_array(expected), values)


@given(NAMES, st.data(), st.floats(0, 1000))
def test_a_trajectory_has_the_bytes_of_rosbags(names, data, seconds):
    values = data.draw(arrays(float, len(names), elements=NUMBERS))
    sec, nanosec = divmod(round(seconds * 1e9), 10**9)
    duration = make("builtin_interfaces/msg/Duration", sec=sec, nanosec=nanosec)
    none = np.zeros(0)
    point = make("trajectory_msgs/msg/JointTrajectoryPoint", positions=values, velocities=none,
                 accelerations=none, effort=none, time_from_start=duration)  # fmt: skip
    kind = "trajectory_msgs/msg/JointTrajectory"
    message = make(kind, header=header(0), joint_names=list(names), points=[point])
    expected = bytes(STORE.serialize_cdr(message, kind))
    assert TrajectoryEncoder(tuple(names), seconds).encode(values) == expected


@given(NAMES, st.data(), st.booleans())
def test_joints_are_taken_by_name_whatever_their_order(names, data, little):
    count = len(names)
    position, velocity = (data.draw(arrays(float, count, elements=NUMBERS)) for _ in "pv")
    message = joint_state(names, position, velocity, stamp=5_000_000_007, effort=position,
                          little=little)  # fmt: skip
    wanted = data.draw(st.lists(st.sampled_from(names), min_size=1, unique=True))
    decoder = JointStateDecoder(tuple(wanted))
    order = [names.index(name) for name in wanted]
    for _ in range(2):  # the names are read, and then known
        joints = decoder.decode(message)
        assert joints.stamp == 5_000_000_007
        np.testing.assert_array_equal(joints.position, position[order])
        np.testing.assert_array_equal(joints.velocity, velocity[order])


def test_joints_that_change_their_places_are_followed():
    decoder = JointStateDecoder(("a", "b"))
    assert decoder.decode(joint_state("abc", [1, 2, 3], [0, 0, 0])).position.tolist() == [1, 2]
    assert decoder.decode(joint_state("cba", [1, 2, 3], [0, 0, 0])).position.tolist() == [3, 2]
    assert decoder.decode(joint_state("ba", [1, 2], [0, 0])).position.tolist() == [2, 1]


def test_an_imu_is_read_with_w_first():
    vector = make("geometry_msgs/msg/Vector3", x=1.0, y=2.0, z=3.0)
    orientation = make("geometry_msgs/msg/Quaternion", x=0.1, y=0.2, z=0.3, w=0.9)
    kind = "sensor_msgs/msg/Imu"
    message = make(
        kind, header=header(3, "imu_link"), orientation=orientation,
        orientation_covariance=np.full(9, 7.0), angular_velocity=vector,
        angular_velocity_covariance=np.full(9, 8.0), linear_acceleration=vector,
        linear_acceleration_covariance=np.full(9, 9.0))  # fmt: skip
    imu = decode_imu(bytes(STORE.serialize_cdr(message, kind)))
    assert imu.stamp == 3
    assert imu.orientation.tolist() == [0.9, 0.1, 0.2, 0.3]
    assert imu.angular_velocity.tolist() == [1.0, 2.0, 3.0]


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (joint_state("ac", [1, 2], [1, 2]), "'b' is in the JointState 0 times"),
        (joint_state("abb", [1, 2, 3], [1, 2, 3]), "'b' is in the JointState 2 times"),
        (joint_state("ab", [1, 2], []), "each joint needs both"),
        (joint_state("ab", [1, 2, 3], [1, 2, 3]), "each joint needs both"),
        (joint_state("ab", [1, 2], [1, 2], stamp=0), "stamp is 0"),
        (joint_state("ab", [1, 2], [1, 2])[:60], "ends before"),
        (b"\0\7\0\0" + bytes(40), "not plain CDR"),
        (b"\0\1\0\0" + b"\1" * 8 + b"\xff" * 8, "ends before"),
        (b"", "not plain CDR"),
    ],
)
def test_a_message_that_tells_less_than_the_robot_needs_is_refused(message, reason):
    with pytest.raises(LinkError, match=reason):
        JointStateDecoder(("a", "b")).decode(message)


def test_a_message_that_claims_a_billion_names_is_refused_before_anything_is_made():
    message = bytearray(joint_state("ab", [1, 2], [1, 2]))
    message[20:24] = (1 << 30).to_bytes(4, "little")
    with pytest.raises(LinkError, match="cannot hold 1073741824 texts"):
        JointStateDecoder(("a", "b")).decode(bytes(message))


@given(st.binary(max_size=200), st.sampled_from(["joints", "imu", "array"]))
def test_no_bytes_do_more_than_be_refused(data, kind):
    decode = {"joints": JointStateDecoder(("a",)).decode, "imu": decode_imu,
              "array": decode_array}[kind]  # fmt: skip
    for message in (data, b"\0\1\0\0" + data, b"\0\0\0\0" + data):
        with contextlib.suppress(LinkError):
            decode(message)


def test_a_reader_stops_at_the_end():
    reader = CdrReader(b"\0\1\0\0" + bytes(8))
    reader.numbers(1)
    with pytest.raises(LinkError, match="ends before"):
        reader.integers(1)
