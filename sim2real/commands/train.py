"""`sim2real train`: train a policy in randomized simulation."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from sim2real import config, shipped
from sim2real.commands.console import console, options, print_json, progress_bar
from sim2real.errors import ConfigError
from sim2real.training.job import Job


@dataclass(frozen=True, kw_only=True)
class Train:
    """Train a policy in randomized simulation.

    Ctrl-C stops after the iteration at hand; --resume continues exactly from there.
    """

    target: Annotated[str, tyro.conf.Positional]
    """A robot (a shipped name or a folder), a job's TOML file, or with --resume a run's folder."""
    output: Path | None = None
    """The run's folder; runs/<robot>-<algorithm>-<seed> if not given."""
    resume: bool = False
    """Continue the run in the target folder."""
    json: bool = False
    """Print the result as JSON for a script."""
    job: Annotated[Job, tyro.conf.arg(name="")] = field(default_factory=lambda: Job(robot=""))


def main(arguments: Sequence[str]) -> None:
    """Run the verb."""
    from sim2real.training.run import train

    if not arguments or arguments[0].startswith("-"):
        options(Train, arguments)  # prints the help, or what is missing
        raise ConfigError("write what to train first: sim2real train pendulum ...")
    target = arguments[0]
    default = Train(target=target, job=find_job(target))
    chosen = options(Train, arguments, default)
    job = chosen.job
    folder = chosen.output or Path("runs") / f"{Path(job.robot).name}-{job.algorithm}-{job.seed}"
    if chosen.resume:
        folder = chosen.output or Path(target)
    with progress_bar() as bar:
        task = bar.add_task("train", total=job.steps, note="")

        def show(steps: int, metrics: dict[str, float]) -> None:
            note = f"return {metrics['return']:.1f}" if "return" in metrics else ""
            if "evaluation/return" in metrics:
                note += f"  evaluated {metrics['evaluation/return']:.1f}"
            bar.update(task, completed=min(steps, job.steps), note=note, refresh=True)

        result = train(job, folder, resume=chosen.resume, on_progress=show)
    if chosen.json:
        return print_json(dataclasses.asdict(result))
    if not result.finished:
        console.print(f"stopped; continue with: sim2real train {folder} --resume")
    best = result.evaluation
    return console.print(
        f"best policy: return {best['return']:.1f}, success {best['success']:.0%} in {folder}"
    )


def find_job(target: str) -> Job:
    """Return the job of a TOML file or a run; a robot's launch file, or the defaults."""
    path = Path(target).expanduser()
    if path.suffix == ".toml":
        return config.load(Job, path)
    if (path / "job.toml").is_file():
        return config.load(Job, path / "job.toml")
    launch = shipped.folder("launch") / f"{target}.toml"
    if launch.is_file():
        return config.load(Job, launch)
    shipped.find_robot(target)  # a wrong name is refused here, with the near ones
    return Job(robot=target)
