"""The report's pictures, as inline SVG."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sim2real.evaluation.results import PolicyResult, Results

COLOURS = ("#d97706", "#2563eb", "#059669", "#9333ea")
"""Of the policies, in the order of their training."""
_TRUTH, _NOMINAL = "#111827", "#9ca3af"
_STYLE: dict[str, Any] = {
    "font.family": "sans-serif", "font.size": 10, "axes.spines.top": False,
    "axes.spines.right": False, "axes.axisbelow": True, "axes.edgecolor": "#9ca3af",
    "axes.labelcolor": "#374151",
    "xtick.color": "#6b7280", "ytick.color": "#6b7280", "axes.grid": True,
    "grid.color": "#e5e7eb", "legend.frameon": False, "svg.fonttype": "none",
    "svg.hashsalt": "sim2real",
}  # fmt: skip


def learning_curves(results: Results) -> str:
    """Return the mean return on evaluation against control steps, one line a policy."""
    with _figure(7.0, 3.0) as (figure, image):
        axes = figure.subplots()
        for policy, colour in zip(results.policies, COLOURS, strict=False):
            rows = [row for row in policy.learning if "evaluation/return" in row]
            steps = [row["steps"] / 1e6 for row in rows]
            axes.plot(steps, [row["evaluation/return"] for row in rows], color=colour,
                      label=policy.name)  # fmt: skip
            worst = [row["evaluation/worst_tenth"] for row in rows]
            axes.plot(steps, worst, color=colour, alpha=0.4, linestyle=":")
        axes.set(xlabel="control steps [millions]", ylabel="return (dotted: worst tenth)")
        axes.legend(loc="lower right")
    return image[0]


def parameters(results: Results) -> str:
    """Return estimates with their 95 % intervals inside the prior range, and the truth."""
    posterior = results.posterior
    assert posterior is not None  # the report asks only when there is one
    intervals, rows = posterior.interval(), len(posterior.names)
    with _figure(7.0, 0.6 + 0.62 * rows) as (figure, image):
        for row, axes in enumerate(np.atleast_1d(figure.subplots(rows, 1))):
            name = posterior.names[row]
            _parameter(axes, posterior.mean[row], intervals[row], results.truth.get(name))
            axes.set_xlim(*_view(posterior.lower[row], posterior.upper[row], intervals[row]))
            axes.set_ylabel(name, rotation=0, ha="right", va="center", color="#374151")
    return image[0]


def signals(results: Results, joint: int = 0) -> str:
    """Return a joint's position, velocity and command on the robot, the policies overlaid."""
    with _figure(7.0, 5.0) as (figure, image):
        top, middle, bottom = figure.subplots(3, 1, sharex=True)
        for policy, colour in zip(results.policies, COLOURS, strict=False):
            for number, (trajectory, _) in enumerate(policy.episodes):
                style: dict[str, Any] = {"color": colour, "linewidth": 1.2,
                                         "alpha": 1.0 if number == 0 else 0.25}  # fmt: skip
                label = policy.name if number == 0 else None
                top.plot(trajectory.seconds, trajectory.position[:, joint], label=label, **style)
                middle.plot(trajectory.seconds, trajectory.velocity[:, joint], **style)
                bottom.step(trajectory.seconds, trajectory.command[:, joint], where="post", **style)
        top.set_ylabel("position [rad]")
        middle.set_ylabel("velocity [rad/s]")
        bottom.set(ylabel="command", xlabel="time [s]")
        figure.legend(loc="outside upper left", ncols=4)
    return image[0]


def prediction(results: Results) -> str:
    """Return the error on held-out windows against the horizon, nominal and calibrated."""
    rows = (results.calibration or {})["held_out"]
    horizons = [f"{row['seconds']:g} s" for row in rows]
    places = np.arange(len(rows))
    with _figure(7.0, 2.6) as (figure, image):
        axes = figure.subplots()
        for offset, name, colour in ((-0.2, "nominal", _NOMINAL), (0.2, "calibrated", COLOURS[1])):
            values = [row[name] for row in rows]
            bars = axes.bar(places + offset, values, 0.38, color=colour, label=name)
            axes.bar_label(bars, fmt="%.3f", fontsize=9, padding=2)
        axes.set_xticks(places, horizons)
        axes.set(ylabel="RMSE [rad]", xlabel="open-loop prediction on windows not fitted")
        axes.legend(loc="upper left")
        axes.grid(visible=False, axis="x")
    return image[0]


def timeline(results: Results) -> str:
    """Return what took how long, as one bar a step from its start."""
    steps = results.steps
    starts = np.concatenate([[0.0], np.cumsum([step["seconds"] for step in steps])])
    with _figure(7.0, 0.6 + 0.28 * len(steps)) as (figure, image):
        axes = figure.subplots()
        for row, step in enumerate(steps):
            axes.barh(row, step["seconds"], left=starts[row], color="#94a3b8", height=0.6)
            axes.text(starts[row + 1] + starts[-1] * 0.01, row, f"{step['seconds']:.0f} s",
                      va="center", fontsize=9, color="#374151")  # fmt: skip
        axes.set_yticks(range(len(steps)), [step["title"] for step in steps])
        axes.set(xlabel="seconds", xlim=(0, starts[-1] * 1.1))
        axes.invert_yaxis()
        axes.grid(visible=False, axis="y")
    return image[0]


def policy_colour(results: Results, policy: PolicyResult) -> str:
    """Return the colour that stands for a policy in every picture."""
    return COLOURS[results.policies.index(policy) % len(COLOURS)]


def _parameter(axes: Axes, mean: float, interval: np.ndarray, truth: float | None) -> None:
    axes.plot(interval, [0, 0], color=COLOURS[1], linewidth=6, alpha=0.35, solid_capstyle="butt")
    axes.plot([mean], [0], "o", color=COLOURS[1], markersize=6)
    if truth is not None:
        axes.plot([truth], [0], "|", color=_TRUTH, markersize=18, markeredgewidth=2)
    axes.set_yticks([])
    axes.set_ylim(-1, 1)
    axes.spines["left"].set_visible(False)
    axes.tick_params(labelsize=8)


def _view(low: float, high: float, interval: np.ndarray) -> tuple[float, float]:
    """Return the prior's bounds if they are finite and near, else the interval with room."""
    room = max(float(np.ptp(interval)), 1e-9)
    left, right = interval[0] - 4 * room, interval[1] + 4 * room
    return (low if low > left else left), (high if high < right else right)


@contextmanager
def _figure(width: float, height: float) -> Iterator[tuple[Figure, list[str]]]:
    """Yield a figure, and a list that holds its SVG text afterwards."""
    image: list[str] = []
    with mpl.rc_context(_STYLE):  # type: ignore[arg-type]
        figure = Figure(figsize=(width, height), layout="constrained")
        yield figure, image
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    text = buffer.getvalue()
    image.append(text[text.index("<svg") :])
