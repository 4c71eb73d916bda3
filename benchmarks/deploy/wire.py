"""How fast and how faithful is the way to the robot?

    python benchmarks/deploy/wire.py [--quick]

Messages of ROS 2 against rosbags and Cyclone DDS, byte by byte and in time; a round trip through
another vendor's DDS (`tests/deploy/drivers/fastdds`, Fast DDS in C++); how soon a second writer is
noticed, over DDS and over UDP; the seal of a datagram; one turn of a servo bus.
"""

import argparse
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from cyclonedds.domain import Domain, DomainParticipant
from cyclonedds.pub import DataWriter
from cyclonedds.qos import Policy, Qos
from cyclonedds.sub import DataReader
from cyclonedds.topic import Topic
from cyclonedds.util import duration
from rosbags.typesys import Stores, get_typestore

from sim2real import shipped
from sim2real.deploy.driver import connected
from sim2real.deploy.drivers import dds_types
from sim2real.deploy.drivers.dds import DdsDriver
from sim2real.deploy.drivers.dds_topics import LOOPBACK
from sim2real.deploy.drivers.ros2_messages import (
    ArrayEncoder,
    JointStateDecoder,
    JointStateEncoder,
    decode_imu,
)
from sim2real.deploy.drivers.udp import UdpDriver
from sim2real.deploy.robot_side.packets import Kind, Packet
from sim2real.deploy.robot_side.udp_robot import UdpRobot
from sim2real.errors import LinkError
from sim2real.signals import Measured

sys.path.insert(0, str(Path(__file__).parents[1]))
import _result

ROOT = Path(__file__).parents[2]
FASTDDS = ROOT / "tests" / "deploy" / "drivers" / "fastdds"
JOINTS = tuple(f"{leg}_{joint}_joint" for leg in ("FL", "FR", "RL", "RR") for joint in "abc")
STORE = get_typestore(Stores.ROS2_HUMBLE)
TARGETS = {"encode_and_decode_us": 10, "echo_lost": 0, "second_writer_ms": 100}


