"""All that speaks against a log, in the order in which it should be repaired."""

from collections.abc import Collection, Iterator

from sim2real.calibration.plausibility import clocks, signals
from sim2real.calibration.plausibility.finding import Finding
from sim2real.calibration.plausibility.samples import pieces
from sim2real.errors import LogError
from sim2real.robot import Robot
from sim2real.trajectory import Trajectory


def findings(log: Trajectory, robot: Robot, accept: Collection[str] = ()) -> tuple[Finding, ...]:
    """Return what speaks against the log, leaving out the kinds in `accept`."""
    return tuple(found for found in _findings(log, robot) if found.kind not in accept)


def require_plausible(log: Trajectory, robot: Robot, accept: Collection[str] = ()) -> None:
    """Raise LogError if something speaks against the log."""
    found = findings(log, robot, accept)
    if found:
        raise LogError(error_text(log, found))


def error_text(log: Trajectory, found: Collection[Finding]) -> str:
    """Return the error of a log that is refused."""
    kinds = ", ".join(f'"{kind}"' for kind in dict.fromkeys(item.kind for item in found))
    reasons = "; ".join(item.message for item in found)
    accept = f"to read it all the same, give the recipe logs.accept = [{kinds}]"
    return f"{log.source}: {reasons}; {accept}"


def _findings(log: Trajectory, robot: Robot) -> Iterator[Finding]:
    """Yield findings; those of a kind that explains others come alone."""
    dead = (*clocks.rates(log), *signals.constants(log, robot))
    yield from dead
    samples = pieces(log)
    if dead or not samples:
        return
    wrong = [*signals.limits(log, robot), *signals.velocities(log, samples)]
    wrong += signals.commands(log, robot)
    wrong += signals.servos(log, robot, samples)
    if not wrong:
        from sim2real.calibration.plausibility.torques import torques

        wrong += torques(robot, samples)
    yield from wrong
    if not wrong:
        yield from clocks.drift(log, robot, samples)
