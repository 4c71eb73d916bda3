"""How the verbs read options and show results."""

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Annotated, Any, TypeVar

import numpy as np
import tyro
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

T = TypeVar("T")

console = Console(highlight=False, markup=False)
"""Results: what a pipe or a file should get."""

notes = Console(stderr=True, highlight=False, markup=False)
"""Everything else: progress, and remarks to whoever watches."""

Flag = Annotated[bool, tyro.conf.FlagCreatePairsOff, tyro.conf.arg(help_behavior_hint="")]
"""An option that is off unless given."""


def _hint(default: str) -> str:
    return "" if default == "None" else f"(default: {default})"


Maybe = Annotated[T | None, tyro.conf.arg(help_behavior_hint=_hint)]
"""An option whose text says what happens without it."""


def options(cls: type[T], arguments: Sequence[str], default: T | None = None) -> T:
    """Return `cls` from command-line arguments; exits with help or a message about a wrong one."""
    verb = cls.__name__.lower()
    given: dict[str, Any] = {} if default is None else {"default": default}
    return tyro.cli(
        cls,
        prog=f"sim2real {verb}",
        args=list(arguments),
        config=(tyro.conf.DisallowNone, tyro.conf.PositionalMetavarFromFieldName),
        **given,
    )


def print_json(value: Any) -> None:
    """Print what a script reads: one JSON text on stdout, null for what is not a finite number."""
    print(json.dumps(_plain(value), allow_nan=False))  # noqa: T201


@contextmanager
def passing_bar() -> Iterator[Callable[[str, float], None]]:
    """Yield what draws a message and the share of the work that is done, as a bar.

    It leaves nothing behind, and writes nothing to a file.
    """
    if not notes.is_terminal:
        yield lambda message, share: None
        return
    with progress_bar("%", transient=True) as bar:
        task = bar.add_task("", total=100, note="")

        def draw(message: str, share: float) -> None:
            bar.update(task, description=message, completed=100 * share)
            bar.refresh()

        yield draw


def progress_bar(unit: str = "steps", *, transient: bool = False) -> Progress:
    """Return a progress bar with room for a note at its end.

    It is drawn when it is updated: a thread that draws would take time from a control loop. A
    transient one disappears at its end.
    """
    return Progress(
        TextColumn("[bold]{task.description}"),
        BarColumn(),
        TextColumn(f"{{task.completed:,.0f}}/{{task.total:,.0f}} {unit}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
        console=notes,
        auto_refresh=False,
        transient=transient,
    )


def _plain(value: Any) -> Any:
    """Return what JSON knows: tables, lists, strings, finite numbers."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist())
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, bool | int | str) else str(value)
