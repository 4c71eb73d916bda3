"""The page of a gap map: how wrong a simulator is, at which joint, where, when, and why."""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import FigureBase

from sim2real import config
from sim2real.errors import ConfigError
from sim2real.evaluation.drawing import COLOURS, INK, NOMINAL, TRUTH, Picture
from sim2real.evaluation.page import section, table, write_page
from sim2real.gap.gap_map import GapMap, Importance

_RED, _BLUE = "#b91c1c", COLOURS[1]
_ROWS = 8
VERDICTS = {
    "none": "The classifiers cannot tell the simulation from the log.",
    "local": "The gap is local: a policy can avoid where the simulation is wrong.",
    "global": "The gap is global: there is no regime to retreat to. Calibrate first.",
}
ADVICE = {
    "none": "Nothing is left that this log could show. Train.",
    "local": (
        "Train with [gap] in the launch file: the reward for staying where the simulation is right"
        " helps here. Calibrating the parameters below helps, too."
    ),
    "global": (
        "A reward for staying where the simulation is right cannot help: it can only avoid"
        " regions. Calibrate, beginning with the parameters below; what is left then may be local."
    ),
}


def write_gap(result: GapMap, path: Path) -> None:
    """Write the page to `path` and the same as JSON beside it; raises ConfigError."""
    if path.suffix != ".html":
        raise ConfigError(f"--output {path}: write a page (.html); its JSON goes beside it")
    low, high = result.interval
    lead = (
        f"{VERDICTS[result.verdict]} AUC {result.auc:.3f}, 95 % interval {low:.3f} to {high:.3f},"
        f" over {result.windows} windows of {result.seconds:g} s from {', '.join(result.logs)}."
    )
    what = (
        "Two classifiers see short windows of the log, and the same windows simulated from the"
        " log's own states under its commands, with the log's noise. 0.5: they cannot tell which"
        f" is which; 1: always. A window of the log speaks with {result.nats:.2f} nat against the"
        " simulation on average."
    )
    sections = [section("How wrong", what, number_picture(result).svg() + _advice(result))]
    if result.verdict != "none":
        sections += _details(result)
    write_page(path, f"Dynamics gap: {result.robot}", lead, sections)
    config.write_atomically(path.with_suffix(".json"), result.to_json().encode())


def _details(result: GapMap) -> list[str]:
    joints = (
        "Left: at which joint a torque is missing beside the model, as the fall of the AUC when"
        " that is shuffled. Right: on which position, velocity or command the gap depends."
    )
    plane, extent = result.plane, f"{result.extent:.0%}"
    where = (
        f"Mean Δr of the log over {plane.x} and {plane.y}, the two that tell most of it"
        f" ({plane.explained:.0%} of its variance). Red: the simulation would not have done this."
        f" White: nothing was recorded. The gap covers {extent} of the log: 100 % were the same"
        " everywhere."
    )
    when = "Where in the logs the simulation is least believable; the worst stretches are shaded."
    why = (
        "What is left unexplained beyond the noise, and how much of it each parameter would"
        " explain if it alone were changed."
    )
    if result.closed_auc is not None:
        why += f" With the first one changed, the AUC is {result.closed_auc:.3f}."
    return [
        section("Which joint", joints, importance_picture(result).svg()),
        section("Where", where, plane_picture(result).svg()),
        section("When", when, time_picture(result).svg()),
        section("Why", why, suspect_picture(result).svg() + _suspects(result)),
    ]


def number_picture(result: GapMap) -> Picture:
    """Return the AUC with its interval on a line from 0.5 to 1."""

    def draw(figure: FigureBase) -> None:
        axes = figure.subplots()
        colour = COLOURS[2] if result.verdict == "none" else _RED
        axes.plot([0.5, 1.0], [0, 0], color="#e5e7eb", linewidth=8, solid_capstyle="round")
        low, high = np.clip(result.interval, 0.45, 1.0)
        axes.plot([low, high], [0, 0], color=colour, linewidth=8, alpha=0.35,
                  solid_capstyle="butt")  # fmt: skip
        axes.plot([result.auc], [0], "o", color=colour, markersize=11)
        axes.annotate(f"{result.auc:.3f}", (result.auc, 0.25), ha="center", va="bottom",
                      color=colour, fontsize=13, fontweight="bold")  # fmt: skip
        axes.set(xlim=(0.44, 1.02), ylim=(-0.4, 1.0), yticks=[])
        ticks = {0.5: "0.5\nindistinguishable", 0.6: "0.6", 0.7: "0.7", 0.8: "0.8", 0.9: "0.9",
                 1.0: "1\nalways told"}  # fmt: skip
        axes.set_xticks(list(ticks), list(ticks.values()))
        axes.spines["left"].set_visible(False)
        axes.spines["bottom"].set_visible(False)
        axes.tick_params(length=0)
        axes.grid(visible=False)

    return Picture(7.5, 1.3, draw)


