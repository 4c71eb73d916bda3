"""`sim2real diff`: what differs between two exported controllers."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from sim2real.commands.console import Flag, console, options, print_json

if TYPE_CHECKING:
    from sim2real.export.compare import Comparison


@dataclass(frozen=True, kw_only=True)
class Diff:
    """Show what differs between two exported controllers: graph, specification, behaviour.

    Behaviour is compared on 256 random steps from their initial states. Exit code 1 if they differ.
    """

    one: Annotated[Path, tyro.conf.Positional]
    """An ONNX file that `sim2real export` wrote."""
    other: Annotated[Path, tyro.conf.Positional]
    """Another one."""
    json: Flag = False
    """Print the result as JSON for a script."""


def main(arguments: Sequence[str]) -> None:
    """Run the verb."""
    from sim2real.export.compare import compare

    chosen = options(Diff, arguments)
    found = compare(chosen.one, chosen.other)
    if chosen.json:
        print_json(dataclasses.asdict(found) | {"same": found.same})
    else:
        _show(found)
    raise SystemExit(0 if found.same else 1)


def _show(found: "Comparison") -> None:
    for name, lines in (("graph", found.graph), ("specification", found.specification)):
        console.print(f"{name}:" if lines else f"{name}: the same")
        for line in lines:
            console.print(f"  {line}")
    behaviour = found.behaviour
    if behaviour is None:
        return console.print("behaviour: not comparable: other inputs, or other joints")
    if behaviour.first is None:
        return console.print("behaviour: the same")
    console.print(f"behaviour: commands differ from step {behaviour.first} on, by up to")
    for joint, largest in behaviour.largest.items():
        console.print(f"  {joint}: {largest:.3g}")
    return None
