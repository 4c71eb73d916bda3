"""How far a calibration is: the share of its work that is done, told as it goes."""

from collections.abc import Callable
from dataclasses import dataclass, replace

Told = Callable[[str, float], None]
"""Called with what is being done, and the share of the whole that is done, 0 to 1."""

_FADE = 0.85
"""What is left of a fit after each step, for all that can be known of it beforehand."""


def nobody(message: str, share: float) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class Progress:
    """A part of the whole work."""

    told: Told = nobody
    begin: float = 0.0
    """Share of the whole that is done before it."""
    end: float = 1.0
    """Share of the whole that is done after it."""
    message: str = ""

    def part(self, index: int, count: int, message: str = "") -> "Progress":
        """Return one of `count` equal parts of this part."""
        return self.span(index / count, (index + 1) / count, message)

    def span(self, begin: float, end: float, message: str = "") -> "Progress":
        """Return what goes from one share of this part to another; what it does, if it is new."""
        size = self.end - self.begin
        return replace(
            self,
            begin=self.begin + begin * size,
            end=self.begin + end * size,
            message=message or self.message,
        )

    def start(self) -> None:
        """Tell that this part begins."""
        self.told(self.message, self.begin)

    def step(self, number: int) -> None:
        """Tell that step `number`, from 0, of a search of unknown length begins."""
        done = self.end - (self.end - self.begin) * _FADE**number
        self.told(f"{self.message}, step {number + 1}", done)


UNTOLD = Progress()
"""Work that nobody is told of."""
