"""The page about a folder of results."""

import html
from pathlib import Path
from typing import Any

from sim2real.evaluation import figures
from sim2real.evaluation.page import section, write_page
from sim2real.evaluation.results import Results


def write_report(results: Results, path: Path) -> None:
    """Write the page to `path`, atomically."""
    title = f"{results.robot.name}: from simulation to the robot"
    write_page(path, title, _lead(results), _sections(results))


def summary(results: Results) -> dict[str, Any]:
    """Return the report's numbers, for a script."""
    return {
        "robot": results.robot.name,
        "policies": [
            {
                "name": policy.name,
                "simulated": policy.simulated,
                "robot_return": policy.robot_return,
                "robot_success": policy.robot_success,
                "episodes": [score.total for _, score in policy.episodes],
            }
            for policy in results.policies
        ],
        "parameters": parameter_rows(results),
        "held_out": (results.calibration or {}).get("held_out", []),
        "seconds": {step["title"]: step["seconds"] for step in results.steps},
    }


def parameter_rows(results: Results) -> list[dict[str, Any]]:
    """Return each calibrated parameter with estimate, interval, verdict and planted value."""
    if results.posterior is None:
        return []
    estimates = {row["name"]: row for row in (results.calibration or {}).get("estimates", [])}
    rows = []
    for name, mean, (low, high) in zip(
        results.posterior.names, results.posterior.mean, results.posterior.interval(), strict=True
    ):
        truth = results.truth.get(name)
        rows.append(
            {
                "name": name,
                "planted": truth,
                "estimate": mean,
                "low": float(low),
                "high": float(high),
                "covered": None if truth is None else bool(low <= truth <= high),
                "verdict": estimates.get(name, {}).get("verdict", ""),
            }
        )
    return rows


def _lead(results: Results) -> str:
    on_robot = [policy for policy in results.policies if policy.episodes]
    if len(on_robot) < 2:
        return results.robot.description
    first, last = on_robot[0], on_robot[-1]
    return (
        f"On the robot, the policy trained on {first.name} randomization earned a return of"
        f" {first.robot_return:.0f} and succeeded in {first.robot_success:.0%} of its episodes;"
        f" the one trained on the {last.name} distribution {last.robot_return:.0f} and"
        f" {last.robot_success:.0%}."
    )


def _sections(results: Results) -> list[str]:
    sections = [_policies(results)]
    if any(policy.episodes for policy in results.policies):
        text = "Measured on the robot. The first episode is drawn bold, the others faint."
        sections.append(section("On the robot", text, figures.signals(results)))
    if results.posterior is not None:
        text = "Dot: estimate. Band: 95 % interval."
        if not results.truth.keys().isdisjoint(results.posterior.names):
            text += " Black line: the planted value, which calibration never saw."
        content = figures.parameters(results) + _parameter_table(results)
        sections.append(section("Calibrated parameters", text, content))
    if (results.calibration or {}).get("held_out"):
        text = "Simulated open loop from a measured state with the recorded commands."
        sections.append(section("Prediction of logs", text, figures.prediction(results)))
    text = "Mean return on evaluation worlds of each policy's own distribution."
    sections.append(section("Learning", text, figures.learning_curves(results)))
    if results.steps:
        commands = "".join(
            f"<tr><td>{html.escape(step['title'])}</td><td class='command'>"
            f"<code>{html.escape(step['command'])}</code></td></tr>"
            for step in results.steps
        )
        content = figures.timeline(results) + f"<table>{commands}</table>"
        total = sum(step["seconds"] for step in results.steps)
        sections.append(section("What took how long", f"{total:.0f} s in all.", content))
    return sections


def _policies(results: Results) -> str:
    worlds = list(results.policies[0].simulated)
    head = "".join(f"<th>in simulation: {html.escape(world)}</th>" for world in worlds)
    rows = []
    for policy in results.policies:
        colour = figures.policy_colour(results, policy)
        cells = [_value(policy.simulated[world], "return", "success") for world in worlds]
        on_robot = {"return": policy.robot_return, "success": policy.robot_success}
        cells.append(_value(on_robot, "return", "success") if policy.episodes else "")
        dot = f"<span class='dot' style='background:{colour}'></span>"
        row = "".join(f"<td>{cell}</td>" for cell in cells)
        rows.append(f"<tr><td>{dot}{html.escape(policy.name)}</td>{row}</tr>")
    table = f"<table><tr><th>policy</th>{head}<th>on the robot</th></tr>{''.join(rows)}</table>"
    text = "Mean return, and the share of episodes that succeeded. In simulation both policies"
    return section("Policies", f"{text} meet the same worlds.", table)


def _value(values: dict[str, float], total: str, share: str) -> str:
    return f"<b>{values[total]:.0f}</b> &nbsp;{values[share]:.0%}"


def _parameter_table(results: Results) -> str:
    parameters = parameter_rows(results)
    has_truth = any(row["planted"] is not None for row in parameters)
    rows, reasons = [], []
    for row in parameters:
        verdict, _, reason = row["verdict"].partition(": ")
        if reason:
            reasons.append(f"<code>{html.escape(row['name'])}</code>: {html.escape(reason)}.")
        cells = [
            f"<code>{html.escape(row['name'])}</code>",
            f"{row['estimate']:.4g}",
            f"{row['low']:.4g} to {row['high']:.4g}",
            *(_truth(row) if has_truth else ()),
            html.escape(verdict),
        ]
        rows.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
    truth = ("planted", "") if has_truth else ()
    head = ("parameter", "estimate", "95 % interval", *truth, "verdict")
    header = "".join(f"<th>{name}</th>" for name in head)
    table = f"<table><tr>{header}</tr>{''.join(rows)}</table>"
    return table + "".join(f"<p class='note'>{reason}</p>" for reason in reasons)


def _truth(row: dict[str, Any]) -> tuple[str, str]:
    """Return the planted value, and whether the interval holds it."""
    if row["planted"] is None:
        return "", ""
    mark = (
        "<span class='yes'>inside</span>" if row["covered"] else "<span class='no'>outside</span>"
    )
    return f"{row['planted']:.4g}", mark
