"""`sim2real inspect`: show what an exported controller is and needs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro
from rich.table import Table

from sim2real import config
from sim2real.commands.console import Flag, console, options, print_json
from sim2real.deploy.controller import Controller
from sim2real.deploy.seen import ANYTHING
from sim2real.deploy.spec import ControllerSpec, flat


@dataclass(frozen=True, kw_only=True)
class Inspect:
    """Show what an exported controller is: its robot, what goes in and out, what it was made from.

    The file is checked first: one that a robot would refuse is refused here.
    """

    file: Annotated[Path, tyro.conf.Positional]
    """The ONNX file that `sim2real export` wrote."""
    json: Flag = False
    """Print the whole specification, but for the golden tape, as JSON for a script."""


def main(arguments: Sequence[str]) -> None:
    """Run the verb."""
    chosen = options(Inspect, arguments)
    spec = Controller.load(chosen.file, None).spec
    if chosen.json:
        return print_json(_facts(chosen.file, spec))
    console.print(f"{chosen.file}: {spec.task} for {spec.robot} ({spec.robot_hash}) at"
                  f" {spec.control_hz:g} Hz, {chosen.file.stat().st_size / 1e3:,.0f} kB, seal"
                  f" {spec.seal[:16]}…")  # fmt: skip
    for table in (_inputs(spec), _outputs(spec)):
        console.print(table)
    console.print("met in training:" if spec.seen else "met in training: nobody noted it")
    for line in _seen(spec):
        console.print(f"  {line}")
    for name, values in (("trained on", spec.trained_on), ("made from", spec.origin)):
        console.print(f"{name}:" if values else f"{name}: nothing that is told")
        for key, value in flat(config.to_dict(values)).items():
            console.print(f"  {key} = {value}")
    return None


def _facts(path: Path, spec: ControllerSpec) -> dict[str, Any]:
    table = config.to_dict(spec)
    golden = table.pop("golden")
    return {"file": str(path), "bytes": path.stat().st_size, **table,
            "golden_steps": len(golden["command"])}  # fmt: skip


def _inputs(spec: ControllerSpec) -> Table:
    table = Table("input", "numbers", "unit", "frame", "")
    for name, signal in spec.signals.items():
        note = "not read" if name in spec.unread else ""
        table.add_row(name, str(signal.size), signal.unit, signal.frame, note)
    if spec.goal:
        table.add_row("goal", str(len(spec.goal)), "", "the task's", "")
    for name, values in spec.initial_state.items():
        table.add_row(f"state.{name}", str(len(values)), "", "", "carried from step to step")
    return table


def _seen(spec: ControllerSpec) -> Iterator[str]:
    for signal, (low, high) in spec.seen.items():
        of = spec.joints if len(low) == len(spec.joints) else range(len(low))
        for name, least, most in zip(of, low, high, strict=True):
            known = "anything" if most - least > ANYTHING else f"{least:.4g} to {most:.4g}"
            yield f"{signal} {name}: {known}"


def _outputs(spec: ControllerSpec) -> Table:
    table = Table("command to", "mode", "kp", "kd", "torque", "position")
    for name in spec.driven:
        joint = spec.facts.joints[name]
        limits = joint.limits
        assert limits is not None  # checked by Joint
        low_high = "" if limits.position is None else "{:g} to {:g}".format(*limits.position)
        gains = (f"{joint.kp:g}", f"{joint.kd:g}") if joint.mode == "position" else ("", "")
        table.add_row(name, joint.mode, *gains, f"± {limits.torque:g}", low_high)
    return table
