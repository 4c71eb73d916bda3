"""A bag with topics, as the recipe explains them, becomes a trajectory. Joints go by name."""

from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, final

import numpy as np

from sim2real.calibration.columns import CommandTopic, MeasuredTopic, Topics
from sim2real.calibration.logs.bag import Bag, Message, get, header_stamp
from sim2real.calibration.logs.mcap_bag import McapBag
from sim2real.calibration.logs.ros_bag import RosBag
from sim2real.calibration.logs.rows import Rows
from sim2real.calibration.units import UNITS
from sim2real.errors import LogError, known
from sim2real.robot import Robot
from sim2real.spool import BLOCK, Spool
from sim2real.trajectory import Trajectory

SUFFIXES = (".bag", ".db3", ".mcap")

_SKEW_MESSAGES = 100
_LEAST_DRIFT = 5_000_000
"""Change of the clocks' difference over a bag that is worth an error [ns]."""


def is_bag(path: Path) -> bool:
    """Return whether there is a file of messages at `path`, or a folder that rosbag2 wrote."""
    return path.suffix in SUFFIXES if path.is_file() else bool(_storage(path))


def open_bag(path: Path) -> Bag:
    """Return the bag at `path`, which is one."""
    if path.is_dir():
        files = _storage(path)
        if (path / "metadata.yaml").is_file() and files[0].suffix != ".mcap":
            return RosBag(path)
        return McapBag(path, files) if files[0].suffix == ".mcap" else RosBag(files[0])
    return McapBag(path) if path.suffix == ".mcap" else RosBag(path)


def _storage(folder: Path) -> list[Path]:
    """Return a rosbag2 folder's files in their order: name_2 before name_10."""
    if not folder.is_dir():
        return []
    found = [path for path in folder.iterdir() if path.suffix in (".mcap", ".db3")]
    if not (folder / "metadata.yaml").is_file() and len(found) != 1:
        return []  # a folder of logs; one file alone is a recording that was killed
    return sorted(found, key=lambda path: (len(path.name), path.name))


def read_bag(bag: Bag, topics: Topics, robot: Robot) -> Trajectory:
    """Return the trajectory of the robot's joints, in the robot's order; raises LogError."""
    present = bag.topics()
    if not sum(topic.count for topic in present.values()):
        raise LogError(f"{bag.path}: an empty bag: it holds no messages")
    for name in (topics.measured.topic, topics.command.topic):
        if name not in present:
            raise LogError(f"{bag.path}: no topic {name!r}{known(name, present)}")
    measured, command = topics.measured, topics.command
    rows = Rows(
        robot,
        str(bag.path),
        velocity=measured.velocity is not None,
        torque=measured.effort is not None,
        enabled=False,
    )
    states = _States(measured, topics, robot, bag.path)
    orders = _Orders(command, topics, robot, bag.path)
    state_rows = _Buffer(states.take, [rows.time, rows.position, rows.velocity, rows.torque])
    order_rows = _Buffer(orders.take, [rows.command_time, rows.command])
    for message in bag.messages({measured.topic, command.topic}):
        if message.topic == measured.topic:
            state_rows.add(message)
        if message.topic == command.topic:
            order_rows.add(message)
    state_rows.flush()
    order_rows.flush()
    _require_one_clock(states.skew, orders.skew, bag.path)
    return rows.trajectory({})


def _require_one_clock(states: "_Skew", orders: "_Skew", path: Path) -> None:
    apart = states.change() - orders.change()
    if abs(apart) > _LEAST_DRIFT:
        raise LogError(
            f"{path}: clock drift: between the first and the last message, the headers' clock of"
            f" the measurements gains {apart * 1e-6:+.1f} ms on that of the commands: stamp both by"
            ' the recorder\'s clock: topics.clock = "received"'
        )


@final
class _Skew:
    """How much a topic's headers are behind the recorder's clock, at its begin and its end.

    The least delay of many messages is that of an idle network: it changes only as clocks do.
    """

    def __init__(self) -> None:
        self._first: list[int] = []
        self._last: deque[int] = deque(maxlen=_SKEW_MESSAGES)

    def add(self, message: Message, stamp: int) -> None:
        """Take a message in that is stamped so."""
        late = message.received - stamp
        if len(self._first) < _SKEW_MESSAGES:
            self._first.append(late)
        self._last.append(late)

    def change(self) -> int:
        """Return by how much the headers' clock gained on the recorder's [ns]."""
        if len(self._first) < _SKEW_MESSAGES:
            return 0
        return min(self._first) - min(self._last)


@final
class _Buffer:
    """Rows of messages on their way into spools, some thousands at a time."""

    def __init__(
        self, take: Callable[[Message], tuple[Any, ...] | None], spools: Sequence[Spool | None]
    ):
        self._take, self._spools = take, spools
        self._rows: list[tuple[Any, ...]] = []

    def add(self, message: Message) -> None:
        row = self._take(message)
        if row is not None:
            self._rows.append(row)
        if len(self._rows) >= BLOCK // 8:
            self.flush()

    def flush(self) -> None:
        if self._rows:
            for spool, column in zip(self._spools, zip(*self._rows, strict=True), strict=True):
                if spool is not None:
                    spool.append(np.array(column))
            self._rows = []


