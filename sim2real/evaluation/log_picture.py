"""A log in one picture: each joint's position, velocity and command, and what not to trust."""

from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import FigureBase
from matplotlib.patches import Patch
from numpy.typing import NDArray

from sim2real.calibration.survey import Stretch, Survey
from sim2real.evaluation.drawing import COLOURS, INK, Picture, logarithmic
from sim2real.robot import Robot
from sim2real.trajectory import Array, Trajectory

_MOST = 4000
"""Points of a line: what a pixel cannot show is drawn by its extremes."""
_SHADES = {"gap": "#fca5a5", "saturated": "#fde68a", "frozen": "#c4b5fd", "off": "#d1d5db"}
_WORDS = {"gap": "no rows", "saturated": "at a limit", "frozen": "frozen", "off": "drives off"}


def pictures(log: Trajectory, survey: Survey, robot: Robot | None = None) -> list[Picture]:
    """Return a picture of the steps between stamps, and one for each joint."""
    found = [Picture(13.0, 1.8, lambda canvas: _draw_steps(canvas, log, survey.stretches))]
    for i, joint in enumerate(log.joints):
        shown = [stretch for stretch in survey.stretches if stretch.joint in ("", joint)]
        found.append(Picture(13.0, 2.6, _joint_drawer(log, i, shown, robot)))
    return found


def _draw_steps(canvas: FigureBase, log: Trajectory, stretches: Sequence[Stretch]) -> None:
    axes = canvas.subplots()
    seconds, steps = log.seconds[1:], np.diff(log.time) * 1e-6
    axes.plot(*_thinned(seconds, steps), color=INK, linewidth=0.8, drawstyle="steps-pre")
    axes.set_ylabel("step [ms]")
    if steps.max() > 5 * np.median(steps):
        logarithmic(axes, "y")
    else:
        axes.set_ylim(0, 1.3 * float(steps.max()))  # even steps are a line: not on the frame
    axes.set_xlim(0, log.seconds[-1])
    axes.set_title(f"stamps: {len(log.time):,} rows at {log.rate:.4g} Hz", loc="left", fontsize=10)
    kinds = dict.fromkeys(stretch.kind for stretch in stretches)
    if kinds:
        handles = [Patch(color=_SHADES[kind], label=_WORDS[kind]) for kind in kinds]
        _legend(axes, handles)


def _joint_drawer(
    log: Trajectory, i: int, stretches: Sequence[Stretch], robot: Robot | None
) -> Callable[[FigureBase], None]:
    def draw(canvas: FigureBase) -> None:
        left, middle, right = canvas.subplots(1, 3, sharex=True)
        driven = log.driven.index(log.joints[i]) if log.joints[i] in log.driven else None
        servo = robot is not None and robot.joints[log.joints[i]].mode == "position"
        _lines(left, log.seconds, log.position[:, i], "measured", COLOURS[1])
        _lines(middle, log.seconds, log.velocity[:, i], "measured", COLOURS[1])
        if log.torque is not None:
            _lines(right, log.seconds, log.torque[:, i], "measured", COLOURS[1])
        if driven is not None:
            sent = (log.command_stamps - log.time[0]) * 1e-9
            _lines(left if servo else right, sent, log.command[:, driven], "command", COLOURS[0])
        left.set_title(log.joints[i], loc="left", fontsize=10)
        left.set_xlim(0, log.seconds[-1])
        labels = ("position [rad or m]", "velocity [rad/s or m/s]", "torque [Nm or N]")
        for axes, label in zip((left, middle, right), labels, strict=True):
            for stretch in stretches:
                axes.axvspan(stretch.begin, stretch.end, color=_SHADES[stretch.kind], alpha=0.6,
                             lw=0)  # fmt: skip
            axes.set_ylabel(label)
            axes.set_xlabel("time [s]")
            axes.set_visible(bool(axes.get_lines()))
            if len(axes.get_lines()) > 1:
                _legend(axes, axes.get_lines())

    return draw


def _legend(axes: Axes, handles: Sequence[Artist]) -> None:
    axes.legend(handles=handles, loc="lower right", bbox_to_anchor=(1.0, 0.98), fontsize=8, ncols=4)


def _lines(axes: Axes, seconds: Array, values: Array, label: str, colour: str) -> None:
    axes.plot(*_thinned(seconds, values), color=colour, linewidth=0.9, label=label)


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
