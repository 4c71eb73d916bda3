"""Does any input make a parser crash, hang or eat memory?

    python benchmarks/deploy/fuzz.py [--quick] [--count 1000000] [--only udp]

Each input is a good one with damage (bits, cuts, stretches that are doubled, moved or random, large
numbers in the place of lengths), or random bytes. Half of those with a checksum are given a right
one again, so that what is behind it is reached. Whatever a parser refuses, it has to refuse with an
error of this package. An input may take 2 s, and the process 512 MiB more than at the start.
"""

import argparse
import io
import json
import random
import resource
import signal
import struct
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from sim2real import shipped
from sim2real.deploy import seal
from sim2real.deploy.drivers.feetech import Bus, FeetechDriver
from sim2real.deploy.drivers.ros2_messages import (
    JointStateDecoder,
    JointStateEncoder,
    decode_array,
    decode_imu,
    text_message,
)
from sim2real.deploy.recording import STEPS, read_recording
from sim2real.deploy.robot_side.packets import Kind, Packet, robot_id
from sim2real.deploy.robot_side.udp_robot import UdpRobot
from sim2real.deploy.spec import ControllerSpec
from sim2real.errors import Sim2RealError
from sim2real.robot import Robot
from sim2real.signals import Measured

sys.path.insert(0, str(Path(__file__).parents[1]))
import _result

ROBOT = shipped.find_robot("so101")
JOINTS = tuple(ROBOT.joints)
SECONDS, MEMORY = 2.0, 512 << 20
LENGTHS = (b"\xff", b"\0", b"\x7f", b"\xff\xff\xff\xff", b"\0\0\0\x80", b"\xff" * 7 + b"\x7f")

Target = tuple[list[bytes], Callable[[bytes], None], Callable[[bytes], bytes] | None]
"""Good inputs, what takes one, and what makes its checksum right again."""


class TooLong(BaseException):
    """An input took too long; no parser may catch it."""


def main() -> None:
    """Fuzz each parser; write results/fuzz.json."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="few inputs: a smoke test")
    parser.add_argument("--count", type=int, default=1_000_000, help="inputs for each parser")
    parser.add_argument("--only", choices=TARGETS, help="one parser")
    chosen = parser.parse_args()
    count = 1000 if chosen.quick else chosen.count
    resource.setrlimit(resource.RLIMIT_AS, (_address_space() + (4 << 30),) * 2)
    names = [chosen.only] if chosen.only else list(TARGETS)
    settings = {"quick": chosen.quick, "seed": 0,
                "targets": {"crashes": 0, "hangs": 0, "inputs": 1_000_000}}  # fmt: skip
    results = _result.previous("fuzz") if chosen.only and not chosen.quick else {}
    for name in names:
        results[name] = fuzz(TARGETS[name](), count, seed=0)
        print(name, results[name])
        print(_result.save("fuzz", settings=settings, results=results), flush=True)


def fuzz(target: Target, count: int, seed: int) -> dict[str, Any]:
    """Return what became of `count` inputs."""
    corpus, take, mend = target
    rng = random.Random(seed)
    done: dict[str, Any] = {"inputs": count, "taken": 0, "refused": 0, "crashes": 0, "hangs": 0}
    before, start = _peak(), time.perf_counter()
    for data in inputs(rng, corpus, mend, count):
        try:
            with limit(SECONDS):
                take(data)
            done["taken"] += 1
        except Sim2RealError:
            done["refused"] += 1
        except TooLong:
            done["hangs"] += 1
            done.setdefault("first", data[:200].hex())
        except Exception as error:
            done["crashes"] += 1
            done.setdefault("first", f"{error!r}: {data[:200].hex()}")
    done["seconds"] = time.perf_counter() - start
    done["grown_bytes"] = _peak() - before
    done["memory_bounded"] = done["grown_bytes"] <= MEMORY
    return done


def inputs(rng: random.Random, corpus: list[bytes], mend: Any, count: int) -> Iterator[bytes]:
    """Yield damaged inputs."""
    for _ in range(count):
        data = bytearray(rng.choice(corpus))
        for _ in range(rng.choice((0, 1, 1, 1, 2, 4, 16))):
            damage(rng, data, corpus)
        yield mend(bytes(data)) if mend and rng.random() < 0.5 else bytes(data)


def damage(rng: random.Random, data: bytearray, corpus: list[bytes]) -> None:
    """Damage in one way or another."""
    size = len(data)
    at, until = sorted((rng.randrange(size + 1), rng.randrange(size + 1)))
    kind = rng.randrange(8)
    if kind == 0 and size:
        data[at % size] ^= 1 << rng.randrange(8)
    elif kind == 1:
        del data[at:]
    elif kind == 2:
        del data[at : min(until, at + 16)]
    elif kind == 3:
        data[at:at] = data[at : min(until, at + 64)]
    elif kind == 4:
        data[at : at + rng.randrange(16)] = rng.randbytes(rng.randrange(16))
    elif kind == 5:
        value = rng.choice(LENGTHS)
        data[at : at + len(value)] = value
    elif kind == 6:
        other = rng.choice(corpus)
        data[at:] = other[rng.randrange(len(other) + 1) :]
    elif kind == 7 and rng.random() < 0.05:
        data[:] = rng.randbytes(rng.randrange(300))


class limit:  # noqa: N801 - a context manager
    """Raise TooLong in whatever takes longer."""

    def __init__(self, seconds: float):
        self.seconds = seconds

    def __enter__(self) -> None:
        signal.signal(signal.SIGALRM, _too_long)
        signal.setitimer(signal.ITIMER_REAL, self.seconds)

    def __exit__(self, *_: object) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0.0)


def _too_long(*_: object) -> None:
    raise TooLong


def udp() -> Target:
    """The robot's end of a link: every datagram, and the command that follows."""
    side, client = UdpRobot(ROBOT), ("127.0.0.1", 1)
    side._socket = _Nowhere()  # type: ignore[assignment]
    n, m = len(ROBOT.driven), len(JOINTS)
    measured = Measured(position=np.zeros(m), velocity=np.zeros(m))
    now = 0

    def take(data: bytes) -> None:
        nonlocal now
        now += 1_000_000
        side._challenge = 0  # the robot draws one that no input can know
        if (packet := Packet.decode(data)) is not None:
            side._take(packet, client, now)
        if not np.isfinite(side._lease.act(now, measured)).all():
            raise AssertionError("a command that is not finite")

    identity = robot_id(ROBOT)
    corpus = [
        Packet(kind=kind, robot=identity, session=3, seq=seq, time=10**9, values=values).encode()
        for kind in Kind
        for seq in (1, 7, 1 << 40)
        for values in ((), (0.0,), (0.5,) * (n + 1), (0.1,) * 2 * m)
    ]
    return corpus, take, lambda data: data[:-4] + struct.pack("<I", zlib.crc32(data[:-4]))