@final
class _States:
    """Measurements of messages like sensor_msgs/JointState."""

    def __init__(self, topic: MeasuredTopic, topics: Topics, robot: Robot, path: Path):
        self._topic, self._clock, self.skew = topic, topics.clock, _Skew()
        self._select = _Select([topics.names.get(joint, joint) for joint in robot.joints], path)

    def take(self, message: Message) -> tuple[Any, ...] | None:
        """Return stamp, positions, velocities, torques; None for another publisher's joints."""
        content, topic = message.content, self._topic
        places = self._select.places(get(content, "name"), message)
        if places is None:
            return None
        units = {"position": topic.position, "velocity": topic.velocity, "effort": topic.effort}
        values = [
            None if unit is None else self._select.values(content, field, unit, places, message)
            for field, unit in units.items()
        ]
        stamp = _stamp(message, self._clock)
        self.skew.add(message, stamp)
        return stamp, *values


@final
class _Orders:
    """Commands of messages like Float64MultiArray, JointState, JointTrajectory."""

    def __init__(self, topic: CommandTopic, topics: Topics, robot: Robot, path: Path):
        self._topic, self._clock, self._path = topic, topics.clock, path
        self.skew = _Skew()
        for joint in topic.joints:
            if joint not in robot.joints:
                raise LogError(
                    f"{path}: topics.command.joints names {joint!r}, which robot {robot.name!r} has"
                    f" not{known(joint, robot.joints)}"
                )
        self._given = [topics.names.get(joint, joint) for joint in topic.joints]
        self._select = _Select([topics.names.get(joint, joint) for joint in robot.driven], path)
        self._effort = UNITS[topic.unit][0] in ("torque", "force")

    def take(self, message: Message) -> tuple[Any, ...] | None:
        """Return stamp and commands; None for a message to other joints."""
        content, names, field = message.content, self._given, "data"
        if get(content, "data") is None:
            plural = get(content, "points") is not None
            names = get(content, "joint_names" if plural else "name")
            field = "effort" if self._effort else "position"
            if plural:
                content, field = self._point(content), "effort" if self._effort else "positions"
        elif not names:
            raise LogError(
                f"{self._path}: messages of {message.topic} hold numbers without names: say in"
                " topics.command.joints which joints they are for, in their order"
            )
        places = self._select.places(names, message)
        if places is None:
            return None
        values = self._select.values(content, field, self._topic.unit, places, message)
        stamp = _stamp(message, self._clock)
        self.skew.add(message, stamp)
        return stamp, values

    def _point(self, content: Any) -> Any:
        points = get(content, "points")
        if len(points) != 1:
            raise LogError(
                f"{self._path}: a JointTrajectory of {len(points)} points: between them the"
                " controller decides what it commands; log the controller's reference"
                " (controller_state), or send one point a message"
            )
        return points[0]


@final
class _Select:
    """Which numbers of a message belong to the joints asked for."""

    def __init__(self, wanted: Sequence[str], path: Path):
        self._wanted, self._path = tuple(wanted), path
        self._names: list[str] | None = None
        self._places: list[int] | None = None

    def places(self, names: Any, message: Message) -> list[int] | None:
        """Return the places of the joints among `names`; None if none of them is there."""
        if not isinstance(names, list | tuple) or not all(isinstance(n, str) for n in names):
            raise LogError(
                f"{self._path}: messages of {message.topic} name no joints: their fields are"
                f" {', '.join(_fields(message.content)) or 'none'}"
            )
        if names != self._names:
            self._names, self._places = list(names), self._find(list(names), message)
        return self._places

    def _find(self, names: list[str], message: Message) -> list[int] | None:
        missing = [name for name in self._wanted if name not in names]
        if missing and len(missing) == len(self._wanted) and self._places is not None:
            return None  # two publishers share a topic: a gripper beside its arm
        if missing:
            raise LogError(
                f"{self._path}: messages of {message.topic} have no joint {missing[0]!r}"
                f"{known(missing[0], names)}; where a joint has another name in messages, say so in"
                " [topics.names]"
            )
        return [names.index(name) for name in self._wanted]

    def values(
        self, content: Any, field: str, unit: str, places: list[int], message: Message
    ) -> np.ndarray:
        """Return a field's numbers of these joints in SI units."""
        raw = get(content, field)
        numbers = np.asarray(() if raw is None else raw, dtype=object if raw is None else None)
        if numbers.ndim != 1 or numbers.dtype.kind not in "iuf" or len(numbers) <= max(places):
            raise LogError(
                f"{self._path}: a message of {message.topic} holds {numbers.size} numbers as"
                f" {field!r}, for {len(self._names or ())} joints: is it the field that the drives"
                " fill?"
            )
        return numbers[places].astype(float) * UNITS[unit][1]


def _fields(content: Any) -> list[str]:
    return list(content if isinstance(content, dict) else getattr(content, "__dict__", {}))


def _stamp(message: Message, clock: str) -> int:
    stamp = header_stamp(message.content) if clock == "header" else None
    return message.received if stamp is None else stamp
