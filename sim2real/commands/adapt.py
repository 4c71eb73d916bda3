"""`sim2real adapt`: train a dynamics model that adapts to what a robot has just done."""

import dataclasses
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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
from sim2real.meta.job import DynamicsJob, find_dynamics_job

if TYPE_CHECKING:
    from sim2real.meta.train import Drive

_HELP = {"-h", "--help"}
_PICTURE = "horizon.png"


@dataclass(frozen=True, kw_only=True)
class Adapt:
    """Train a dynamics model that adapts online, on randomized simulations of a robot.

    The folder then holds the model (job.toml, dynamics.pt) and its prediction errors in worlds that
    it was not trained on, adapted and not (horizon.json, horizon.png). The defaults of the options
    below are the target's own: sim2real adapt TARGET --help shows them.
    """

    target: Annotated[str, tyro.conf.Positional]
    """A robot (a shipped name or a folder), or a job's TOML file."""
    output: Maybe[Path] = None
    """The model's folder; runs/<robot>-dynamics-<seed> if not given."""
    json: Flag = False
    """Print the errors as JSON for a script."""
    job: Annotated[DynamicsJob, tyro.conf.arg(name="")] = field(
        default_factory=lambda: DynamicsJob(robot="TARGET")
    )


def main(arguments: Sequence[str]) -> None:
    """Run the verb."""
    chosen = _options(arguments)
    job = chosen.job
    folder = chosen.output or Path("runs") / f"{Path(job.robot).name}-dynamics-{job.seed}"
    if (folder / "dynamics.pt").exists():
        raise ConfigError(f"{folder} holds a model already: choose another --output")
    from sim2real.evaluation.horizon import write_horizon
    from sim2real.meta.train import train_dynamics

    bar = progress_bar()
    total = job.dynamics.rounds * job.dynamics.members * job.fit.steps
    task = bar.add_task("train", total=total, note="")
    with ExitStack() as drawn:

        def show(steps: int, note: str) -> None:
            if not bar.live.is_started:  # not before there is something to show
                drawn.enter_context(bar)
            bar.update(task, completed=steps, note=note, refresh=True)

        trained = train_dynamics(job, folder, drive=_drive(job), on_progress=show)
    if trained.diverged:
        notes.print(f"{trained.diverged} simulations diverged: their steps were left out")
    write_horizon(trained.horizon, folder / _PICTURE, title=Path(job.robot).name)
    if chosen.json:
        return print_json(dataclasses.asdict(trained.horizon) | {"folder": folder})
    adapted, unadapted = trained.horizon.one_step
    return console.print(
        f"one-step error in new worlds: {adapted:.4f} adapted, {unadapted:.4f} not;"
        f" model in {folder}"
    )


def _drive(job: DynamicsJob) -> "Drive | None":
    """Return what acts in the rounds after the first: plans on the model so far, if it can."""
    if job.dynamics.rounds == 1 or job.dynamics.members > 1 or job.find_robot().base is not None:
        return None
    from sim2real.mpc.drive import planning
    from sim2real.mpc.icem import ICEM

    return planning(ICEM(horizon=10, candidates=60, iterations=2), seed=job.seed)


def _options(arguments: Sequence[str]) -> Adapt:
    """Return what is asked for, over the target's own defaults."""
    asks_for_help = bool(_HELP & set(arguments))
    if asks_for_help and arguments[0].startswith("-"):
        options(Adapt, arguments)  # prints the help of any target, and exits
    first = options(Adapt, [word for word in arguments if word not in _HELP])
    if asks_for_help:  # tyro leaves out what came before --help
        arguments = ["--help"]
    job = find_dynamics_job(first.target)
    return options(Adapt, arguments, Adapt(target=first.target, job=job))