class _Nowhere:
    """A socket that sends to nobody."""

    def sendto(self, *_: object) -> None:
        """Do nothing."""


def cdr() -> Target:
    """ROS 2's messages."""
    decoder = JointStateDecoder(JOINTS)
    states = [JointStateEncoder(names, "base").encode(10**9 + 7, [0.5] * len(names),
                                                      [0.1] * len(names))
              for names in (JOINTS, (*JOINTS, "camera"), JOINTS[:2])]  # fmt: skip
    imu = b"\0\1\0\0" + struct.pack("<iII8s", 1, 2, 4, b"imu\0") + struct.pack("<37d", *[0.5] * 37)
    array = b"\0\1\0\0" + struct.pack("<IIIdd", 0, 0, 2, 0.5, 0.5)
    turn = 0

    def take(data: bytes) -> None:
        nonlocal turn
        turn += 1
        (decoder.decode, decode_imu, decode_array)[turn % 3](data)

    return [*states, imu, array], take, None


def serial() -> Target:
    """The answers of servos, through the driver."""
    bus = Bus.load(ROBOT.folder / "feetech.toml")
    driver = FeetechDriver(ROBOT, "", bus)
    driver._serial = port = _Port()
    answers = b"".join(
        _status(servo.id, struct.pack("<HHHBB", 2048, 0, 0, 74, 31))
        for servo in bus.servos.values()
    )
    body = bytes((1, Kind.HELLO + 1, 0))

    def take(data: bytes) -> None:
        driver._asked, port.data = 1, data
        driver._answers.clear()
        driver._receive()
        if len(driver._parser._buffer) > 300:
            raise AssertionError("the parser keeps more than a packet")
        if driver._latest is not None and not np.isfinite(driver._latest.signals.row()).all():
            raise AssertionError("a measurement that is not finite")

    return (
        [answers, answers[:14], b"\xff\xff" + body + bytes((~sum(body) & 255,))],
        take,
        _mend_status,
    )


def _status(servo: int, data: bytes) -> bytes:
    body = bytes((servo, len(data) + 2, 0)) + data
    return b"\xff\xff" + body + bytes((~sum(body) & 255,))


