"""Pictures of a coverage study: where the robot lies among the worlds, signal by signal."""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import FigureBase
from numpy.typing import NDArray

from sim2real import config
from sim2real.evaluation.coverage.replay import Array
from sim2real.evaluation.coverage.study import Study
from sim2real.evaluation.coverage.verdict import BINS, NARROW, WIDE, SignalCoverage
from sim2real.evaluation.drawing import COLOURS, INK, NOMINAL, TRUTH, Picture, png
from sim2real.evaluation.page import section, table, write_page

_BAND, _ROBOT, _OUT = "#93c5fd", TRUTH, COLOURS[0]
_REACH = 4.0
"""Spreads that the timeline shows; beyond, points stand at its edge."""
_CLOSE, _LOOKS, _SHOWN = 14, 4, 10
"""Windows, and signals, of a closer look; escapes in the table."""


def write_coverage(study: Study, path: Path) -> None:
    """Write the study to `path`, an .html page or a .png image."""
    title = f"{study.robot.name}: do the worlds cover the robot?"
    timelines, close = timeline_picture(study), close_picture(study)
    if path.suffix == ".png":
        title = f"{study.robot.name}: {study.coverage.verdict}"
        return config.write_atomically(path, png([timelines, close], title))
    count, windows = len(study.replay.values), int(study.replay.window.max() + 1)
    where = (
        f"{windows} windows of {study.replay.horizon:g} s, each simulated in {count} worlds from"
        " its measured start. Dots: the robot, in spreads from the worlds' median; the band holds"
        " 90 % of the worlds, dots outside are orange. Right: how often the robot has which rank"
        " among the worlds; 90 % of the worlds have histograms within the grey band."
    )
    look = (
        "Measured (black) and the worlds' 5 to 95 % band (blue), both less the worlds' median,"
        " around the worst escape, or where the worlds differ most. Each window starts anew."
    )
    sections = [
        section("Verdicts", _criterion(), _verdicts(study)),
        section("Where the robot lies among the worlds", where, timelines.svg()),
        section("A closer look", look, close.svg()),
        *_escapes(study),
        *_causes(study),
    ]
    return write_page(path, title, study.lead, sections)


def timeline_picture(study: Study) -> Picture:
    """Return each signal's distance from the median against time, and its rank histogram."""
    signals, replay = study.coverage.signals, study.replay
    low, middle, high = study.coverage.band
    distance = (replay.measured - middle) / np.maximum((high - low) / 3.29, 1e-12)
    ends = [float(replay.seconds[replay.log == log].max()) for log in range(len(study.logs))]
    offset = np.concatenate([[0.0], np.cumsum(ends)])
    time = replay.seconds + offset[replay.log]

    def draw(figure: FigureBase) -> None:
        grid = figure.subplots(len(signals), 2, squeeze=False, width_ratios=(3.2, 1))
        for row, signal in enumerate(signals):
            _timeline(grid[row, 0], time, distance[:, row], study.coverage.outside[:, row])
            grid[row, 0].set_title(f"{signal.name}: {signal.verdict}", loc="left", fontsize=10,
                                   color=TRUTH)  # fmt: skip
            grid[row, 0].vlines(offset[1:-1], -_REACH, _REACH, color=NOMINAL, linewidth=0.8)
            _histogram(grid[row, 1], signal)
            if row < len(signals) - 1:
                grid[row, 0].tick_params(labelbottom=False)
                grid[row, 1].tick_params(labelbottom=False)
        logs = "time [s]" if len(study.logs) == 1 else "time [s], one log after another"
        grid[-1, 0].set_xlabel(logs)
        grid[-1, 1].set_xlabel("rank among the worlds")

    return Picture(9.0, 0.4 + 1.5 * len(signals), draw)


def close_picture(study: Study) -> Picture:
    """Return the worst stretch of the most telling signals, measured and simulated."""
    order = sorted(range(len(study.coverage.signals)),
                   key=lambda i: study.coverage.signals[i].p_narrow)  # fmt: skip
    chosen = sorted(order[:_LOOKS])
    replay, band = study.replay, study.coverage.band

    def draw(figure: FigureBase) -> None:
        grid = figure.subplots(len(chosen), 1, squeeze=False)[:, 0]
        for axes, i in zip(grid, chosen, strict=True):
            rows = _stretch(study, i)
            low, middle, high = band[:, :, i]
            for window in np.unique(replay.window[rows]):
                part = rows[replay.window[rows] == window]
                time = replay.seconds[part]
                axes.fill_between(time, (low - middle)[part], (high - middle)[part], color=_BAND,
                                  linewidth=0)  # fmt: skip
                axes.plot(time, (replay.measured[:, i] - middle)[part], color=_ROBOT, linewidth=1.3)
            axes.axhline(0.0, color=COLOURS[1], linewidth=0.8)
            log = "" if len(study.logs) == 1 else f", {study.logs[replay.log[rows[0]]]}"
            title = f"{replay.signals[i]}, less the median [{replay.units[i]}]{log}"
            axes.set_title(title, loc="left", fontsize=10, color=TRUTH)
        grid[-1].set_xlabel("time in the log [s]")

    return Picture(9.0, 0.4 + 1.7 * len(chosen), draw)


