"""Pictures of a sensitivity analysis: the ranking, success curves, maps, hard worlds."""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import FigureBase
from numpy.typing import NDArray

from sim2real import config
from sim2real.evaluation.drawing import COLOURS, TRUTH, Picture, logarithmic, png
from sim2real.evaluation.page import section, table, write_page
from sim2real.evaluation.sensitivity.analysis import Analysis
from sim2real.evaluation.sensitivity.indices import bin_of
from sim2real.evaluation.sensitivity.space import Array
from sim2real.evaluation.sensitivity.sweep import Effect, Sweep

_TOTAL, _FIRST, _BAND = COLOURS[1], COLOURS[0], "#93c5fd"
_MAP = "cividis"
_RANKED, _CURVES = 12, 6
_TELLING = 0.05
"""Of the variance: what a parameter decides at least, for the page to say that it does."""
_CELL = 25
"""Episodes in a cell of a map, on average and at least."""


def write_sensitivity(analysis: Analysis, path: Path) -> None:
    """Write the analysis to `path`, an .html page or a .png image."""
    pictures = [ranking_picture(analysis), curves_picture(analysis)]
    if analysis.sweep.pairs:
        pictures.append(maps_picture(analysis))
    title = f"{analysis.examined.name} on {analysis.examined.robot.name}: where it fails"
    if path.suffix == ".png":
        return config.write_atomically(path, png(pictures, title))
    what = analysis.sweep.outcome
    texts = (
        ("What decides " + what,
         f"Share of the variance of {what} that a parameter decides: alone (orange), and together"
         " with others (blue), with 95 % intervals. Starts and noise are no parameter's."),
        ("Success along each parameter",
         "Share of episodes that succeed, all other parameters drawn; band: 95 % interval."
         " Dashed: the nominal model."),
        ("Success over pairs",
         "Share of episodes that succeed in each cell, all other parameters drawn. Cross: the"
         " worst world. Circle: the nominal model."),
    )  # fmt: skip
    sections = [
        section(title, text, picture.svg())
        for (title, text), picture in zip(texts, pictures, strict=False)
    ]
    return write_page(path, title, _lead(analysis), [*sections, _worst(analysis), _suite(analysis)])


def ranking_picture(analysis: Analysis) -> Picture:
    """Return the indices of the most telling parameters with their intervals."""
    effects = analysis.sweep.effects[:_RANKED]

    def draw(figure: FigureBase) -> None:
        axes = figure.subplots()
        for offset, colour, label, kind in (
            (-0.19, _TOTAL, "with others (total)", "total"),
            (0.19, _FIRST, "alone (first order)", "first"),
        ):
            rows = np.arange(len(effects)) + offset
            share = np.array([getattr(effect, kind) for effect in effects])
            ends = np.array([getattr(effect, f"{kind}_interval") for effect in effects])
            axes.barh(rows, np.maximum(share, 0), 0.34, color=colour, label=label)
            axes.hlines(rows, np.maximum(ends[:, 0], 0), np.maximum(ends[:, 1], 0), color=TRUTH,
                        linewidth=1.2)  # fmt: skip
        axes.set_yticks(range(len(effects)), [effect.name for effect in effects], color=TRUTH)
        axes.invert_yaxis()
        axes.set_xlabel(f"share of the variance of {analysis.sweep.outcome}")
        axes.xaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
        longest = max(max(e.total, e.first, *e.total_interval, *e.first_interval) for e in effects)
        axes.set_xlim(0.0, float(np.clip(1.05 * longest, 0.05, 1.0)))  # no share is above 1
        axes.grid(visible=False, axis="y")
        axes.legend(loc="lower right")

    return Picture(9.0, 0.9 + 0.42 * len(effects), draw)


