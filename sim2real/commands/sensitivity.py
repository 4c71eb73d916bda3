"""`sim2real sensitivity`: find the worlds in which a policy fails, and why."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro
from rich.table import Table

from sim2real.commands.console import Flag, Maybe, console, notes, options, print_json
from sim2real.errors import ConfigError
from sim2real.parameters.posterior import Posterior

if TYPE_CHECKING:
    from sim2real.evaluation.sensitivity.analysis import Analysis
    from sim2real.evaluation.sensitivity.suite import Rerun


@dataclass(frozen=True, kw_only=True)
class Sensitivity:
    """Find the worlds in which a trained policy fails, and the parameters that decide it.

    Sweeps all randomized parameters, ranks them, searches the worst world, and writes sensitivity.
    html, sensitivity.png and suite.toml: the hard worlds, in which --suite runs another policy
    (exit code 1 if it fails in one that the suite's own policy passed).
    """

    policy: Annotated[Path, tyro.conf.Positional]
    """A training run's folder, or an exported .onnx controller."""
    robot: Maybe[str] = None
    """A shipped robot, or a folder with a robot.toml; the policy's own if not given."""
    suite: Maybe[Path] = None
    """Run the policy in the worlds of this suite.toml instead."""
    posterior: Maybe[Path] = None
    """A calibration's posterior.toml: swept instead of the robot's ranges for its parameters."""
    episodes: int = 4096
    """Of the sweep, at most."""
    generations: int = 20
    """Of the search for the worst world, 128 episodes each."""
    starts: int = 16
    """Episodes in each world of the suite."""
    output: Maybe[Path] = None
    """The folder of the results; the run's own, or runs/<controller>-sensitivity if not given."""
    seed: int = 0
    """Of worlds, starts and noise."""
    nthread: int = 2
    """Threads of the simulator."""
    json: Flag = False
    """Print the result as JSON for a script."""


def main(arguments: Sequence[str]) -> None:
    """Run the verb."""
    chosen = options(Sensitivity, arguments)
    if chosen.suite is not None:
        return _rerun(chosen, chosen.suite)
    from sim2real.evaluation.sensitivity.analysis import Settings, analyse
    from sim2real.evaluation.sensitivity.policy import open_policy
    from sim2real.evaluation.sensitivity.report import write_sensitivity

    settings = Settings(**{f.name: getattr(chosen, f.name) for f in dataclasses.fields(Settings)})
    posterior = None if chosen.posterior is None else Posterior.load(chosen.posterior)
    examined = open_policy(chosen.policy, chosen.robot)
    folder = _folder(chosen)
    with notes.status("sweeping") as status:
        analysis = analyse(examined, settings, posterior, status.update)
        status.update("drawing")
        for name in ("sensitivity.html", "sensitivity.png"):
            write_sensitivity(analysis, folder / name)
        analysis.suite.save(folder / "suite.toml")
    if chosen.json:
        return print_json(analysis.facts() | {"folder": folder})
    _show(analysis)
    return console.print(f"report: {(folder / 'sensitivity.html').resolve()}")


def _folder(chosen: Sensitivity) -> Path:
    if chosen.output is not None:
        if chosen.output.exists() and not chosen.output.is_dir():
            raise ConfigError(f"--output {chosen.output} is a file: give a folder")
        return chosen.output
    if chosen.policy.is_dir():
        return chosen.policy
    return Path("runs") / f"{chosen.policy.stem}-sensitivity"


def _show(analysis: "Analysis") -> None:
    found = analysis.sweep
    console.print(
        f"{found.success.mean():.1%} of {len(found.success)} episodes over the whole ranges succeed"
    )
    table = Table("parameter", f"decides of {found.outcome}", "alone", "hard where", box=None)
    for effect in found.effects[:10]:
        low, high = effect.total_interval
        side = "low" if effect.correlation > 0 else "high"
        table.add_row(effect.name, f"{effect.total:.0%} ({low:.0%} to {high:.0%})",
                      f"{effect.first:.0%}", side)  # fmt: skip
    console.print(table)
    worst = analysis.worst
    values = ", ".join(f"{name} {value:.3g}" for name, value in worst.parameters.items())
    console.print(f"worst world: return {worst.mean_return:.1f}, success {worst.success:.0%}:"
                  f" {values}")  # fmt: skip


def _rerun(chosen: Sensitivity, path: Path) -> None:
    from sim2real.evaluation.sensitivity.policy import open_policy
    from sim2real.evaluation.sensitivity.suite import Suite, rerun

    suite = Suite.load(path)
    examined = open_policy(chosen.policy, chosen.robot)
    with notes.status(f"running {len(suite.worlds)} worlds"):
        rows = rerun(suite, examined, nthread=chosen.nthread)
    broken = [row for row in rows if row.change == "broken"]
    if chosen.json:
        facts = [dataclasses.asdict(row) for row in rows]
        passed = sum(row.passed for row in rows)
        print_json({"policy": examined.name, "suite_of": suite.policy, "passed": passed,
                    "worlds": facts, "broken": [row.world.name for row in broken]})  # fmt: skip
    else:
        _show_rerun(examined.name, suite.policy, rows)
    if broken:
        raise SystemExit(1)


def _show_rerun(name: str, before: str, rows: "list[Rerun]") -> None:
    table = Table("world", f"{before}: return, success", f"{name}: return, success", "", "",
                  box=None)  # fmt: skip
    for row in rows:
        world = row.world
        table.add_row(
            world.name, f"{world.mean_return:.1f}, {world.success:.0%}",
            f"{row.mean_return:.1f}, {row.success:.0%}", "pass" if row.passed else "fail",
            "" if row.change == "same" else row.change)  # fmt: skip
    console.print(table)
    passed = sum(row.passed for row in rows)
    console.print(f"{name} passes {passed} of {len(rows)} worlds")