def _timeline(axes: Axes, time: Array, distance: Array, outside: NDArray[np.bool_]) -> None:
    shown = np.clip(distance, -_REACH, _REACH)
    axes.axhspan(-1.645, 1.645, color=_BAND, alpha=0.55, linewidth=0)
    axes.axhline(0.0, color=COLOURS[1], linewidth=0.8)
    axes.plot(time[~outside], shown[~outside], ".", color=INK, markersize=2.2, rasterized=True)
    axes.plot(time[outside], shown[outside], ".", color=_OUT, markersize=3.2, rasterized=True)
    axes.set_ylim(-_REACH * 1.05, _REACH * 1.05)
    axes.set_yticks([-4, -2, 0, 2, 4])
    axes.margins(x=0.01)
    axes.set_ylabel("spreads", fontsize=9)


def _histogram(axes: Axes, signal: SignalCoverage) -> None:
    edges = np.linspace(0, 1, BINS + 1)
    low, high = signal.envelope
    axes.stairs(high, edges, baseline=low, fill=True, color="#d1d5db")
    axes.stairs(signal.histogram, edges, color=COLOURS[1], linewidth=1.6)
    axes.axhline(1 / BINS, color=INK, linewidth=0.8, linestyle=":")
    axes.set_title(f"{signal.inside:.0%} in the band", loc="left", fontsize=9, color=INK)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, max(0.32, float(signal.histogram.max()), float(high.max())) * 1.1)
    axes.yaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
    axes.locator_params(axis="y", nbins=4)
    axes.grid(visible=False, axis="x")
    axes.tick_params(labelsize=8)


def _stretch(study: Study, signal: int) -> np.ndarray:
    """Return the samples of the windows to look at closely."""
    replay, escapes = study.replay, study.coverage.signals[signal].escapes
    if escapes:
        at = (replay.log == escapes[0].log) & (replay.seconds >= escapes[0].start)
        centre = replay.window[np.flatnonzero(at)[0]]
    else:
        spread = study.coverage.band[2] - study.coverage.band[0]
        centre = replay.window[int(spread[:, signal].argmax())]
    _, first = np.unique(replay.window, return_index=True)
    near = np.abs(replay.seconds[first] - replay.seconds[first][centre])
    same = replay.log[first] == replay.log[first][centre]
    chosen = np.flatnonzero(same & (near <= _CLOSE / 2 * replay.horizon))
    return np.flatnonzero(np.isin(replay.window, chosen))


def _criterion() -> str:
    return (
        "Each world is replayed as if it were the robot, and the robot is ranked among them, so"
        " that finite worlds, noise and dependent samples are counted. Too narrow: a world of these"
        f" ranges would be as far out with a chance of at most {NARROW:.0%}, over all signals"
        f" together. Too wide: a world would be as central with a chance of at most {WIDE:.0%}, and"
        " the robot is less than half as far from the middle as a world usually is, and in no"
        " signal farther. All logs are taken to be of one robot."
    )


def _verdicts(study: Study) -> str:
    rows = [
        [signal.name, signal.verdict, f"{signal.inside:.0%}", f"{signal.distance:.2f}",
         f"{signal.p_narrow:.3f}", f"{signal.p_wide:.3f}"]
        for signal in study.coverage.signals
    ]  # fmt: skip
    head = ["signal", "verdict", "in 5–95 % band", "distance", "p narrow", "p wide"]
    return table(head, rows)


def _escapes(study: Study) -> list[str]:
    found = [(signal, escape) for signal in study.coverage.signals for escape in signal.escapes]
    found.sort(key=lambda pair: -pair[1].distance * (pair[1].end - pair[1].start))
    if not found:
        return []
    rows = [
        [signal.name, study.logs[escape.log], f"{escape.start:.2f} to {escape.end:.2f} s",
         escape.side, f"{escape.distance:.1f}"]
        for signal, escape in found[:_SHOWN]
    ]  # fmt: skip
    text = (
        "Stretches outside the band in which the robot also left all of the worlds; a few are"
        f" chance. {len(found)} in all, the worst first."
    )
    head = ["signal", "log", "time", "side", "spreads off"]
    return [section("Where it escapes", text, table(head, rows))]


def _causes(study: Study) -> list[str]:
    sections = []
    if study.explanations:
        rows = [
            [item.name, f"{item.low:.3g} to {item.high:.3g} {item.unit}",
             f"{item.value:.3g} {item.unit}", f"{item.explained:.0%}"]
            for item in study.explanations
        ]  # fmt: skip
        text = (
            "One parameter at a time leaves its range in the simulator while the others stay within"
            " theirs. Share: of what all of them, freed together, would improve."
        )
        head = ["parameter", "the worlds have", "the robot needs", "share"]
        sections.append(section("What would explain it", text, table(head, rows)))
    made = [[name, f"{share:.0%}"] for name, share in list(study.shares.items())[:8]]
    text = "Share of the differences between worlds, in these signals, that a parameter makes."
    if study.replay.ignored:
        text += f" Not tested by these logs: {', '.join(study.replay.ignored)}."
    sections.append(section("What makes the band", text, table(["parameter", "share"], made)))
    if study.noise:
        rows = [
            [check.name, f"{check.measured:.3g} {check.unit}",
             f"{check.low:.3g} to {check.high:.3g} {check.unit}",
             "inside" if check.inside else "outside"]
            for check in study.noise
        ]  # fmt: skip
        text = "Standard deviation of the sensors' noise, from third differences and local fits."
        head = ["parameter", "in the logs", "in the worlds", ""]
        sections.append(section("Noise", text, table(head, rows)))
    return sections
