"""Windows of real logs: what the calibrated simulator and a dynamics model make of them."""

import dataclasses
from typing import Any

import numpy as np
import torch
from scipy.signal import savgol_filter
from torch import Tensor

from sim2real.calibration.problem import Problem
from sim2real.calibration.windows import Windows
from sim2real.meta.dynamics import Adapted, Dynamics, Window
from sim2real.meta.logs import episodes_of_log
from sim2real.trajectory import Trajectory

_STEP = 0.005  # between the rows of a smoothed log [s]


class Case:
    """The windows of some logs before which a model has seen `past` seconds, drives on."""

    def __init__(
        self,
        problem: Problem,
        logs: list[Trajectory],
        values: Any,
        *,
        hz: float,
        seconds: float,
        past: float,
        smooth: float,
    ):
        """Take a fitted problem and its values (p,); a past is smoothed over ± `smooth` [s]."""
        self._problem, self._logs, self._values, self._hz = problem, logs, values, hz
        self._smooth = smooth
        windows = problem.windows(logs, seconds)
        on = True if windows.enabled is None else windows.enabled.all(axis=1)
        self._windows = windows.take(np.flatnonzero((windows.start > past + smooth) & on))
        self._past = [episodes_of_log(_smoothed(log, smooth), hz) for log in logs]

    def simulator(self) -> dict[str, Any]:
        """Return the calibrated simulator's errors."""
        said = self._problem.predict(self._logs, self._windows, self._values[None])[0]
        return {
            "windows": len(self._windows),
            "calibrated simulator": self._errors((said - self._windows.measured)[:, self._rows]),
        }

    @torch.no_grad()
    def errors(self, model: Dynamics) -> dict[str, Any]:
        """Return the model's errors, adapted and not."""
        past = self._before(model.window)
        models = {"adapted": model.adapt(past), "unadapted": model.unadapted(len(self._windows))}
        return {name: self._errors(self._wrong(one)) for name, one in models.items()}

    def _errors(self, wrong: Any) -> dict[str, float]:
        """Return root mean squares of errors (n, nstep, njoint) at the ends of control steps."""
        return {"one step": _rms(wrong[:, 0]), "0.5 s": _rms(wrong)}

    def _before(self, count: int) -> Window:
        """Return the transitions that ended before each window began, smoothing included."""
        parts, windows = [], self._windows
        for log, start in zip(windows.log, windows.start, strict=True):
            data, starts = self._past[log]
            ended = start - 1.0 / self._hz - self._smooth + 1e-6
            step = int(np.searchsorted(starts, ended, "right"))
            parts.append(data.window(torch.tensor([0]), torch.tensor([step]), count, 0))
        return Window(*(torch.cat([vars(p)[name] for p in parts]) for name in vars(parts[0])))

    def _wrong(self, model: Adapted) -> Any:
        windows: Windows = self._windows
        start = np.concatenate([windows.position, windows.velocity], axis=1)
        states = torch.from_numpy(start.astype(np.float32))[:, None]
        said, measured = [], windows.measured[:, self._rows]
        for command in self._commands().unbind(dim=1)[: measured.shape[1]]:
            states = model.mean(states, command[:, None])
            said.append(states[:, 0, : windows.position.shape[1]])
        return torch.stack(said, dim=1).numpy() - measured

    def _commands(self) -> Tensor:
        """Return the mean command of each control step (n, nstep, ncommand)."""
        command = self._windows.command
        step = round(1.0 / self._hz / self._problem.grid.timestep)
        n, total, size = command.shape
        whole = command[:, : total // step * step].reshape(n, -1, step, size)
        return torch.from_numpy(whole.mean(axis=2).astype(np.float32))

    @property
    def _rows(self) -> slice:
        """The compared samples at the ends of control steps."""
        grid = self._problem.grid
        every = round(1.0 / self._hz / (grid.timestep * grid.every))
        return slice(every - 1, None, every)


def _smoothed(log: Trajectory, smooth: float) -> Trajectory:
    """Return a log whose states are local quadratics through the positions of ± `smooth` [s].

    A motor's own estimate of its velocity may swing by several rad/s at 25 Hz.
    """
    time = np.arange(0.0, log.seconds[-1], _STEP)
    position = np.interp(time, log.seconds, log.position[:, 0])
    length = 2 * round(smooth / _STEP) + 1
    fit = [savgol_filter(position, length, 2, deriv=d, delta=_STEP)[:, None] for d in (0, 1)]
    last = np.searchsorted(log.seconds, time, "right") - 1
    return dataclasses.replace(
        log,
        time=log.time[0] + np.round(time * 1e9).astype(np.int64),
        position=fit[0],
        velocity=fit[1],
        command=log.command,
        command_time=log.command_stamps,
        torque=None,
        enabled=None if log.enabled is None else log.enabled[last],
    )


def _rms(wrong: Any) -> float:
    return float(f"{float(np.sqrt(np.square(wrong).mean())):.4g}")
