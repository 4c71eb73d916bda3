"""`sim2real export`: write a trained policy as one ONNX controller."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

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
    """The folder that `sim2real train` or `sim2real adapt` filled."""
    output: Maybe[Path] = None
    """The file; controller.onnx in the run's folder if not given."""
    planner: PlannerSettings = field(default_factory=PlannerSettings)
    """On a dynamics model."""
    adapts: bool = True
    """Whether the controller adapts its dynamics model."""
    json: Flag = False
    """Print the result as JSON for a script."""


def main(arguments: Sequence[str]) -> None:
    """Run the verb."""
    chosen = options(Export, arguments)
    path = chosen.output or chosen.run / "controller.onnx"
    deviation = _export(chosen, path)
    if chosen.json:
        return print_json({"controller": str(path), "deviation": deviation})
    return console.print(f"{path}: within {deviation:.1e} of torch over 1,000 carried steps")


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
