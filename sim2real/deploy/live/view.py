"""What the last seconds of a run look like: numbers for a terminal, a page, a test."""

import time
from collections.abc import Callable
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from sim2real.deploy.envelope.verdict import Verdict
from sim2real.deploy.live.facts import Facts
from sim2real.deploy.ring import Ring
from sim2real.deploy.seen import outside, ranges
from sim2real.deploy.supervisor import State

_SECONDS = 5.0
_TICK, _STATE, _VERDICT, _RECEIVED = 0, 1, 2, 5


@final
class Pulse:
    """For how long no control step has come: what a run that hangs said last is no longer true."""

    def __init__(self, ring: Ring, clock: Callable[[], float] = time.monotonic):
        self._ring, self._clock = ring, clock
        self._count, self._since = ring.count, clock()

    def silent(self) -> float:
        """Return the seconds since a call of this saw a new row."""
        now = self._clock()
        if self._ring.count != self._count:
            self._count, self._since = self._ring.count, now
        return now - self._since


def snapshot(facts: Facts, ring: Ring) -> dict[str, Any]:
    """Return the state, the time that control steps keep, and how near the limits the robot is.

    Of the last five seconds of rows; JSON knows all of it.
    """
    rows = round(_SECONDS * facts.control_hz)
    _, integers, numbers = ring.read(max(0, ring.count - rows))
    told: dict[str, Any] = {
        "robot": facts.robot, "shadow": facts.shadow, "steps": ring.count, "lost": ring.lost,
        "reason": ring.reason, "state": State.OFF.name,
    }  # fmt: skip
    if len(integers) < 2:
        return told
    return (
        told
        | {"state": State(int(integers[-1, _STATE])).name, "tick": int(integers[-1, _TICK])}
        | _timing(facts, integers)
        | _envelope(facts, integers, numbers)
        | _training(facts, numbers[-1, : facts.measured])
    )


def _timing(facts: Facts, integers: NDArray[np.int64]) -> dict[str, Any]:
    tick = integers[:, _TICK]
    gap = np.diff(tick) * 1e-6
    late = np.abs(gap - 1e3 / facts.control_hz)
    age = (tick - integers[:, _RECEIVED]) * 1e-6
    return {
        "rate": float(1e3 / gap.mean()),
        "jitter_ms": _percentiles(late),
        "age_ms": _percentiles(age),
        "skipped": int((np.round(gap * facts.control_hz * 1e-3) - 1).clip(0).sum()),
    }


def _percentiles(values: NDArray[Any]) -> dict[str, float]:
    found = np.percentile(values, [50, 99, 100])
    return dict(zip(("p50", "p99", "max"), map(float, found), strict=True))


def _envelope(
    facts: Facts, integers: NDArray[np.int64], numbers: NDArray[np.float64]
) -> dict[str, Any]:
    """Return the share of changed commands, and the smallest margins to limits, as shares."""
    low, high = np.array(facts.low), np.array(facts.high)
    bounded = (np.abs(low) < 1e300) & (np.abs(high) < 1e300)
    half = np.where(bounded, 0.5 * high - 0.5 * low, 1.0)
    last = numbers[-1, : facts.measured]
    margin = np.where(bounded, np.minimum(last - low, high - last) / half, 1.0)
    margin = np.nan_to_num(margin, nan=-1.0)  # what is not finite is beyond every limit
    order = np.argsort(margin)[:3]
    running = integers[:, _STATE] == State.RUNNING
    clipped = integers[running, _VERDICT] == Verdict.CLIP
    return {
        "intervention": float(clipped.mean()) if running.any() else 0.0,
        "margins": [{"name": facts.names[i], "margin": float(margin[i])} for i in order],
    }


def _training(facts: Facts, last: NDArray[np.float64]) -> dict[str, Any]:
    """Return how far outside of what training met the robot is, in widths of that range."""
    if not facts.seen:
        return {}
    away = outside(*ranges(facts.seen, facts.signals), last)
    worst = int(np.argmax(away))
    return {"outside": {"name": facts.names[worst], "by": float(away[worst])}}