def _mend_status(data: bytes) -> bytes:
    """Give the first packet a right checksum."""
    end = data[3] + 4 if len(data) > 4 else 0
    if not 6 <= end <= len(data):
        return data
    return data[: end - 1] + bytes((~sum(data[2 : end - 1]) & 255,)) + data[end:]


class _Port:
    """A serial port that has `data`."""

    data = b""

    @property
    def in_waiting(self) -> int:
        return len(self.data)

    def read(self, size: int) -> bytes:
        found, self.data = self.data[:size], self.data[size:]
        return found

    def write(self, data: bytes) -> int:
        return len(data)


def recording() -> Target:
    """Recordings, MCAP with JSON in texts of ROS 2."""
    from mcap.writer import CompressionType, Writer

    path = _folder() / "r.mcap"

    def made(compression: CompressionType, extra: str = "{}") -> bytes:
        output = io.BytesIO()
        writer = Writer(output, compression=compression)
        writer.start()
        facts = {"joints": ["a"], "driven": ["a"], "robot": "r", "signals": {}}
        writer.add_metadata("sim2real", {key: json.dumps(value) for key, value in facts.items()})
        schema = writer.register_schema("std_msgs/msg/String", "ros2msg", b"string data\n")
        channels = [writer.register_channel(topic, "cdr", schema) for topic in STEPS]
        for row in range(2):
            measured = {"stamp": row, "position": [0.1], "velocity": [0.2]}
            command = {"stamp": row, "state": 3, "command": [0.5]}
            for channel, content in zip(channels, (measured, command), strict=True):
                writer.add_message(channel, row, text_message(json.dumps(content)), row)
        writer.add_message(channels[0], 9, text_message(extra), 9)
        writer.finish()
        return output.getvalue()

    def take(data: bytes) -> None:
        path.write_bytes(data)
        read_recording(path)

    kinds = (CompressionType.NONE, CompressionType.LZ4, CompressionType.ZSTD)
    return [*map(made, kinds), *map(made, kinds), made(kinds[0], "[" * 100_000)], take, None


def metadata() -> Target:
    """What an ONNX file says of itself: seal and specification."""
    robot = shipped.find_robot("pendulum")
    text = _specification(robot)
    whole = seal.sealed(b"\x08\x09" + text.encode() + b"\x12" * 8)

    def take(data: bytes) -> None:
        if data.startswith(b"{"):
            ControllerSpec.from_json(data.decode(errors="surrogateescape"), "file")
        else:
            seal.check(Path("file"), data)

    deep = text.replace('"seed": 3', f'"seed": {"[" * 100_000}').encode()
    return [*[text.encode()] * 4, *[whole] * 4, deep], take, None


def _specification(robot: Robot) -> str:
    from sim2real.deploy.spec import GoldenTape, RobotFacts, robot_hash
    from sim2real.signals import measured_signals

    row = ((0.25,),) * 2
    tape = GoldenTape(inputs={"position": row, "velocity": row}, state={"command": (0.0,)},
                      command=row, final_state={"command": (0.25,)})  # fmt: skip
    return ControllerSpec(
        robot="pendulum", robot_hash=robot_hash(robot), joints=("pivot",), driven=("pivot",),
        facts=RobotFacts.of(robot), signals=measured_signals(robot), unread=(), task="swing_up",
        goal=(), trained_on={}, origin={"seed": 3}, initial_state={"command": (0.0,)}, golden=tape,
    ).to_json()  # fmt: skip


def toml() -> Target:
    """A robot's folder, and a bus."""
    path = _folder() / "robot.toml"
    bus = (ROBOT.folder / "feetech.toml").read_bytes()
    text = (shipped.find_robot("pendulum").folder / "robot.toml").read_bytes()

    def take(data: bytes) -> None:
        path.write_bytes(data)
        if b"[servos]" in data:
            Bus.load(path)
        else:
            Robot.load(path.parent)

    return [*[text] * 5, *[bus] * 2, b"a = " + b"[" * 2000], take, None


def _folder() -> Path:
    """Return a new folder, in memory if there is one."""
    return Path(tempfile.mkdtemp(dir="/dev/shm" if Path("/dev/shm").is_dir() else None))


TARGETS: dict[str, Callable[[], Target]] = {
    "udp": udp, "cdr": cdr, "serial": serial, "metadata": metadata, "recording": recording,
    "toml": toml,
}  # fmt: skip


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _address_space() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    return pages * resource.getpagesize()


if __name__ == "__main__":
    main()
