"""`sim2real export`: write a trained policy as one ONNX controller, or as C."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import tyro

from sim2real.commands.console import Flag, Maybe, console, options, print_json
from sim2real.errors import ConfigError
from sim2real.mpc.settings import PlannerSettings


@dataclass(frozen=True, kw_only=True)
class Export:
    """Write the best policy of a run as one ONNX file that is the whole controller.

    Of a dynamics model (`sim2real adapt`) the controller is adaptation and a planner on the model.
    """

    run: Annotated[Path, tyro.conf.Positional]
    """The folder that `sim2real train` or `sim2real adapt` filled; with --c also an .onnx file."""
    output: Maybe[Path] = None
    """The file; controller.onnx in the run's folder if not given."""
    c: Maybe[Path] = None
    """Write the controller as C, too: policy.c, and policy.h beside it, for a microcontroller."""
    planner: PlannerSettings = field(default_factory=PlannerSettings)
    """On a dynamics model."""
    adapts: bool = True
    """Whether the controller adapts its dynamics model."""
    json: Flag = False
    """Print the result as JSON for a script."""


def main(arguments: Sequence[str]) -> None:
    """Run the verb."""
    chosen = options(Export, arguments)
    exported = chosen.run.suffix == ".onnx"
    if exported and (chosen.c is None or chosen.output is not None):
        raise ConfigError(f"{chosen.run} is exported already: say --c policy.c to write it as C")
    path = chosen.run if exported else chosen.output or chosen.run / "controller.onnx"
    told: dict[str, Any] = {"controller": str(path)}
    lines: list[str] = []
    if not exported:
        told["deviation"] = _export(chosen, path)
        lines.append(f"{path}: within {told['deviation']:.1e} of torch over 1,000 carried steps")
    if chosen.c is not None:
        told["c"] = _write_c(path, chosen.c)
        lines.append(_proof(told["c"]))
    if chosen.json:
        return print_json(told)
    return console.print("\n".join(lines))


def _write_c(controller: Path, path: Path) -> dict[str, Any]:
    from sim2real.export.c.c_file import write_c

    return dataclasses.asdict(write_c(controller, path))


def _proof(written: dict[str, Any]) -> str:
    files, deviation = f"{written['source']}, {written['header']}", written["deviation"]
    if deviation is None:
        return f"{files}: not compared, no C compiler is here: run the self-test on the target"
    return f"{files}: within {deviation:.1e} of the ONNX file over 1,000 carried steps"


def _export(chosen: Export, path: Path) -> float:
    if (chosen.run / "dynamics.pt").is_file():
        from sim2real.mpc.export import export_model

        return export_model(chosen.run, path, chosen.planner, adapts=chosen.adapts)
    if (chosen.planner, chosen.adapts) != (PlannerSettings(), True):
        raise ConfigError(
            f"{chosen.run} holds no dynamics model: leave out --planner and --no-adapts, or give"
            " the folder of sim2real adapt"
        )
    from sim2real.export.run import export_run

    return export_run(chosen.run, path)
