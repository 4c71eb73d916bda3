"""`sim2real match`: move a distribution of worlds towards recorded logs."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro
from rich.table import Table

from sim2real import config, shipped
from sim2real.calibration.logs import read_log
from sim2real.calibration.logs.bags import is_bag
from sim2real.calibration.match import MatchJob, Target, match
from sim2real.calibration.recipe import Recipe, find_recipe
from sim2real.commands.console import Flag, Maybe, console, notes, options, print_json
from sim2real.errors import ConfigError
from sim2real.parameters.posterior import Posterior

_LOGS = tyro.conf.arg(metavar="LOG ...", help_behavior_hint="")


@dataclass(frozen=True, kw_only=True)
class Match:
    """Move a distribution of worlds towards recorded logs, as adaptive randomization does.

    SimOpt and EPOpt tell a correlated normal distribution, DROPO independent ones; the result is a
    posterior as `sim2real calibrate` writes it, for `sim2real train --posterior`.
    """

    target: Annotated[str, tyro.conf.Positional]
    """A launch file, or a recipe: a shipped one's name, or a folder with a recipe.toml."""
    logs: Annotated[tuple[Path, ...], _LOGS, tyro.conf.Positional] = ()
    """Log files, or one folder of which the recipe says which to fit; the launch file's if none."""
    output: Maybe[Path] = None
    """The posterior to write; runs/<robot>-<method>/posterior.toml if not given."""
    json: Flag = False
    """Print the result as JSON for a script."""
    job: Annotated[MatchJob, tyro.conf.arg(name="")] = field(
        default_factory=lambda: MatchJob(recipe="TARGET")
    )


def main(arguments: Sequence[str]) -> None:
    """Run the verb."""
    first = options(Match, arguments)
    chosen = options(Match, arguments, Match(target=first.target, job=_find_job(first.target)))
    job = chosen.job
    recipe = find_recipe(job.recipe)
    robot = shipped.find_robot(job.robot or recipe.robot)
    files = _files(chosen.logs or tuple(map(Path, job.logs)), recipe)
    logs = [read_log(path, recipe, robot) for path in files]
    with notes.status("matching") as status:
        posterior = match(robot, recipe, logs, job, on_progress=status.update)
        target = Target(robot, recipe, logs, nthread=job.nthread)
        error = target.error(np.stack([target.box.nominal, np.array(posterior.mean)]))
    path = chosen.output or Path("runs") / f"{robot.name}-{job.method}" / "posterior.toml"
    posterior.save(path)
    if chosen.json:
        return print_json({"posterior": str(path), "error": error, **config.to_dict(posterior)})
    _show(posterior, target)
    console.print(f"open-loop error: {error[0]:.4f} rad nominal, {error[1]:.4f} rad at the mean")
    return console.print(f"posterior: {path}")


def _find_job(target: str) -> MatchJob:
    path = Path(target).expanduser()
    return config.load(MatchJob, path) if path.suffix == ".toml" else MatchJob(recipe=target)


def _files(given: tuple[Path, ...], recipe: Recipe) -> list[Path]:
    if not given:
        raise ConfigError("no logs to match: name log files, or one folder of them")
    if len(given) == 1 and given[0].is_dir() and not is_bag(given[0]):
        return recipe.fit_files(given[0])
    missing = [str(path) for path in given if not path.exists()]
    if missing:
        raise ConfigError(f"no such log: {', '.join(missing)}")
    return list(given)


def _show(posterior: Posterior, target: Target) -> None:
    table = Table("parameter", "nominal", "mean", "std", "std of the prior", box=None)
    rows = zip(
        posterior.names, target.box.nominal, posterior.mean, posterior.std, target.prior.std,
        strict=True,
    )  # fmt: skip
    for name, *numbers in rows:
        table.add_row(name, *(f"{number:.4g}" for number in numbers))
    console.print(table)
