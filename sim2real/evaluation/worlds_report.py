"""Pictures of a randomization: its distributions, and its worlds under the same commands."""

import textwrap
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import FigureBase

from sim2real import config
from sim2real.errors import ConfigError
from sim2real.evaluation.drawing import COLOURS, INK, NOMINAL, TRUTH, Picture, logarithmic, png
from sim2real.evaluation.page import section, write_page
from sim2real.evaluation.worlds import Array, Drawn, Worlds, command_units
from sim2real.parameters.names import ParameterName

_FILL, _LINE = "#93c5fd", COLOURS[1]
_COLUMNS = 3
_BINS = 30
_POINTS = 400
"""Of each line: more are not seen."""


def write_worlds(worlds: Worlds, path: Path) -> None:
    """Write the pictures to `path`, an .html page or a .png image; raises ConfigError."""
    check_suffix(path)
    title = f"{worlds.robot.name}: {len(worlds.values)} randomized worlds"
    distributions, motion = distribution_picture(worlds), motion_picture(worlds)
    if path.suffix == ".png":
        return config.write_atomically(path, png([distributions, motion], title))
    what = (
        "Each panel is one parameter as the randomization draws it: the area is its density, the"
        " ticks below are the worlds drawn here, the dashed line is the nominal model's value."
    )
    how = (
        "All worlds start at home and are given the same commands. Thin lines are single worlds,"
        " the band holds 90 % of them (5 to 95 %) at each time, the dashed line is the nominal"
        " model. Positions are true ones: offset and noise of the sensors are not in them."
    )
    if worlds.diverged:
        how += f" {worlds.diverged} worlds diverged; their lines end there."
    sections = [
        section("What is drawn", what, distributions.svg()),
        section("What it does to the robot", how, motion.svg()),
    ]
    return write_page(path, title, worlds.robot.description, sections)


def check_suffix(path: Path) -> None:
    """Refuse a file that would be neither a page nor a picture."""
    if path.suffix not in (".html", ".png"):
        raise ConfigError(f"--output {path}: write a page (.html) or a picture (.png)")


def distribution_picture(worlds: Worlds) -> Picture:
    """Return the densities of all parameters with their nominal values and units.

    What several joints have, such as damping, shares a panel.
    """
    panels = list(_panels(worlds).values())
    lines = [panels[i : i + _COLUMNS] for i in range(0, len(panels), _COLUMNS)]
    heights = [0.85 + max(0.9, 0.3 * max(map(len, line))) for line in lines]

    def draw(figure: FigureBase) -> None:
        grid = figure.subplots(len(lines), _COLUMNS, squeeze=False, height_ratios=heights)
        for row, line in zip(grid, lines, strict=True):
            for axes, panel in zip(row, line, strict=False):
                _densities(axes, panel)
            for axes in row[len(line) :]:
                axes.set_visible(False)

    return Picture(9.0, sum(heights), draw)


def motion_picture(worlds: Worlds) -> Picture:
    """Return command, position and velocity of each joint in all worlds."""
    joints, units = list(worlds.robot.joints), worlds.joint_units
    forces = dict(zip(worlds.robot.driven, command_units(worlds.robot, units), strict=True))
    tall = 2.1 if len(joints) < 3 else 1.6

    def draw(figure: FigureBase) -> None:
        grid = figure.subplots(len(joints), 3, sharex=True, squeeze=False)
        for row, name in enumerate(joints):
            left, middle, right = grid[row]
            left.set_ylabel(_wrapped(name), color=TRUTH, fontweight="bold")
            if name in forces:
                command = worlds.command[:, worlds.robot.driven.index(name)]
                left.step(worlds.seconds, command, where="post", color=INK, linewidth=1.2)
                left.set_title(f"command [{forces[name]}]", fontsize=9, color=INK, loc="left")
            else:
                left.set_yticks([])
                left.grid(visible=False)
                left.text(0.5, 0.5, "not driven", transform=left.transAxes, color=NOMINAL,
                          ha="center", va="center")  # fmt: skip
            unit = units[row]
            _fan(middle, worlds.seconds, worlds.position[:, :, row],
                 worlds.nominal_position[:, row], f"position [{unit}]")  # fmt: skip
            _fan(right, worlds.seconds, worlds.velocity[:, :, row],
                 worlds.nominal_velocity[:, row], f"velocity [{unit}/s]")  # fmt: skip
        for axes in grid[-1]:
            axes.set_xlabel("time [s]")

    return Picture(9.0, 0.4 + tall * len(joints), draw)


