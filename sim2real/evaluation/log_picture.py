"""A log in one picture: each joint's position, velocity and command, and what not to trust."""

from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import FigureBase
from numpy.typing import NDArray

from sim2real.calibration.survey import Stretch, Survey
from sim2real.evaluation.drawing import COLOURS, INK, NOMINAL, Picture
from sim2real.robot import Robot
from sim2real.trajectory import Array, Trajectory

_MOST = 4000
"""Points of a line: what a pixel cannot show is drawn by its extremes."""
_SHADES = {"gap": "#fca5a5", "saturated": "#fde68a", "frozen": "#c4b5fd", "off": "#d1d5db"}
_WORDS = {
    "gap": "no rows",
    "saturated": "at a limit",
    "frozen": "sensor frozen",
    "off": "drives off",
}


def pictures(log: Trajectory, survey: Survey, robot: Robot | None = None) -> list[Picture]:
    """Return a picture of the steps between stamps, and one for each joint."""
    found = [Picture(13.0, 1.8, lambda canvas: _draw_steps(canvas, log))]
    for i, joint in enumerate(log.joints):
        shown = [stretch for stretch in survey.stretches if stretch.joint in ("", joint)]
        found.append(Picture(13.0, 2.6, _joint_drawer(log, i, shown, robot)))
    return found


def _draw_steps(canvas: FigureBase, log: Trajectory) -> None:
    axes = canvas.subplots()
    seconds, steps = log.seconds[1:], np.diff(log.time) * 1e-6
    axes.plot(*_thinned(seconds, steps), color=INK, linewidth=0.8)
    axes.set_ylabel("step [ms]")
    axes.set_ylim(bottom=0)
    axes.set_xlim(0, log.seconds[-1])
    axes.set_title(f"stamps: {len(log.time):,} rows at {log.rate:.4g} Hz", loc="left", fontsize=10)


def _joint_drawer(
    log: Trajectory, i: int, stretches: Sequence[Stretch], robot: Robot | None
) -> Callable[[FigureBase], None]:
    def draw(canvas: FigureBase) -> None:
        left, middle, right = canvas.subplots(1, 3, sharex=True)
        driven = log.driven.index(log.joints[i]) if log.joints[i] in log.driven else None
        servo = robot is not None and robot.joints[log.joints[i]].mode == "position"
        _lines(left, log.seconds, log.position[:, i], "position", COLOURS[1])
        _lines(middle, log.seconds, log.velocity[:, i], "velocity", COLOURS[2])
        if driven is not None:
            sent = (log.command_stamps - log.time[0]) * 1e-9
            where = left if servo else right
            _lines(where, sent, log.command[:, driven], "command", COLOURS[0])
        if log.torque is not None:
            _lines(right, log.seconds, log.torque[:, i], "measured torque", NOMINAL)
        left.set_title(log.joints[i], loc="left", fontsize=10)
        left.set_xlim(0, log.seconds[-1])
        units = {left: "[rad or m]", middle: "[rad/s or m/s]", right: "[Nm or N]"}
        for axes, unit in units.items():
            _shade(axes, stretches)
            axes.set_ylabel(unit)
            axes.set_xlabel("time [s]")
            if axes.get_lines():
                axes.legend(loc="lower right", bbox_to_anchor=(1.0, 0.98), fontsize=8, ncols=4)
            else:
                axes.set_visible(False)

    return draw


def _lines(axes: Axes, seconds: Array, values: Array, label: str, colour: str) -> None:
    axes.plot(*_thinned(seconds, values), color=colour, linewidth=0.9, label=label)


def _shade(axes: Axes, stretches: Sequence[Stretch]) -> None:
    named: set[str] = set()
    for stretch in stretches:
        label = None if stretch.kind in named else _WORDS[stretch.kind]
        shade = _SHADES[stretch.kind]
        axes.axvspan(stretch.begin, stretch.end, color=shade, alpha=0.6, lw=0, label=label)
        named.add(stretch.kind)


def _thinned(seconds: Array, values: Array) -> tuple[Array, Array]:
    """Return at most about `_MOST` points, of each bin the least and the largest."""
    size = -(-len(values) // (_MOST // 2))
    if size <= 2:
        return np.asarray(seconds), np.asarray(values)
    whole = len(values) // size * size
    bins = np.asarray(values[:whole]).reshape(-1, size)
    first: NDArray[np.int64] = np.arange(len(bins)) * size
    places = np.sort(np.stack([bins.argmin(axis=1), bins.argmax(axis=1)], axis=1), axis=1)
    chosen = (first[:, None] + places).ravel()
    return np.asarray(seconds[chosen]), np.asarray(values[chosen])