def importance_picture(result: GapMap) -> Picture:
    """Return bars of the joints' and the coordinates' importance."""
    rows = min(_ROWS, max(len(result.joints), len(result.coordinates)))

    def draw(figure: FigureBase) -> None:
        left, right = figure.subplots(1, 2)
        for axes, items, title in (
            (left, result.joints, "torque is missing at"),
            (right, result.coordinates, "it depends on"),
        ):
            _bars(axes, items[:_ROWS], title)
            axes.set_ylim(rows - 0.5, -0.5)

    return Picture(8.0, 0.9 + 0.3 * rows, draw)


def plane_picture(result: GapMap) -> Picture:
    """Return the map of mean Δr over two coordinates."""
    plane = result.plane

    def draw(figure: FigureBase) -> None:
        axes = figure.subplots()
        nats = np.ma.masked_invalid(np.array(plane.nats, float))
        most = max(0.5, float(np.abs(nats).max())) if nats.count() else 1.0
        image = axes.pcolormesh(plane.x_edges, plane.y_edges, nats, cmap="RdBu_r", vmin=-most,
                                vmax=most, rasterized=True)  # fmt: skip
        axes.set(xlabel=f"{plane.x} [{plane.x_unit}]", ylabel=f"{plane.y} [{plane.y_unit}]")
        axes.grid(visible=False)
        bar = figure.colorbar(image, ax=axes, label="mean Δr [nat]")
        bar.outline.set_visible(False)  # type: ignore[operator]

    return Picture(7.0, 3.9, draw)


def time_picture(result: GapMap) -> Picture:
    """Return Δr along each log, the least believable stretches shaded."""
    lines = result.timelines[:6]

    def draw(figure: FigureBase) -> None:
        grid = figure.subplots(len(lines), 1, squeeze=False)[:, 0]
        top = max(1.0, *(max(line.nats) for line in lines))
        for axes, line in zip(grid, lines, strict=True):
            for stretch in result.times:
                if stretch.log == line.log:
                    axes.axvspan(stretch.begin, stretch.end, color="#fecaca", linewidth=0)
            axes.axhline(0.0, color=NOMINAL, linewidth=0.8)
            seconds, nats = np.array(line.seconds), np.array(line.nats)
            gaps = np.flatnonzero(np.diff(seconds) > 2.0 * result.seconds) + 1
            axes.plot(np.insert(seconds, gaps, np.nan), np.insert(nats, gaps, np.nan),
                      color=_RED, linewidth=1.2)  # fmt: skip
            axes.set_ylim(min(-0.5, float(nats.min())), 1.08 * top)
            axes.set_title(line.log, fontsize=9, color=INK, loc="left")
            axes.set_ylabel("Δr [nat]")
        grid[-1].set_xlabel("time [s]")

    return Picture(8.0, 0.5 + 1.35 * len(lines), draw)


def suspect_picture(result: GapMap) -> Picture:
    """Return bars of what each parameter would explain."""
    shown = result.suspects[:_ROWS]

    def draw(figure: FigureBase) -> None:
        axes = figure.subplots()
        places = range(len(shown))
        bars = axes.barh(places, [item.closed for item in shown], color=_BLUE, height=0.62)
        axes.bar_label(bars, [f"{item.closed:.0%}" for item in shown], fontsize=9, padding=3)
        axes.set_yticks(places, [item.name for item in shown])
        axes.set(xlim=(0, 1.08), xlabel="share of the gap that it explains alone")
        axes.invert_yaxis()
        axes.grid(visible=False, axis="y")

    return Picture(7.5, 0.8 + 0.3 * max(1, len(shown)), draw)


def _bars(axes: Axes, items: tuple[Importance, ...], title: str) -> None:
    places = range(len(items))
    axes.barh(places, [max(0.0, item.drop) for item in items], color=_BLUE, height=0.62)
    axes.set_yticks(places, [item.name.replace("_", " ") for item in items], fontsize=9)
    axes.set_xlim(0.0, max(0.05, 1.1 * max(item.drop for item in items)))
    axes.set_xlabel("fall of the AUC")
    axes.set_title(title, fontsize=10, color=TRUTH, loc="left")
    axes.grid(visible=False, axis="y")


def _advice(result: GapMap) -> str:
    return f"<p>{ADVICE[result.verdict]}</p>"


def _suspects(result: GapMap) -> str:
    rows = [
        (item.name, f"{item.nominal:.4g}", f"{item.value:.4g}", f"{item.closed:.0%}")
        for item in result.suspects[:_ROWS]
    ]
    return table(("parameter", "model", "explains most at", "explained"), rows)
