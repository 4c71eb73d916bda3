"""A calibration as one page: is it better, how sure is it, what can't the logs tell."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from sim2real.calibration.bands import Shown
from sim2real.calibration.result import Calibration
from sim2real.calibration.segments import WORDS
from sim2real.evaluation.drawing import COLOURS, TRUTH, figure
from sim2real.evaluation.page import section, table, write_page

_NOMINAL, _CALIBRATED, _PUBLISHED = COLOURS[:3]


def write_calibration_report(path: Path, calibration: Calibration) -> None:
    """Write the page to `path`, atomically."""
    sections = [
        section(*_verdict(calibration), _errors(calibration)),
        section("Parameters", _told(calibration), _parameters(calibration)),
    ]
    if calibration.shown:
        sections.append(
            section(
                "What it says, and what the robot did",
                "Windows from the best predicted one to the worst: measured (black, dotted),"
                " nominal (orange) and calibrated model (blue), and the band that should hold 90 %"
                " of what is measured.",
                _signals(calibration.shown),
            )
        )
    sections += [
        section("How sure it is", _COVERAGE + _widened(calibration), _coverage(calibration)),
        section(
            "By joint", "Root mean square errors of the longest horizon.", _joints(calibration)
        ),
        section(
            "Stretches left out, or told",
            _left_out(calibration),
            _pushes(calibration) + _segments(calibration),
        ),
        section("Origin", "What this page is of.", _origin(calibration)),
    ]
    if calibration.candidates:
        sections.insert(2, section("Choice of the model", _CHOICE, _candidates(calibration)))
    write_page(path, f"Calibration of {calibration.robot}", _lead(calibration), sections)


_COVERAGE = (
    "How often a band that should hold 90 % of the samples does, by what it takes into account. The"
    " Jacobian's alone is what least squares reports; it is shown as what it is."
)
_CHOICE = (
    "Each class was fitted without a part of the logs, which it then predicted. The simplest one"
    " within a standard error of the best is taken."
)


def _lead(calibration: Calibration) -> str:
    told = sum(estimate.identified for estimate in calibration.estimates)
    return (
        f"{len(calibration.estimates)} parameters, {told} of them told by {len(calibration.logs)}"
        f" logs; {calibration.windows} windows fitted in {calibration.fit_seconds:.1f} s."
    )


def _verdict(calibration: Calibration) -> tuple[str, str]:
    if calibration.improves:
        return "Better than the nominal model", (
            "On logs that were not fitted, at every horizon: it may be published and trained on."
        )
    return "Not to be trained on", "; ".join(calibration.objections) + "."


def _errors(calibration: Calibration) -> str:
    rows = calibration.held_out or calibration.fitted
    if not rows:
        return table(("horizon",), (("no window is long enough",),))
    published = [row.published for row in rows if row.published is not None]
    curves = {"nominal": ([row.nominal for row in rows], _NOMINAL)}
    curves |= {"published": (published, _PUBLISHED)} if published else {}
    curves |= {"calibrated": ([row.calibrated for row in rows], _CALIBRATED)}
    with figure(7.0, 2.6) as (canvas, image):
        axes = canvas.subplots()
        for label, (values, colour) in curves.items():
            axes.plot([row.seconds for row in rows], values, "o-", color=colour, label=label)
        axes.set_xlabel("horizon [s]")
        axes.set_ylabel("RMSE [rad, m]")
        axes.set_ylim(bottom=0)
        axes.set_xlim(left=0)
        axes.legend(frameon=False)
    columns = {
        "horizon": [f"{row.seconds:g} s" for row in rows],
        "windows": [str(row.windows) for row in rows],
        **{label: _numbers(values) for label, (values, _) in curves.items()},
        "median nominal": _numbers([row.nominal_median for row in rows]),
        "median calibrated": _numbers([row.calibrated_median for row in rows]),
    }
    return image[0] + table(list(columns), list(zip(*columns.values(), strict=True)))


def _numbers(values: Sequence[float]) -> list[str]:
    return [f"{value:.4f}" for value in values]


def _told(calibration: Calibration) -> str:
    bars = "Bars hold 95 %, dark lines in them what the Jacobian alone would claim, ticks are"
    if all(estimate.identified for estimate in calibration.estimates):
        return f"All of them are told by the logs. {bars} nominal values."
    return f"{bars} nominal values; faint ones are not told by the logs."


def _parameters(calibration: Calibration) -> str:
    estimates = calibration.estimates
    with figure(7.0, 0.5 + 0.34 * len(estimates)) as (canvas, image):
        axes = canvas.subplots()
        for row, estimate in enumerate(estimates):
            low, high = estimate.interval
            points = np.array([low, high, estimate.value, estimate.nominal])
            scale = max(float(np.ptp(points)), 1e-12)
            low, high, value, nominal = (points - points.min()) / scale
            alpha = 1.0 if estimate.identified else 0.35
            axes.plot([low, high], [row, row], color=_CALIBRATED, lw=6, alpha=0.4 * alpha)
            if estimate.jacobian_interval is not None:
                claimed = (np.array(estimate.jacobian_interval) - points.min()) / scale
                axes.plot(claimed, [row, row], color=_CALIBRATED, lw=2, alpha=alpha)
            axes.plot([value], [row], "o", color=_CALIBRATED, alpha=alpha)
            axes.plot([nominal], [row], "|", color=TRUTH, markersize=12, markeredgewidth=2)
        axes.set_yticks(range(len(estimates)), [estimate.name for estimate in estimates])
        axes.set_ylim(len(estimates) - 0.5, -0.5)
        axes.set_xticks([])
        axes.set_xlabel("each on its own scale")
    rows = [
        (
            estimate.name,
            f"{estimate.nominal:.4g}",
            f"{estimate.value:.4g}",
            _interval(estimate.interval),
            _interval(estimate.jacobian_interval),
            "yes" if estimate.identified else "no",
        )
        for estimate in estimates
    ]
    reasons = (
        "".join(section("", f"{e.name}: {e.verdict}", "") for e in estimates if not e.identified)
        .replace("<section><h2></h2>", "")
        .replace("</section>", "")
    )
    head = ("parameter", "nominal", "estimate", "95 % interval", "Jacobian alone", "told")
    return image[0] + table(head, rows) + reasons


def _interval(interval: tuple[float, float] | None) -> str:
    return "" if interval is None else f"{interval[0]:.4g} to {interval[1]:.4g}"


def _signals(windows: Sequence[Shown]) -> str:
    joints = windows[0].joints[:4]
    shape = (len(joints), len(windows)) if len(joints) > 1 else ((len(windows) + 1) // 2, 2)
    with figure(7.0, 0.5 + 1.7 * shape[0]) as (canvas, image):
        grid = canvas.subplots(*shape, sharex=True, squeeze=False)
        if len(joints) == 1:  # windows beside and below each other, not joint below joint
            grid = grid.reshape(1, -1)
        for column, window in enumerate(windows):
            grid[0, column].set_title(f"{window.log[:24]}, {window.start:.1f} s", fontsize=7)
            for row, joint in enumerate(joints):
                _signal(grid[row, column], window, row)
                if column == 0:
                    grid[row, 0].set_ylabel(f"{joint} [rad]", fontsize=8)
            grid[-1, column].set_xlabel("[s]", fontsize=8)
    return image[0]


def _signal(axes: Axes, window: Shown, joint: int) -> None:
    low, high = window.low[:, joint], window.high[:, joint]
    axes.fill_between(window.time, low, high, color=_CALIBRATED, alpha=0.25, lw=0)
    axes.plot(window.time, window.nominal[:, joint], color=_NOMINAL, lw=1.2)
    axes.plot(window.time, window.calibrated[:, joint], color=_CALIBRATED, lw=1.2)
    axes.plot(window.time, window.measured[:, joint], color=TRUTH, lw=1.2, ls=":")
    axes.tick_params(labelsize=7)


def _widened(calibration: Calibration) -> str:
    if calibration.widened <= 1.0:
        return ""
    return (
        f" The posterior's variance was widened {calibration.widened:.3g} times, until the held-out"
        " logs are likely under it; so they no longer check how sure it is."
    )


def _coverage(calibration: Calibration) -> str:
    if not calibration.coverage:
        return table(("no windows of the fit's length",), ())
    return table(
        ("the band takes into account", "covers", "mean width [rad]"),
        [(c.kind, f"{c.covered:.1%}", f"{c.width:.4f}") for c in calibration.coverage],
    )


def _joints(calibration: Calibration) -> str:
    rows = calibration.held_out or calibration.fitted
    errors = (rows[-1].by_joint or {}) if rows else {}
    if not errors:
        return ""
    with figure(7.0, 1.1 + 0.34 * len(errors)) as (canvas, image):
        axes, places = canvas.subplots(), np.arange(len(errors))
        for i, (label, colour) in enumerate((("nominal", _NOMINAL), ("calibrated", _CALIBRATED))):
            sizes = [both[i] for both in errors.values()]
            axes.barh(places + 0.36 * i - 0.18, sizes, 0.32, color=colour, label=label)
        axes.set_yticks(places, list(errors))
        axes.invert_yaxis()
        axes.set_xlabel(f"RMSE after {rows[-1].seconds:g} s [rad, m]")
        axes.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=2, borderpad=0)
    lags = calibration.latency
    return image[0] + table(
        ("joint", "nominal", "calibrated", "lags behind the nominal model"),
        [
            (joint, *_numbers(both), f"{1e3 * lags.get(joint, 0.0):.1f} ms")
            for joint, both in errors.items()
        ],
    )


def _left_out(calibration: Calibration) -> str:
    lost = ", ".join(f"{count} × {reason}" for reason, count in calibration.dropped.items())
    return f"Windows: {lost}." if lost else "No window."


def _pushes(calibration: Calibration) -> str:
    if not calibration.disturbances:
        return ""
    rows = [
        (Path(push.log).name, push.joint, f"{push.begin:.2f} s", f"{push.end:.2f} s",
         f"{push.torque:.3g}")
        for push in calibration.disturbances
    ]  # fmt: skip
    head = ("pushed by something that is no part of the model", "joint", "from", "to", "torque")
    return table(head, rows)


def _segments(calibration: Calibration) -> str:
    if not calibration.segments:
        return ""
    rows = [
        (Path(part.log).name, part.joint, WORDS[part.kind], f"{part.seconds:.2f} s",
         "replayed so" if part.fitted else "left out")
        for part in calibration.segments
    ]  # fmt: skip
    return table(("log", "joint", "what was found", "for", ""), rows)


def _candidates(calibration: Calibration) -> str:
    return table(
        ("class", "beside the common parameters", "error left out", "± to the best", "taken"),
        [
            (
                each.name,
                ", ".join(name.split(".")[-1] for name in each.parameters) or "nothing",
                f"{each.error:.4g}",
                f"{each.standard_error:.2g}",
                "yes" if each.chosen else "",
            )
            for each in calibration.candidates
        ],
    )


def _origin(calibration: Calibration) -> str:
    rows = [("model", calibration.model), ("seed", str(calibration.seed))]
    rows += [(f"fitted: {name}", digest) for name, digest in calibration.logs.items()]
    rows += [(f"held out: {name}", digest) for name, digest in calibration.held_out_logs.items()]
    rows += list(calibration.versions.items())
    return table(("", "hash, or version"), rows)
