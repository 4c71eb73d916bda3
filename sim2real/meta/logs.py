"""A recorded log as the transitions of a dynamics model."""

import numpy as np
import torch
from numpy.typing import NDArray

from sim2real.errors import MetaError
from sim2real.meta.episodes import Episodes
from sim2real.trajectory import Trajectory

Array = NDArray[np.float64]

_NEAR = 0.25


def episodes_of_log(log: Trajectory, control_hz: float) -> tuple[Episodes, Array]:
    """Return a recording as one robot's transitions at a model's rate, and their starts (t,) [s].

    States are what was measured nearest to each control step; commands are averaged over it, in
    time. Where the recording has a gap its transitions are not good, and windows do not cross it.

    Raises:
        MetaError: its rows are further apart than the control steps.
    """
    if log.rate < 0.8 * control_hz:
        raise MetaError(
            f"{log.source}: {log.rate:.0f} rows a second are fewer than the {control_hz:g} control"
            " steps of the model: train a slower model (control_hz), or record faster"
        )
    time, step = log.seconds, 1.0 / control_hz
    wanted = np.arange(0.0, time[-1], step)
    rows = _nearest(time, wanted)
    near = np.abs(time[rows] - wanted) < _NEAR * step
    good = near[:-1] & near[1:] & _driven(log, time, wanted[:-1])
    states = log.measured.joined()[rows]
    begins = np.concatenate([[False], ~good[:-1]]) if len(good) else good
    return Episodes(
        states=_tensor(states[:-1]),
        commands=_tensor(_averaged(log, wanted)),
        next_states=_tensor(states[1:]),
        good=torch.from_numpy(good)[None],
        episode=torch.from_numpy(np.cumsum(begins))[None],
    ), wanted[:-1]


def _nearest(time: Array, wanted: Array) -> NDArray[np.intp]:
    after = np.clip(np.searchsorted(time, wanted), 1, len(time) - 1)
    return after - (wanted - time[after - 1] <= time[after] - wanted)


def _driven(log: Trajectory, time: Array, begins: Array) -> NDArray[np.bool_]:
    """Return at which times (t,) the drives are on."""
    if log.enabled is None:
        return np.ones(len(begins), bool)
    return log.enabled[_nearest(time, begins)]


def _averaged(log: Trajectory, edges: Array) -> Array:
    """Return commands (t - 1, ncommand) averaged between edges (t,) [s]; each holds to the next."""
    stamps = (log.command_stamps - log.time[0]) * 1e-9
    times = np.union1d(stamps, edges)
    held = log.commands_at(log.time[0] + np.round(times * 1e9).astype(np.int64))
    total = np.concatenate(
        [np.zeros((1, held.shape[1])), np.cumsum(held[:-1] * np.diff(times)[:, None], axis=0)]
    )
    at_edges = total[np.searchsorted(times, edges)]
    return np.diff(at_edges, axis=0) / np.diff(edges)[:, None]


def _tensor(rows: Array) -> torch.Tensor:
    return torch.from_numpy(rows.astype(np.float32))[None]
