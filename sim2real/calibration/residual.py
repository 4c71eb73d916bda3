"""What the model leaves unexplained, as a function of parameters and windows' start states."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from sim2real.calibration.coordinates import Coordinates
from sim2real.calibration.rollouts import Rollouts
from sim2real.calibration.windows import Windows

Array = NDArray[np.float64]

_STEP = 1e-3
"""Finite difference in z: a thousandth of a prior's standard deviation."""
_POSITION_STEP, _VELOCITY_STEP = 1e-4, 1e-3


class Residual:
    """Predicted minus measured positions of `n` windows, `d` numbers each [rad].

    z (p,) are the parameters in their coordinates, `offset` (n, 2 njoint) what is added to the
    start states estimated from the log.
    """

    def __init__(
        self,
        rollouts: Rollouts,
        windows: Windows,
        coordinates: Coordinates,
        *,
        model_error: float = 0.0,
    ):
        self.windows, self.coordinates = windows, coordinates
        self.model_error = model_error
        """Share of the motion by which every prediction may be wrong in the same way."""
        moved = windows.measured - windows.position[:, None]
        self.motion: Array = moved.reshape(len(windows), -1)
        """Measured displacements from the windows' starts (n, d) [rad]."""
        self._rollouts = rollouts
        self._measured = windows.measured.reshape(len(windows), -1)
        self._value, self._slope = _Memory(), _Memory()

    def many(self, z: Array, offset: Array) -> Array:
        """Return residuals (m, n, d) of variants z (m, p), offset (m, n, 2 njoint): one rollout."""
        values = self.coordinates.values(z)
        offset = np.broadcast_to(offset, (len(z), *offset.shape[-2:]))
        predicted = self._rollouts.predict(self.windows, values, offset)
        return predicted.reshape(len(z), len(self.windows), -1) - self._measured

    def __call__(self, z: Array, offset: Array) -> Array:
        """Return the residual (n, d)."""
        return self._value(z, offset, lambda: self.many(z[None], offset)[0])

    def jacobian(self, z: Array, offset: Array) -> Array:
        """Return the derivative (n, d, p) with respect to z, in one rollout."""
        return self._slope(z, offset, lambda: self._jacobian(z, offset))

    def _jacobian(self, z: Array, offset: Array) -> Array:
        _, upper = self.coordinates.z_bounds
        step = np.where(z + _STEP > upper, -_STEP, _STEP)
        change = self.many(z + np.diag(step), offset) - self(z, offset)
        return np.moveaxis(change / step[:, None, None], 0, -1)

    def start_jacobian(self, z: Array, offset: Array) -> Array:
        """Return the derivative (n, d, 2 njoint) with respect to the offset, in one rollout."""
        steps = np.repeat([_POSITION_STEP, _VELOCITY_STEP], offset.shape[1] // 2)
        offsets = offset + np.diag(steps)[:, None]
        change = self.many(np.tile(z, (len(steps), 1)), offsets) - self(z, offset)
        return np.moveaxis(change / steps[:, None, None], 0, -1)


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
