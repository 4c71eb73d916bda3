"""`sim2real train`: train a policy in randomized simulation."""

import dataclasses
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from sim2real.commands.console import (
    Flag,
    Maybe,
    console,
    notes,
    options,
    print_json,
    progress_bar,
)
from sim2real.errors import ConfigError
from sim2real.training.job import Job, find_job

_HELP = {"-h", "--help"}


@dataclass(frozen=True, kw_only=True)
class Train:
    """Train a policy in randomized simulation.

    Ctrl-C stops after the iteration at hand; --resume continues exactly from there. The defaults
    of the options below are the target's own: sim2real train TARGET --help shows them.
    """

    target: Annotated[str, tyro.conf.Positional]
    """A robot (a shipped name or a folder), a job's TOML file, or with --resume a run's folder."""
    output: Maybe[Path] = None
    """The run's folder; runs/<robot>-<algorithm>-<seed> if not given."""
    resume: Flag = False
    """Continue the run in the target folder."""
    json: Flag = False
    """Print the result as JSON for a script."""
    job: Annotated[Job, tyro.conf.arg(name="")] = field(default_factory=lambda: Job(robot="TARGET"))


def main(arguments: Sequence[str]) -> None:
    """Run the verb."""
    chosen = _options(arguments)
    job, folder = chosen.job, _folder(chosen)
    if job.adaptive.algorithm == "bayrn":
        return _search(chosen, folder)
    from sim2real.training.run import train

    bar = progress_bar()
    task = bar.add_task("train", total=job.budget, note="")
    with ExitStack() as drawn:

        def show(steps: int, metrics: dict[str, float]) -> None:
            if not bar.live.is_started:  # not before there is something to show
                drawn.enter_context(bar)
            note = f"return {metrics['return']:.1f}" if "return" in metrics else ""
            if "evaluation/return" in metrics:
                note += f"  evaluated {metrics['evaluation/return']:.1f}"
            bar.update(task, completed=min(steps, job.budget), note=note, refresh=True)

        result = train(job, folder, resume=chosen.resume, on_progress=show)
    if result.diverged:
        notes.print(
            f"{result.diverged} simulations diverged and were started anew, without being learned"
            " from: narrower ranges or a higher physics_hz may help"
        )
    for warning in result.warnings:
        notes.print(f"warning: {warning}")
    if not result.finished:
        notes.print(f"stopped; continue with: sim2real train {folder} --resume")
    if chosen.json:
        return print_json(dataclasses.asdict(result))
    best = result.evaluation
    return console.print(
        f"best policy: return {best['return']:.1f}, success {best['success']:.0%} in {folder}"
    )


def _search(chosen: Train, folder: Path) -> None:
    from sim2real.training.bayrn import on_robot, search

    def show(number: int, earned: float) -> None:
        notes.print(f"round {number + 1} of {settings.rounds}: {earned:.1f} on the target")

    settings = chosen.job.adaptive.bayrn
    result = search(chosen.job, folder, on_robot(chosen.job), on_progress=show)
    if not result.finished:
        notes.print(f"stopped; continue with: sim2real train {folder} --resume")
    if chosen.json:
        return print_json(dataclasses.asdict(result))
    if result.best is None:
        return None
    return console.print(f"best policy: return {max(result.returns):.1f} in {result.best}")


def _options(arguments: Sequence[str]) -> Train:
    """Return what is asked for, over the target's own defaults."""
    asks_for_help = bool(_HELP & set(arguments))
    if asks_for_help and arguments[0].startswith("-"):
        options(Train, arguments)  # prints the help of any target, and exits
    first = options(Train, [word for word in arguments if word not in _HELP])
    if first.resume and not (first.output or Path(first.target)).joinpath("job.toml").is_file():
        raise ConfigError(
            f"{first.output or first.target}: no run to resume: give the folder of a run that was"
            " stopped, or leave out --resume"
        )
    if asks_for_help:  # tyro leaves out what came before --help
        arguments = ["--help"]
    return options(Train, arguments, Train(target=first.target, job=find_job(first.target)))


def _folder(chosen: Train) -> Path:
    """Return the run's folder; raises ConfigError if there is a run where none may be."""
    name = f"{Path(chosen.job.robot).name}-{chosen.job.algorithm}-{chosen.job.seed}"
    folder = chosen.output or (Path(chosen.target) if chosen.resume else Path("runs") / name)
    found = any((folder / name).is_file() for name in ("checkpoint.pt", "search.json"))
    if chosen.resume and not found:
        raise ConfigError(
            f"{folder}: the run stopped before its first checkpoint: there is nothing to resume;"
            " remove the folder and train again"
        )
    if found and not chosen.resume:
        raise ConfigError(
            f"{folder} holds a run already: choose another --output, or continue that run with:"
            f" sim2real train {folder} --resume"
        )
    return folder