def main() -> None:
    """Measure; write results/wire.json."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a smoke test")
    quick = parser.parse_args().quick
    program = subprocess.run(
        [FASTDDS / "build.sh", ROOT / "build" / "fastdds"],
        capture_output=True, text=True, check=True,
    ).stdout.strip()  # fmt: skip
    results: dict[str, Any] = {
        "bytes": same_bytes(50 if quick else 1000),
        "microseconds": times(200 if quick else 20_000),
        "echo": [echo(program, hz, 500 if quick else 10_000, 60 + hz // 100) for hz in (200, 500)],
        "second_writer_ms": {
            "dds": dds_rivals(program, 2 if quick else 20),
            "udp": udp_rivals(2 if quick else 20),
        },
    }
    settings = {"quick": quick, "joints": len(JOINTS), "targets": TARGETS}
    print(_result.save("wire", settings=settings, results=results))
    for name, value in results.items():
        print(name, value)


def same_bytes(count: int) -> dict[str, int]:
    """Return how many messages were compared, and how many differ."""
    rng, encoder, differing = np.random.default_rng(0), JointStateEncoder(JOINTS, "base"), 0
    decoder = JointStateDecoder(JOINTS)
    for _ in range(count):
        position, velocity, imu = rng.normal(size=(3, len(JOINTS)))
        stamp = int(rng.integers(1, 2**61))
        stamp %= 2**31 * 10**9
        theirs = rosbags_joint_state(stamp, position, velocity)
        read = decoder.decode(theirs)
        inertial = decode_imu(rosbags_imu(stamp, imu))
        differing += encoder.encode(stamp, position, velocity) != theirs
        differing += not (
            np.array_equal(read.position, position)
            and np.array_equal(read.velocity, velocity)
            and read.stamp == inertial.stamp == stamp
            and np.array_equal(inertial.orientation, imu[[3, 0, 1, 2]])
            and np.array_equal(inertial.angular_velocity, imu[4:7])
        )
    return {"compared": count, "differing": differing}


def _header(stamp: int) -> Any:
    seconds, nanoseconds = divmod(stamp, 10**9)
    time_ = STORE.types["builtin_interfaces/msg/Time"](sec=seconds, nanosec=nanoseconds)
    return STORE.types["std_msgs/msg/Header"](stamp=time_, frame_id="base")


def _joint_state(stamp: int, position: Any, velocity: Any) -> Any:
    return STORE.types["sensor_msgs/msg/JointState"](
        header=_header(stamp), name=list(JOINTS), position=position, velocity=velocity,
        effort=np.zeros(0))  # fmt: skip


def rosbags_joint_state(stamp: int, position: Any, velocity: Any) -> bytes:
    """Return a JointState as rosbags writes it."""
    message = _joint_state(stamp, position, velocity)
    return bytes(STORE.serialize_cdr(message, "sensor_msgs/msg/JointState"))


def rosbags_imu(stamp: int, numbers: Any) -> bytes:
    """Return an Imu as rosbags writes it: orientation x y z w, then angular velocity."""
    vector, quaternion = (STORE.types[f"geometry_msgs/msg/{n}"] for n in ("Vector3", "Quaternion"))
    x, y, z, w, *rate = numbers[:7].tolist()
    message = STORE.types["sensor_msgs/msg/Imu"](
        header=_header(stamp),
        orientation=quaternion(x=x, y=y, z=z, w=w),
        orientation_covariance=np.ones(9),
        angular_velocity=vector(**dict(zip("xyz", rate, strict=True))),
        angular_velocity_covariance=np.ones(9),
        linear_acceleration=vector(x=0.0, y=0.0, z=9.81),
        linear_acceleration_covariance=np.ones(9),
    )
    return bytes(STORE.serialize_cdr(message, "sensor_msgs/msg/Imu"))


def times(count: int) -> dict[str, float]:
    """Return the median times of what is done with each message [us]."""
    position = velocity = np.linspace(-1, 1, len(JOINTS))
    state, array, decoder = JointStateEncoder(JOINTS), ArrayEncoder(12), JointStateDecoder(JOINTS)
    data = state.encode(7, position, velocity)
    imu = rosbags_imu(7, np.ones(12))
    message = _joint_state(7, position, velocity)
    packet = Packet(kind=Kind.COMMAND, robot=bytes(8), session=1, seq=1, values=(0.5,) * 13)
    key = b"k" * 32
    plain, sealed = packet.encode(), packet.encode(key)
    kind = "sensor_msgs/msg/JointState"
    work: dict[str, Callable[[], object]] = {
        "encode_joint_state": lambda: state.encode(7, position, velocity),
        "encode_array": lambda: array.encode(position),
        "decode_joint_state": lambda: decoder.decode(data),
        "decode_imu": lambda: decode_imu(imu),
        "rosbags_encode_joint_state": lambda: STORE.serialize_cdr(message, kind),
        "rosbags_decode_joint_state": lambda: STORE.deserialize_cdr(data, kind),
        "datagram_encode": packet.encode,
        "datagram_decode": lambda: Packet.decode(plain),
        "datagram_encode_with_key": lambda: packet.encode(key),
        "datagram_decode_with_key": lambda: Packet.decode(sealed, key),
    }
    return {name: _median(function, count) for name, function in work.items()}


def _median(function: Callable[[], object], count: int) -> float:
    taken = []
    for _ in range(count):
        start = time.perf_counter_ns()
        function()
        taken.append(time.perf_counter_ns() - start)
    return statistics.median(taken) * 1e-3


def echo(program: str, hz: int, count: int, domain: int) -> dict[str, Any]:
    """Return what of `count` messages came back from Fast DDS, and how long it took [us]."""
    with subprocess.Popen(
        [program, str(domain), str(hz), "echo"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        process.stdout.readline()
        joined = Domain(domain, LOOPBACK)
        participant = DomainParticipant(domain)
        qos = Qos(Policy.Reliability.Reliable(duration(seconds=1)), Policy.History.KeepAll)
        state = dds_types.JointState
        writer = DataWriter(participant, Topic(participant, "rt/echo/in", state), qos)
        reader = DataReader(participant, Topic(participant, "rt/echo/out", state), qos)
        while not (writer.get_matched_subscriptions() and reader.get_matched_publications()):
            time.sleep(0.01)
        taken = _round_trips(writer, reader, hz, count)
        process.stdin.close()
        del reader, writer, participant, joined
    p50, p99 = np.percentile(taken, [50, 99]) if taken else (np.nan, np.nan)
    return {"hz": hz, "sent": count, "lost": count - len(taken), "p50_us": float(p50),
            "p99_us": float(p99), "largest_us": max(taken)}  # fmt: skip


def _round_trips(writer: Any, reader: Any, hz: int, count: int) -> list[float]:
    """Return how long each message took that came back whole [us]."""
    encoder, decoder = JointStateEncoder(JOINTS), JointStateDecoder(JOINTS)
    taken: list[float] = []

    def take() -> None:
        for message in reader.take(64):
            now, joints = time.monotonic_ns(), decoder.decode(message.content)
            if joints.position[0] == joints.velocity[-1]:  # whole
                taken.append((now - joints.stamp) * 1e-3)

    start, zero = time.monotonic_ns(), np.zeros(len(JOINTS))
    for index in range(count):
        due = start + index * 10**9 // hz
        while (now := time.monotonic_ns()) < due:
            take()
            time.sleep(min(1e-4, (due - now) * 1e-9))
        row = zero + index
        writer.write(dds_types.JointState.of(encoder.encode(time.monotonic_ns(), row, row)))
    end = time.monotonic() + 5
    while len(taken) < count and time.monotonic() < end:
        take()
        time.sleep(1e-4)
    return taken


def dds_rivals(program: str, count: int) -> dict[str, float]:
    """Return how soon a driver notices that somebody else publishes commands [ms]."""
    robot, domain, taken = shipped.find_robot("so101"), 90, []
    with subprocess.Popen(
        [program, str(domain), "200", "array", *robot.joints],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdin is not None
        process.stdout.readline()
        for _ in range(count):
            with connected(DdsDriver(robot, domain=domain, network=LOOPBACK)) as driver:
                taken.append(_rival_noticed(driver, domain))
        process.stdin.close()
    return _summary(taken)


def _rival_noticed(driver: DdsDriver, domain: int) -> float:
    rival = subprocess.Popen([sys.executable, "-c", RIVAL, str(domain)], stdout=subprocess.PIPE)
    try:
        assert rival.stdout is not None
        began = 0

        def listen() -> None:
            nonlocal began
            assert rival.stdout is not None
            began = int(rival.stdout.readline())

        thread = threading.Thread(target=listen)
        thread.start()
        while True:
            driver.read()
            time.sleep(1e-3)
    except LinkError:
        noticed = time.monotonic_ns()
        thread.join()
        return (noticed - began) * 1e-6
    finally:
        rival.kill()
        rival.wait()


RIVAL = """
import sys, time
from cyclonedds.domain import Domain, DomainParticipant
from cyclonedds.pub import DataWriter
from cyclonedds.topic import Topic
from sim2real.deploy.drivers import dds_types
from sim2real.deploy.drivers.dds_topics import LOOPBACK
domain = int(sys.argv[1])
joined = Domain(domain, LOOPBACK)
participant = DomainParticipant(domain)
topic = Topic(participant, "rt/forward_command_controller/commands", dds_types.Float64MultiArray)
time.sleep(0.5)
print(time.monotonic_ns(), flush=True)
writer = DataWriter(participant, topic)
time.sleep(60)
"""


def udp_rivals(count: int) -> dict[str, float]:
    """Return how soon a second client of a robot is refused [ms]."""
    robot, taken, ended = shipped.find_robot("pendulum"), [], threading.Event()
    still = Measured(position=np.zeros(1), velocity=np.zeros(1))
    with UdpRobot(robot, "127.0.0.1:0") as side:

        def turn() -> None:
            while not ended.wait(0.002):
                side.exchange(time.monotonic_ns(), still)

        thread = threading.Thread(target=turn)
        thread.start()
        with connected(UdpDriver(robot, side.address)) as first:
            for _ in range(count):
                first.read(), first.stop()
                taken.append(_refused(UdpDriver(robot, side.address)))
        ended.set()
        thread.join()
    return _summary(taken)


def _refused(second: UdpDriver) -> float:
    """Return how long it takes until a second client is refused [ms]."""
    start = time.monotonic_ns()
    try:
        second.open()
    except LinkError:
        return (time.monotonic_ns() - start) * 1e-6
    raise AssertionError("two clients command one robot")


def _summary(taken: list[float]) -> dict[str, float]:
    return {"trials": len(taken), "median": statistics.median(taken), "largest": max(taken)}


if __name__ == "__main__":
    main()
