"""Forces from outside on bodies: shoves at random times, and wrenches that stay."""

from typing import final

import numpy as np
from numpy.typing import NDArray

from sim2real.sim.clock import Clock
from sim2real.sim.table import Table

Array = NDArray[np.float64]

NO_WRENCH = {"wrench": 0.0}
NOMINAL = {"push_force": 0.0, "push_duration": 0.1, "push_interval": 5.0, "push_elevation": 0.0}


@final
class Pushes:
    """What pushes the `nbody` bodies of `nsim` simulations, at their centres of mass.

    Time is cut into intervals with one push in each, at a time of its own: a schedule is a function
    of the clock, so there is nothing to remember.
    """

    def __init__(self, nsim: int, nbody: int):
        self._shape = (nsim, nbody, 6)
        self.parameters = Table(nsim, nbody, NOMINAL)
        self.wrenches = Table(nsim, nbody * 6, NO_WRENCH)
        """`wrench`: force and torque on each body, in the world's frame."""

    @property
    def used(self) -> bool:
        """Whether anything pushes."""
        return self.parameters.uses("push_force") or self.wrenches.uses()

    def wrench(self, clock: Clock) -> Array:
        """Return force and torque (nsim, nbody, 6), averaged over the coming control step.

        The average keeps each push's impulse, whichever part of a control step it covers.
        """
        wrench = self.wrenches.value("wrench").reshape(self._shape).copy()
        force = self.parameters.get("push_force")
        if force is not None:
            for body in np.flatnonzero(force.any(axis=0)):
                wrench[:, body, :3] += force[:, body, None] * self._direction(int(body), clock)
        return wrench

    def _direction(self, body: int, clock: Clock) -> Array:
        """Return the mean direction (nsim, 3) of a body's pushes in this step; 0 between pushes."""
        value = self.parameters.value
        step = 1.0 / clock.rate
        interval = np.maximum(value("push_interval")[:, body], step)
        duration = np.minimum(value("push_duration")[:, body], interval)
        elevation = value("push_elevation")[:, body]
        count = (clock.time / interval).astype(np.int64)
        mean = np.zeros((len(count), 3))
        for number in (count, count + 1):  # a step may end in the next interval
            u = clock.uniform_of(f"push {body}", number, 2)
            start = number * interval + u[:, 0] * (interval - duration)
            share = overlap(clock.time, step, start, duration) / step
            mean += share[:, None] * direction(2.0 * np.pi * u[:, 1], elevation)
        return mean


def overlap(time: Array, step: float, start: Array, duration: Array) -> Array:
    """Return how long [time, time + step] and [start, start + duration] have in common [s]."""
    return np.maximum(np.minimum(time + step, start + duration) - np.maximum(time, start), 0.0)


def direction(azimuth: Array, elevation: Array) -> Array:
    """Return unit vectors (n, 3): `azimuth` about z from x, `elevation` above the horizon [rad]."""
    level = np.cos(elevation)
    parts = [level * np.cos(azimuth), level * np.sin(azimuth), np.sin(elevation)]
    return np.stack(parts, axis=1)
