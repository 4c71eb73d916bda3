"""`sim2real check`: would this machine run this controller?"""

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tyro

from sim2real import shipped
from sim2real.commands.console import Flag, Maybe, console, options, print_json
from sim2real.deploy.controller import TOLERANCE, Controller
from sim2real.errors import ControllerError
from sim2real.signals import Measured

_STEPS = 200


@dataclass(frozen=True, kw_only=True)
class Check:
    """Check an exported controller on this machine: seal, graph, specification, golden tape.

    What a robot would refuse leaves exit code 1, with the reason.
    """

    file: Annotated[Path, tyro.conf.Positional]
    """The ONNX file that `sim2real export` wrote."""
    robot: Maybe[str] = None
    """A shipped robot, or a folder with a robot.toml, that it must be made for; any if not
    given."""
    json: Flag = False
    """Print the result as JSON for a script."""


def main(arguments: Sequence[str]) -> None:
    """Run the verb."""
    chosen = options(Check, arguments)
    robot = None if chosen.robot is None else shipped.find_robot(chosen.robot)
    try:
        begin = time.perf_counter()
        controller = Controller.load(chosen.file, robot)
        result = _proven(controller, time.perf_counter() - begin)
    except ControllerError as error:
        result = {"ok": False, "reason": str(error)}
    if chosen.json:
        print_json({"file": str(chosen.file), **result})
    else:
        _show(chosen.file, result)
    raise SystemExit(0 if result["ok"] else 1)


def _proven(controller: Controller, seconds: float) -> dict[str, Any]:
    spec = controller.spec
    return {
        "ok": True,
        "robot": spec.robot,
        "seal": spec.seal,
        "golden_steps": len(spec.golden.command),
        "deviation": controller.deviation,
        "load_seconds": seconds,
        "step_seconds": _step_seconds(controller),
    }


def _step_seconds(controller: Controller) -> float:
    """Return the median time of a step on what the golden tape measured."""
    tape, spec = controller.spec.golden, controller.spec
    rows = {name: np.array(tape.inputs[name]) for name in spec.signals}
    measured, goal, taken = Measured(**rows), np.array(spec.goal), []
    for index in range(_STEPS):
        one = measured.of(index % len(tape.command))
        begin = time.perf_counter()
        controller.step(one, goal)
        taken.append(time.perf_counter() - begin)
    return statistics.median(taken)


def _show(path: Path, result: dict[str, Any]) -> None:
    if not result["ok"]:
        console.print(f"refused: {result['reason']}")
        return
    console.print(
        f"{path}: sound, made for {result['robot']}\n"
        f"  seal intact: {result['seal'][:16]}…\n"
        f"  golden tape: {result['golden_steps']} steps within {result['deviation']:.1e}"
        f" ({TOLERANCE:.0e} is allowed)\n"
        f"  here it loads in {result['load_seconds'] * 1e3:.0f} ms and takes"
        f" {result['step_seconds'] * 1e6:.0f} µs a step"
    )
