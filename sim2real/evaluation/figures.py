"""The report's pictures, as inline SVG."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes

from sim2real.evaluation.drawing import COLOURS, INK, NOMINAL, TRUTH, figure
from sim2real.evaluation.results import PolicyResult, Results


def learning_curves(results: Results) -> str:
    """Return the mean return on evaluation against control steps, one line a policy."""
    with figure(7.0, 3.0) as (canvas, image):
        axes = canvas.subplots()
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
    with figure(7.0, 0.6 + 0.62 * rows) as (canvas, image):
        for row, axes in enumerate(np.atleast_1d(canvas.subplots(rows, 1))):
            name = posterior.names[row]
            _parameter(axes, posterior.mean[row], intervals[row], results.truth.get(name))
            axes.set_xlim(*_view(posterior.lower[row], posterior.upper[row], intervals[row]))
            axes.set_ylabel(name, rotation=0, ha="right", va="center", color=INK)
    return image[0]


def signals(results: Results, joint: int = 0) -> str:
    """Return a joint's position, velocity and command on the robot, the policies overlaid."""
    with figure(7.0, 5.0) as (canvas, image):
        top, middle, bottom = canvas.subplots(3, 1, sharex=True)
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
        canvas.legend(loc="outside upper left", ncols=4)
    return image[0]


def prediction(results: Results) -> str:
    """Return the error on held-out windows against the horizon, nominal and calibrated."""
    rows = (results.calibration or {})["held_out"]
    horizons = [f"{row['seconds']:g} s" for row in rows]
    places = np.arange(len(rows))
    with figure(7.0, 2.6) as (canvas, image):
        axes = canvas.subplots()
        for offset, name, colour in ((-0.2, "nominal", NOMINAL), (0.2, "calibrated", COLOURS[1])):
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
    with figure(7.0, 0.6 + 0.28 * len(steps)) as (canvas, image):
        axes = canvas.subplots()
        for row, step in enumerate(steps):
            axes.barh(row, step["seconds"], left=starts[row], color="#94a3b8", height=0.6)
            axes.text(starts[row + 1] + starts[-1] * 0.01, row, f"{step['seconds']:.0f} s",
                      va="center", fontsize=9, color=INK)  # fmt: skip
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
        axes.plot([truth], [0], "|", color=TRUTH, markersize=18, markeredgewidth=2)
    axes.set_yticks([])
    axes.set_ylim(-1, 1)
    axes.spines["left"].set_visible(False)
    axes.tick_params(labelsize=8)


def _view(low: float, high: float, interval: np.ndarray) -> tuple[float, float]:
    """Return the prior's bounds if they are finite and near, else the interval with room."""
    room = max(float(np.ptp(interval)), 1e-9)
    left, right = interval[0] - 4 * room, interval[1] + 4 * room
    return (low if low > left else left), (high if high < right else right)
