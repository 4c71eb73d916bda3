"""How the verbs read options and show results."""

import json
from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
import tyro
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

T = TypeVar("T")

console = Console(highlight=False)


def options(cls: type[T], arguments: Sequence[str], default: T | None = None) -> T:
    """Return `cls` from command-line arguments; exits with help or a message about a wrong one."""
    return tyro.cli(
        cls,
        prog=f"sim2real {cls.__name__.lower()}",
        args=list(arguments),
        default=tyro.MISSING_NONPROP if default is None else default,  # type: ignore[arg-type]
        config=(tyro.conf.FlagCreatePairsOff,),
    )


def print_json(value: Any) -> None:
    """Print what a script reads: one JSON text on stdout."""
    print(json.dumps(value, default=_plain))  # noqa: T201


def progress_bar(unit: str = "steps") -> Progress:
    """Return a progress bar with room for a note at its end.

    It is drawn when it is updated: a thread that draws would take time from a control loop.
    """
    return Progress(
        TextColumn("[bold]{task.description}"),
        BarColumn(),
        TextColumn(f"{{task.completed:,.0f}}/{{task.total:,.0f}} {unit}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
        console=console,
        auto_refresh=False,
    )


def _plain(value: Any) -> Any:
    if isinstance(value, (np.floating, np.integer, np.bool_)):
        return value.item()
    return value.tolist() if isinstance(value, np.ndarray) else str(value)
