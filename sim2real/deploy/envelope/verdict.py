"""What the envelope says."""

from dataclasses import dataclass
from enum import IntEnum


class Verdict(IntEnum):
    """OK as it was, CLIP: sent, but changed; TRIP: the run ends."""

    OK = 0
    CLIP = 1
    TRIP = 2


@dataclass(frozen=True)
class Check:
    """A verdict and, unless it is OK, its reason."""

    verdict: Verdict = Verdict.OK
    reason: str = ""


OK = Check()


def trip(reason: str) -> Check:
    """Return a TRIP."""
    return Check(Verdict.TRIP, reason)
