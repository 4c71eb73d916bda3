"""The envelope of the robot's runtime, between n policies and their simulations."""

from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from sim2real.deploy.envelope.bounds import Envelope
from sim2real.deploy.envelope.commands import changed, limited
from sim2real.deploy.envelope.measurements import plausible
from sim2real.signals import Measured

Array = NDArray[np.float64]


@final
class Guard:
    """Limits commands as on the robot, ends episodes where a run would trip, and counts both.

    A policy that was trained within it has met it before; one that leans on it is seen to.
    """

    def __init__(self, envelope: Envelope):
        self.envelope = envelope
        self.steps = 0
        """Commands that were looked at."""
        self.interventions = 0
        """Those that were changed."""
        self.trips = 0
        """Steps after which the robot's runtime would have ended the run."""

    @property
    def intervention(self) -> float:
        """Share of the commands that were changed."""
        return self.interventions / max(self.steps, 1)

    def limit(self, wanted: NDArray[Any], previous: NDArray[Any], measured: Measured) -> Array:
        """Return what is sent of commands (n, ncommand), as `envelope.commands.limited`."""
        sent = limited(self.envelope, wanted, previous, measured)
        self.steps += len(sent)
        self.interventions += int(changed(sent, wanted).sum())
        return sent

    def tripped(self, measured: Measured) -> NDArray[np.bool_]:
        """Return which of n robots' measurements end a run (n,)."""
        ended = ~plausible(self.envelope, measured)
        self.trips += int(ended.sum())
        return ended

    def restart(self) -> None:
        """Count from zero."""
        self.steps = self.interventions = self.trips = 0
