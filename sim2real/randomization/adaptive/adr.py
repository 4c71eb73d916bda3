"""Automatic domain randomization: boundaries move out where the policy does well on them."""

from dataclasses import dataclass
from typing import Any, Literal, final

import numpy as np

from sim2real.errors import ConfigError
from sim2real.randomization.adaptive.algorithm import Adaptive, Array, Source, Success
from sim2real.randomization.adaptive.box import Box

_SAME = 1e-9
"""Of the box: a value this near to a boundary was put there."""


@dataclass(frozen=True, kw_only=True)
class ADRSettings:
    """Automatic domain randomization."""

    performance: Literal["success", "return"] = "success"
    """What is compared with the thresholds, on average over the episodes on a boundary."""
    lower: float = 0.4
    """Below this performance a boundary moves in."""
    upper: float = 0.7
    """Above this performance a boundary moves out."""
    episodes: int = 20
    """How many episodes on a boundary decide about it."""
    step: float = 0.05
    """How far a boundary moves, as a share of the declared range."""
    start: float = 0.0
    """Width around the nominal value to begin with, as a share of the declared range."""
    boundary: float = 0.5
    """Share of the episodes that are played on a boundary."""

    def __post_init__(self) -> None:
        if not self.lower < self.upper:
            raise ConfigError(f"adr: lower {self.lower} must be below upper {self.upper}")
        if self.episodes < 1:
            raise ConfigError(f"adr: episodes {self.episodes} must be at least 1")
        if not (0 < self.step <= 1 and 0 <= self.start <= 1 and 0 < self.boundary <= 1):
            raise ConfigError("adr: step, start and boundary are shares between 0 and 1")


@final
class ADR(Adaptive):
    """ADR (Akkaya et al. 2019, "Solving Rubik's cube with a robot hand", Algorithms 1 and 2).

    Each parameter is uniform between two boundaries, which start at its nominal value. In a share
    of the episodes one parameter is put on one of its boundaries; their mean performance moves
    that boundary out (at or above the upper threshold) or in (at or below the lower one). A
    boundary stays within the declared range, and on its own side of the nominal value.
    """

    def __init__(self, box: Box, settings: ADRSettings):
        self.names, self._box, self._settings = box.names, box, settings
        self._pushes = np.zeros((len(box.names), 2), np.int64)
        self._buffers = {(i, side): [] for i in range(len(box.names)) for side in (0, 1)}
        self._performance: dict[tuple[int, int], float] = {}
        self._source = self._make_source()

    @property
    def source(self) -> Source:  # noqa: D102
        return self._source

    @property
    def boundaries(self) -> Array:
        """Where the boundaries are, as shares of the declared ranges (p, 2)."""
        center = self._box.unit(self._box.nominal)[:, None]
        reach = self._settings.start / 2 + self._settings.step * self._pushes
        out = center + np.array([-1.0, 1.0]) * reach
        return np.clip(out, np.hstack([0 * center, center]), np.hstack([center, 1 + 0 * center]))

    def observe(self, values: Array, returns: Array, success: Success) -> Source:
        """Take in episodes, and return the source with the boundaries that they moved."""
        measure = success if self._settings.performance == "success" else returns
        ends = self._box.values(self.boundaries.T)
        for (i, side), buffer in self._buffers.items():
            there = np.abs(values[:, i] - ends[side, i]) <= _SAME * self._box.width[i]
            buffer.extend(map(float, measure[there]))
        before = self._pushes.copy()
        for (i, side), buffer in self._buffers.items():
            if len(buffer) >= self._settings.episodes:
                self._judge(i, side, float(np.mean(buffer)))
                buffer.clear()
        if (self._pushes != before).any():
            self._source = self._make_source()
        return self._source

    def metrics(self) -> dict[str, float]:
        """Return the last performance on each boundary, and the entropy as the paper defines it.

        It is the mean logarithm of the ranges' widths as shares of the declared ones: 0 if all are.
        """
        width = np.diff(self.boundaries).ravel()
        entropy = {"entropy": float(np.log(width).mean())} if (width > 0).all() else {}
        sides = ("lower", "upper")
        return entropy | {
            f"{self.names[i]}/performance_{sides[side]}": value
            for (i, side), value in self._performance.items()
        }

    def state_dict(self) -> dict[str, Any]:  # noqa: D102
        return {
            "pushes": self._pushes.copy(),
            "buffers": {key: list(buffer) for key, buffer in self._buffers.items()},
            "performance": dict(self._performance),
        }

    def load_state_dict(self, data: dict[str, Any]) -> None:  # noqa: D102
        self._pushes[...] = data["pushes"]
        self._buffers = {key: list(buffer) for key, buffer in data["buffers"].items()}
        self._performance = dict(data["performance"])
        self._source = self._make_source()

    def _judge(self, i: int, side: int, performance: float) -> None:
        self._performance[i, side] = performance
        here = self.boundaries[i, side]
        push = 0
        if performance >= self._settings.upper and here != side:  # 0 and 1: the declared bounds
            push = 1
        elif performance <= self._settings.lower:
            push = -1
        self._pushes[i, side] = max(0, self._pushes[i, side] + push)

    def _make_source(self) -> Source:
        low, high = self._box.values(self.boundaries.T)
        ranges = self._box.between(low, high)
        return Source(ranges=ranges, boundary=self._settings.boundary)
