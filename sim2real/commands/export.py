"""`sim2real export`: write a trained policy as one ONNX controller."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from sim2real.commands.console import Flag, Maybe, console, options, print_json


@dataclass(frozen=True, kw_only=True)
class Export:
    """Write the best policy of a run as one ONNX file that is the whole controller."""

    run: Annotated[Path, tyro.conf.Positional]
    """The folder that `sim2real train` filled."""
    output: Maybe[Path] = None
    """The file; controller.onnx in the run's folder if not given."""
    json: Flag = False
    """Print the result as JSON for a script."""


def main(arguments: Sequence[str]) -> None:
    """Run the verb."""
    from sim2real.export.run import export_run

    chosen = options(Export, arguments)
    path = chosen.output or chosen.run / "controller.onnx"
    deviation = export_run(chosen.run, path)
    if chosen.json:
        return print_json({"controller": str(path), "deviation": deviation})
    return console.print(f"{path}: within {deviation:.1e} of torch over 1,000 carried steps")
