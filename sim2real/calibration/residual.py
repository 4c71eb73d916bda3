"""What the model leaves unexplained, as a function of parameters and windows' start states."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from sim2real.calibration.assignment import Assignment
from sim2real.calibration.colouring import colours, moved_by
from sim2real.calibration.coordinates import Coordinates
from sim2real.calibration.rollouts import Rollouts
from sim2real.calibration.windows import Windows

Array = NDArray[np.float64]

_STEP = 1e-3
"""Finite difference in z: a thousandth of a prior's standard deviation."""
_POSITION_STEP, _VELOCITY_STEP = 1e-4, 1e-3


class Residual:
    """Predicted minus measured positions of `n` windows, `d` numbers each [rad].

    z (p,) are the unknowns in their coordinates, `offset` (n, 2 njoint) what is added to the
    start states estimated from the log.
    """

    def __init__(
        self,
        rollouts: Rollouts,
        windows: Windows,
        coordinates: Coordinates,
        assignment: Assignment,
        compared: tuple[str, ...] = (),
        *,
        model_error: float = 0.0,
    ):
        self.windows, self.coordinates, self.compared = windows, coordinates, compared
        self.model_error = model_error
        """Share of the motion by which every prediction may be wrong in the same way."""
        start = windows.position[:, None]
        start = start if windows.compared is None else start[..., windows.compared]
        moved = windows.measured - start
        self.motion: Array = moved.reshape(len(windows), -1)
        """Measured displacements from the windows' starts (n, d) [rad]."""
        self.rollouts = 0
        """Windows that were simulated so far."""
        self._simulate, self._assignment = rollouts, assignment
        self._measured = windows.measured.reshape(len(windows), -1)
        self._value, self._slope = _Memory(), _Memory()
        self.moved: NDArray[np.bool_] | None = None
        """What each unknown moves, (p, nlog, ncompared); known after the first Jacobian."""
        self._shaken: NDArray[np.bool_] | None = None

    def many(self, z: Array, offset: Array) -> Array:
        """Return residuals (m, n, d) of variants z (m, p), offset (m, n, 2 njoint): one rollout."""
        n = len(self.windows)
        offset = np.broadcast_to(offset, (len(z), *offset.shape[-2:]))
        return self._pairs(
            z, np.repeat(np.arange(len(z)), n), np.tile(np.arange(n), len(z)), offset
        ).reshape(len(z), n, -1)

    def screened(self, z: Array, most: int = 12) -> Array:
        """Return the median over some of the windows of variants' mean square errors (m,).

        It is robust, and enough to tell a good start from a bad one: `most` windows, evenly spread.
        """
        n, size = self.windows.covariance.shape[:2]
        some = np.unique(np.linspace(0, n - 1, min(n, most)).astype(np.intp))
        variant, window = np.repeat(np.arange(len(z)), len(some)), np.tile(some, len(z))
        e = self._pairs(z, variant, window, np.zeros((len(z), n, size)))
        return np.median((e**2).mean(axis=1).reshape(len(z), -1), axis=1)

    def _pairs(
        self, z: Array, variant: NDArray[np.intp], window: NDArray[np.intp], offset: Array
    ) -> Array:
        """Return residuals (c, d) of variants (c,) in windows (c,)."""
        self.rollouts += len(window)
        values = self._assignment.spread(self.coordinates.values(z), self.windows.log)
        chosen = values[variant, window], offset[variant, window]
        predicted, _ = self._simulate.pairs(self.windows, window, *chosen)
        return predicted.reshape(len(window), -1) - self._measured[window]

    def __call__(self, z: Array, offset: Array) -> Array:
        """Return the residual (n, d)."""
        return self._value(z, offset, lambda: self.many(z[None], offset)[0])

    def jacobian(self, z: Array, offset: Array) -> Array:
        """Return the derivative (n, d, p) with respect to z, in one rollout.

        The first is taken column by column; after it, what moves nothing in common is perturbed
        together.
        """
        return self._slope(z, offset, lambda: self._jacobian(z, offset))

    def _jacobian(self, z: Array, offset: Array) -> Array:
        p, (n, nsample, njoint) = len(z), self.windows.measured.shape
        groups = [[i] for i in range(p)] if self.moved is None else colours(self.moved)
        _, upper = self.coordinates.z_bounds
        step = np.where(z + _STEP > upper, -_STEP, _STEP)
        variants = np.array([z + np.isin(np.arange(p), group) * step for group in groups])
        acts = np.array([self._acts(group) for group in groups])
        variant, window = np.nonzero(acts)
        offsets = np.broadcast_to(offset, (len(groups), *offset.shape))
        change = np.zeros((len(groups), n, nsample * njoint))
        change[variant, window] = self._pairs(variants, variant, window, offsets)
        change[variant, window] -= self(z, offset)[window]
        J = np.zeros((n, nsample, njoint, p))
        for g, group in enumerate(groups):
            own = change[g].reshape(n, nsample, njoint)
            for i in group:
                mask = 1.0 if self.moved is None else self.moved[i][self.windows.log][:, None]
                J[..., i] = own * mask / step[i]
        if self.moved is None:
            self.moved = moved_by(J, self.windows.log)
        return J.reshape(n, nsample * njoint, p)

    def _acts(self, group: list[int]) -> NDArray[np.bool_]:
        """Return the windows (n,) in which any unknown of a group acts."""
        touched = np.stack([self._assignment.touches(i) for i in group])
        return np.isin(self.windows.log, np.nonzero(touched)[1])

    def start_jacobian(self, z: Array, offset: Array) -> Array:
        """Return the derivative (n, d, 2 njoint) with respect to the offset, in one rollout.

        As in `jacobian`, starts that move nothing in common are perturbed together.
        """
        size, (n, nsample, njoint) = offset.shape[1], self.windows.measured.shape
        steps = np.repeat([_POSITION_STEP, _VELOCITY_STEP], size // 2)
        moved = self._shaken
        groups = [[i] for i in range(size)] if moved is None else colours(moved)
        offsets = np.array([offset + steps * np.isin(np.arange(size), group) for group in groups])
        change = self.many(np.tile(z, (len(groups), 1)), offsets) - self(z, offset)
        J = np.zeros((n, nsample, njoint, size))
        for own, group in zip(change.reshape(-1, n, nsample, njoint), groups, strict=True):
            for i in group:
                mask = 1.0 if moved is None else moved[i][self.windows.log][:, None]
                J[..., i] = own * mask / steps[i]
        if moved is None:
            self._shaken = moved_by(J, self.windows.log)
        return J.reshape(n, nsample * njoint, size)


class _Memory:
    """The last result: a solver asks for the residual and then for its slope at the same point."""

    def __init__(self) -> None:
        self._key, self._result = b"", np.empty(0)

    def __call__(self, z: Array, offset: Array, compute: Callable[[], Array]) -> Array:
        key = z.tobytes() + offset.tobytes()
        if key != self._key:
            self._result = compute()
            self._key = key
        return self._result
