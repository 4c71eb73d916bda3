"""Stretches of logs that no fit should take at their word: dead sensors, drives at their limits."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sim2real.calibration.recipe import SegmentKind
from sim2real.calibration.survey import survey
from sim2real.robot import Robot
from sim2real.trajectory import Trajectory

WORDS: dict[SegmentKind, str] = {
    "frozen": "a frozen sensor",
    "saturated": "at a limit",
    "off": "drives off",
}


@dataclass(frozen=True, kw_only=True)
class Segments:
    """What was found of one kind, in one log, at one joint."""

    log: str
    """Its source."""
    kind: SegmentKind
    joint: str
    """Empty if it is of all joints."""
    stretches: tuple[tuple[float, float], ...]
    """Begin and end [s] from the log's first row."""
    fitted: bool
    """Whether windows may enter them: a replay knows limits, and drives that are off."""

    @property
    def seconds(self) -> float:
        """How long they are together."""
        return sum(end - begin for begin, end in self.stretches)


def find_segments(
    logs: Sequence[Trajectory], robot: Robot, left_out: Sequence[SegmentKind]
) -> tuple[Segments, ...]:
    """Return the stretches of `logs`, of which those of the kinds `left_out` are not fitted."""
    found: dict[tuple[str, SegmentKind, str], list[tuple[float, float]]] = {}
    for log in logs:
        for stretch in survey(log, robot).stretches:
            if stretch.kind != "gap":  # no window spans one
                place = found.setdefault((log.source, stretch.kind, stretch.joint), [])
                place.append((round(stretch.begin, 3), round(stretch.end, 3)))
    return tuple(
        Segments(
            log=source, kind=kind, joint=joint, stretches=tuple(rows), fitted=kind not in left_out
        )
        for (source, kind, joint), rows in found.items()
    )


def not_fitted(segments: Iterable[Segments]) -> list[tuple[str, float, float, str]]:
    """Return what no window may enter: source, begin, end [s], and the reason."""
    return [
        (each.log, begin, end, WORDS[each.kind])
        for each in segments
        if not each.fitted
        for begin, end in each.stretches
    ]
