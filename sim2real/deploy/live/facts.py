"""What a viewer must know of a run to read its rows: one JSON text on its stdin."""

import json
import sys
from dataclasses import dataclass
from typing import Any

from sim2real import config
from sim2real.deploy.envelope.bounds import Envelope
from sim2real.deploy.ring import Ring
from sim2real.deploy.seen import Seen
from sim2real.robot import Robot
from sim2real.signals import measured_signals


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Of a robot and of the ring that its rows are in."""

    robot: str
    control_hz: float
    driven: tuple[str, ...]
    names: tuple[str, ...]
    """What each measured number is."""
    signals: tuple[str, ...]
    low: tuple[float, ...]
    """Least and most that the envelope believes of each."""
    high: tuple[float, ...]
    shadow: bool
    ring: int
    """File descriptor."""
    capacity: int
    width: int
    seen: dict[str, tuple[tuple[float, ...], tuple[float, ...]]]
    """Signal → least and most that the policy met in training; empty if nobody noted it."""

    @classmethod
    def of(
        cls,
        robot: Robot,
        ring: Ring,
        *,
        shadow: bool = False,
        seen: Seen | None = None,
    ) -> "Facts":
        """Return a run's."""
        envelope = Envelope.of(robot)
        return cls(
            robot=robot.name, control_hz=robot.control_hz, driven=robot.driven,
            names=envelope.names, signals=tuple(measured_signals(robot)),
            low=tuple(envelope.low.tolist()), high=tuple(envelope.high.tolist()), shadow=shadow,
            ring=ring.file, capacity=ring.capacity, width=ring.width, seen=dict(seen or {}),
        )  # fmt: skip

    @property
    def measured(self) -> int:
        """How many numbers are measured."""
        return len(self.names)

    def open_ring(self) -> Ring:
        """Return the ring, in another process."""
        return Ring(self.capacity, self.width, self.ring)


def read_facts() -> tuple[Facts, dict[str, Any]]:
    """Return the facts on stdin, and whatever else the parent says there."""
    data = json.loads(sys.stdin.buffer.readline())
    return config.from_dict(Facts, data.pop("facts")), data


def to_line(facts: Facts, **more: Any) -> bytes:
    """Return the line that `read_facts` reads."""
    return json.dumps({"facts": config.to_dict(facts), **more}).encode() + b"\n"
