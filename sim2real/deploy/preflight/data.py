"""Does a run end when the robot's data cannot be believed?"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import final

import numpy as np

from sim2real.deploy.driver import Array
from sim2real.deploy.faults import FAULTS, FaultyDriver
from sim2real.deploy.loop import run
from sim2real.deploy.preflight.bench import Bench, Finding, finding
from sim2real.deploy.source import CommandSource
from sim2real.signals import Measured

_GOOD = 10  # steps before a fault


def check_data(bench: Bench, source: CommandSource, goal: Array) -> Iterator[Finding]:
    """Run the controller in shadow on the robot's measurements, through each fault."""
    for name, fault in FAULTS.items():
        faulty = FaultyDriver(bench.driver)
        spoiled = _Until(source, _GOOD, partial(setattr, faulty, "fault", fault))
        seconds = 2.0 * bench.envelope.max_age + 30 * bench.envelope.period
        summary = run(spoiled, faulty, seconds=seconds, goal=goal, shadow=True, clock=bench.clock)
        if summary.ended == "stopped":
            raise KeyboardInterrupt  # a person ended it, not the robot's data
        steps = summary.ticks - _GOOD
        if summary.ended == "trip":
            yield finding(name, not faulty.written, f"{summary.reason} ({steps} steps later)")
        elif _indistinguishable(bench, name):
            yield finding(name, None, "cannot be told from the truth while nothing moves")
        else:
            yield finding(name, False, f"the controller went on for {steps} steps")


def _indistinguishable(bench: Bench, name: str) -> bool:
    """Return whether a robot at rest says the same with that fault as without."""
    signals = bench.measured().signals
    if name == "joints are exchanged":
        moved = np.abs(np.roll(signals.position, 1) - signals.position)
        return bool(moved.max() <= bench.envelope.lag * bench.envelope.velocity.max())
    return name == "sensors are frozen"


@final
class _Until(CommandSource):
    """Another source, until one of its steps, from which on the robot's data are wrong."""

    def __init__(self, source: CommandSource, step: int, begin: Callable[[], None]):
        self.goal, self.origin = source.goal, source.origin
        self._source, self._left, self._begin = source, step, begin

    def reset(self, command: Array) -> None:
        self._source.reset(command)

    def step(self, measured: Measured, goal: Array) -> Array:
        self._left -= 1
        if self._left == 0:
            self._begin()
        return self._source.step(measured, goal)

    def sent(self, command: Array) -> None:
        self._source.sent(command)