def _panels(worlds: Worlds) -> dict[str, list[tuple[Drawn, Array]]]:
    """Return the parameters and the worlds' values, those of one kind together."""
    panels: dict[str, list[tuple[Drawn, Array]]] = {}
    for parameter, values in zip(worlds.parameters, worlds.values.T, strict=True):
        name = ParameterName.parse(parameter.name)
        index = "" if name.index is None else f"[{name.index}]"
        panels.setdefault(f"{name.kind}.{name.attribute}{index}", []).append((parameter, values))
    return panels


def _densities(axes: Axes, panel: list[tuple[Drawn, Array]]) -> None:
    """Draw the densities of one kind of parameter below each other, on one axis."""
    first = panel[0][0]
    name = ParameterName.parse(first.name)
    low = min(parameter.values[0] for parameter, _ in panel)
    high = max(parameter.values[-1] for parameter, _ in panel)
    if all(parameter.logarithmic for parameter, _ in panel):
        logarithmic(axes, "x")
    elif high > low:
        nominal = [parameter.nominal for parameter, _ in panel]
        room = 0.04 * (high - low)
        axes.set_xlim(min(low, *nominal, low) - room, max(high, *nominal, high) + room)
    for row, (parameter, values) in enumerate(panel):
        _density(axes, parameter, values, -row)
    axes.set_ylim(1.0 - len(panel), 1.0)
    axes.set_yticks([])
    if len(panel) > 1:
        elements = [ParameterName.parse(parameter.name).object for parameter, _ in panel]
        axes.set_yticks([0.35 - row for row in range(len(panel))], elements, fontsize=8)
        axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.grid(visible=False)
    axes.tick_params(axis="x", labelsize=8)
    if axes.get_xscale() == "linear":
        axes.locator_params(axis="x", nbins=5)
    unit = "" if first.unit == "1" else f" [{first.unit}]"
    index = "" if name.index is None else f"[{name.index}]"
    title = first.name if len(panel) == 1 else f"{name.kind}.*.{name.attribute}{index}"
    axes.set_title(f"{title}{unit}", fontsize=8.5, color=TRUTH, loc="left")


def _density(axes: Axes, parameter: Drawn, values: Array, base: float) -> None:
    low, high = float(parameter.values[0]), float(parameter.values[-1])
    span = np.geomspace if axes.get_xscale() == "log" else np.linspace
    edges = span(low, high, _BINS + 1) if high > low else np.array([low - 1e-9, high + 1e-9])
    share, _ = np.histogram(parameter.values, edges)
    shape = base + 0.14 + 0.66 * share / share.max()
    axes.stairs(shape, edges, baseline=base + 0.14, fill=True, color=_FILL)
    axes.stairs(shape, edges, baseline=base + 0.14, color=_LINE, linewidth=0.7)
    axes.plot([parameter.nominal] * 2, [base + 0.1, base + 0.9], color=TRUTH,
              linestyle=(0, (4, 2)), linewidth=1.2)  # fmt: skip
    axes.plot(values, np.full(len(values), base + 0.09), "|", color=_LINE, markersize=3.5,
              alpha=0.6)  # fmt: skip


def _fan(axes: Axes, seconds: Array, lines: Array, nominal: Array, title: str) -> None:
    some = slice(None, None, max(1, len(seconds) // _POINTS))
    with np.errstate(all="ignore"):
        low, high = np.nanquantile(lines[:, some], [0.05, 0.95], axis=0)
    axes.fill_between(seconds[some], low, high, color=_FILL, alpha=0.6, linewidth=0)
    axes.plot(seconds[some], lines[:, some].T, color=_LINE, linewidth=0.5, alpha=0.25,
              rasterized=True)  # fmt: skip
    axes.plot(seconds[some], nominal[some], color=TRUTH, linestyle=(0, (4, 2)), linewidth=1.2)
    axes.set_title(title, fontsize=9, color=INK, loc="left")


def _wrapped(name: str) -> str:
    return "\n".join(textwrap.wrap(name.replace("_", " "), 12))