def curves_picture(analysis: Analysis) -> Picture:
    """Return success against the value of each of the most telling parameters."""
    effects = analysis.sweep.effects[:_CURVES]
    rows = -(-len(effects) // 3)

    def draw(figure: FigureBase) -> None:
        grid = figure.subplots(rows, 3, squeeze=False, sharey=True)
        for axes, effect in zip(grid.ravel(), effects, strict=False):
            nominal = analysis.sweep.space.nominal[analysis.sweep.space.names.index(effect.name)]
            axes.fill_between(effect.centres, effect.low, effect.high, color=_BAND, linewidth=0)
            axes.plot(effect.centres, effect.success, color=_TOTAL, marker="o", markersize=3)
            _scale(axes, "x", effect.centres)
            left, right = axes.get_xlim()
            if left <= nominal <= right:
                axes.axvline(nominal, color=TRUTH, linestyle=(0, (4, 2)), linewidth=1.0)
            axes.set_title(_label(effect), fontsize=9, loc="left", color=TRUTH)
            axes.set_ylim(-0.04, 1.04)
            axes.yaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
        for axes in grid.ravel()[len(effects) :]:
            axes.set_visible(False)
        for axes in grid[:, 0]:
            axes.set_ylabel("success")

    return Picture(9.0, 2.1 * rows, draw)


def maps_picture(analysis: Analysis) -> Picture:
    """Return the share of successes over the most telling pairs of parameters."""
    found = analysis.sweep
    bins = int(np.clip(np.sqrt(len(found.u) / _CELL), 4, 14))

    def draw(figure: FigureBase) -> None:
        grid = figure.subplots(1, 2, squeeze=False)[0]
        for axes, pair in zip(grid, found.pairs, strict=False):
            i, j = (found.space.names.index(name) for name in pair)
            _map(axes, found.values[:, i], found.values[:, j], found.success, bins)
            x, y = (analysis.worst.parameters[name] for name in pair)
            axes.plot([x], [y], "X", color="#ffffff", markeredgecolor=TRUTH, markersize=10,
                      clip_on=False)  # fmt: skip
            x, y = float(found.space.nominal[i]), float(found.space.nominal[j])
            if axes.viewLim.contains(x, y):
                axes.plot([x], [y], "o", color="#ffffff", markeredgecolor=TRUTH, markersize=7)
            across, up = (next(e for e in found.effects if e.name == name) for name in pair)
            axes.set_xlabel(_label(across), color=TRUTH)
            axes.set_ylabel(_label(up), color=TRUTH)
        for axes in grid[len(found.pairs) :]:
            axes.set_visible(False)
        scale = ScalarMappable(Normalize(0, 1), _MAP)
        bar = figure.colorbar(scale, ax=list(grid), label="success", shrink=0.9)
        bar.ax.yaxis.set_major_formatter(lambda share, _: f"{share:.0%}")

    return Picture(9.0, 3.7, draw)


def _map(axes: Axes, x: Array, y: Array, success: NDArray[np.bool_], bins: int) -> None:
    shares = np.linspace(0, 1, bins + 1)
    edges = [np.quantile(values, shares) for values in (x, y)]
    cell = bin_of(y, bins) * bins + bin_of(x, bins)
    count = np.bincount(cell, minlength=bins * bins)
    share = np.bincount(cell, success, bins * bins) / np.maximum(count, 1)
    share = np.where(count > 0, share, np.nan).reshape(bins, bins)
    for axis, values in zip("xy", edges, strict=True):
        _scale(axes, axis, values)
    axes.grid(visible=False)
    axes.pcolormesh(edges[0], edges[1], share, cmap=_MAP, vmin=0, vmax=1, rasterized=True)


def _scale(axes: Axes, axis: str, values: Array) -> None:
    """Choose an axis of orders of magnitude where equally filled bins grow like them."""
    if values[0] > 0 and values[-1] > 5 * values[0]:
        ratio, step = np.diff(np.log(values)), np.diff(values)
        if ratio.std() / ratio.mean() < step.std() / step.mean():
            logarithmic(axes, axis)


def _label(effect: Effect) -> str:
    return effect.name if effect.unit == "1" else f"{effect.name} [{effect.unit}]"


def _lead(analysis: Analysis) -> str:
    found = analysis.sweep
    broken = int(found.diverged.sum())
    unstable = f" In {broken} of them the simulation diverged." if broken else ""
    return (
        f"{found.success.mean():.0%} of {len(found.success)} episodes over the whole ranges"
        f" succeed, with a mean return of {found.returns.mean():.3g}.{unstable} {_decides(found)}"
        f" In the worst world that was found the policy earns {analysis.worst.mean_return:.3g} and"
        f" succeeds from {analysis.worst.success:.0%} of its starts."
    )


def _decides(found: Sweep) -> str:
    first = found.effects[0]
    side = "low" if first.correlation > 0 else "high"
    low, high = first.total_interval
    share = f"{first.total:.0%} ({low:.0%} to {high:.0%}) of the variance of {found.outcome}"
    if low < _TELLING:
        return (
            f"Which parameter decides, so few episodes do not tell: {first.name} comes first, with"
            f" {share} (more --episodes would)."
        )
    return f"{first.name} decides the most: {share}, and {side} values are the hard ones."


def _worst(analysis: Analysis) -> str:
    space, worst = analysis.sweep.space, analysis.worst
    rows = []
    for i, name in enumerate(space.names):
        low, high = analysis.sweep.values[:, i].min(), analysis.sweep.values[:, i].max()
        unit = "" if space.units[i] == "1" else space.units[i]
        rows.append([name, f"{worst.parameters[name]:.4g}", f"{space.nominal[i]:.4g}",
                     f"{low:.4g} to {high:.4g}", unit])  # fmt: skip
    text = (
        "Found by CMA-ES on the mean return, or in the sweep if that was worse; then run again from"
        " other starts, so that its return is not luck."
    )
    head = ["parameter", "worst world", "nominal", "range", "unit"]
    return section("The worst world", text, table(head, rows))


def _suite(analysis: Analysis) -> str:
    suite = analysis.suite
    rows = [[world.name, f"{world.mean_return:.1f}", f"{world.success:.0%}",
             "passed" if world.success >= suite.required else "failed"]
            for world in suite.worlds]  # fmt: skip
    text = (
        f"Each from the same {suite.starts} starts; a world is passed if at least"
        f" {suite.required:.0%} of them succeed. sim2real sensitivity POLICY --suite runs them"
        " again with another policy."
    )
    head = ["world", "mean return", "success", ""]
    return section("The regression suite", text, table(head, rows))
