"""`sim2real plan`: drive a robot by planning on its simulation."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro

from sim2real import shipped
from sim2real.commands.console import Flag, Maybe, console, options, print_json, progress_bar
from sim2real.commands.drive import drive, key_of
from sim2real.deploy.driver import connected
from sim2real.deploy.drivers.udp import UdpDriver
from sim2real.deploy.source import CommandSource
from sim2real.errors import ConfigError
from sim2real.mpc.settings import PlannerSettings
from sim2real.parameters.posterior import Posterior


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Drive a robot without any training: plan on its simulation in every control step.

    In a simulated world drawn from the robot's ranges, or with --address a robot behind a link, in
    real time as far as this computer can.
    """

    robot: Annotated[str, tyro.conf.Positional]
    """A shipped robot, or a folder with a robot.toml."""
    seconds: Maybe[float] = None
    """How long; an episode of the task if not given."""
    worlds: int = 1
    """Worlds that every plan is tried in: 1 is the nominal robot, or the posterior's mean; more
    are drawn, so that a plan must hold in all of them."""
    posterior: Maybe[Path] = None
    """A calibration's posterior.toml, which worlds are drawn from."""
    risk: float = 0.0
    """0 plans for the mean over the worlds, 1 for the worst one."""
    every: int = 1
    """Control steps between plans; the last plan is followed in between."""
    nominal: Flag = False
    """The simulated robot that is driven is exactly its model."""
    address: Maybe[str] = None
    """Drive the robot that listens here, host:port, instead of a simulated one."""
    key: Maybe[Path] = None
    """A file with the key that both ends share; needed if the link leaves this computer."""
    record: Maybe[Path] = None
    """The file of a recording, with --address."""
    seed: int = 0
    """Of the world, and of the planner's noise."""
    nthread: int = 2
    """Threads of the simulator."""
    json: Flag = False
    """Print the result as JSON for a script."""
    planner: PlannerSettings = field(
        default_factory=lambda: PlannerSettings(horizon=40, execute="best")
    )


def main(arguments: Sequence[str]) -> None:
    """Run the verb."""
    from sim2real.mpc.build import build_planner
    from sim2real.mpc.simulation import SimulatedObjective
    from sim2real.mpc.source import SimulatorPlanner

    chosen = options(Plan, arguments)
    robot, planner = shipped.find_robot(chosen.robot), build_planner(chosen.planner)
    posterior = None if chosen.posterior is None else Posterior.load(chosen.posterior)
    objective = SimulatedObjective(
        robot, planner.width, worlds=chosen.worlds, posterior=posterior, risk=chosen.risk,
        seed=chosen.seed, nthread=chosen.nthread)  # fmt: skip
    source = SimulatorPlanner(objective, planner, every=chosen.every, seed=chosen.seed)
    seconds = chosen.seconds or objective.task.options.episode_seconds
    if not seconds > 0.0:
        raise ConfigError(f"seconds = {chosen.seconds} must be above 0")
    if chosen.address is None:
        return _simulate(chosen, source, round(seconds * robot.control_hz))
    with connected(UdpDriver(robot, chosen.address, key_of(chosen.key))) as driver:
        summary = drive(source, driver, seconds=seconds, path=chosen.record, title="plan")
    if chosen.json:
        print_json(dataclasses.asdict(summary))
    return None


def _simulate(chosen: Plan, source: CommandSource, steps: int) -> None:
    from sim2real.envs.vector_env import RobotVectorEnv
    from sim2real.mpc.run import simulate

    with progress_bar("control steps") as bar:
        task = bar.add_task("plan", total=steps, note="")

        def show(step: int, earned: float) -> None:
            bar.update(task, completed=step, note=f"return {earned:.1f}", refresh=True)

        env = RobotVectorEnv(shipped.find_robot(chosen.robot), 1, randomized=not chosen.nominal)
        outcome = simulate(source, env, steps, seed=chosen.seed, on_progress=show)
    if chosen.json:
        return print_json(dataclasses.asdict(outcome))
    ended = f", failed after {outcome.steps} control steps" if outcome.failed else ""
    return console.print(
        f"return {outcome.earned:.1f}, {np.mean(outcome.success):.0%} of the time"
        f" as the task wants{ended}"
    )
