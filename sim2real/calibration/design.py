"""The motion that tells most about a robot's parameters, within its limits.

Motions are those that `Excitation` can play. Of each, the Fisher information about the recipe's
unknowns follows from a simulation; the one with the largest determinant is taken (D-optimal design,
Fedorov 1972): it makes the volume of the posterior smallest.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim2real.calibration import identifiability
from sim2real.calibration.problem import Problem
from sim2real.calibration.windows import Windows
from sim2real.deploy.excitation import Excitation, Kind
from sim2real.errors import CalibrationError, ConfigError
from sim2real.parameters import randomness
from sim2real.trajectory import Trajectory

Array = NDArray[np.float64]

_NOISE = 1e-3
"""Of a sensor of positions, for the comparison of motions [rad]."""
_WORLDS = 4
"""Draws from the prior in which a motion has to stay within the limits, beside the nominal one."""
_MARGIN = 0.95
_KINDS: tuple[Kind, ...] = ("multisine", "chirp", "steps")


@dataclass(frozen=True, kw_only=True)
class Design:
    """A motion, and what its log would tell."""

    excitation: Excitation
    names: tuple[str, ...]
    narrowed: tuple[float, ...]
    """Standard deviation of each unknown after the log, as a share of its prior's (p,)."""
    verdicts: tuple[str, ...]
    """As of a calibration with that log."""
    information: float
    """log det of the information, in units of the prior's."""
    tried: int
    refused: int
    """Motions that left the robot's limits in the nominal or a likely world."""


def design(
    problem: Problem,
    *,
    seconds: float,
    candidates: int = 18,
    seed: int = 0,
    on_progress: Callable[[str], None] = lambda message: None,
) -> Design:
    """Return the best of many motions of one length.

    Args:
        problem: the robot, with the unknowns that are to be told.
        seconds: length of the motion.
        candidates: how many motions to try.
        seed: of the motions.
        on_progress: told what is being done.

    Raises:
        ConfigError: the motion is to be shorter than what is fitted, or none is to be tried.
        CalibrationError: every motion leaves the limits, or no part of any is left to fit.
    """
    cut = problem.recipe.windows
    shortest = (cut.refine or cut.seconds) + 2.0 * cut.smooth
    if not shortest < seconds < np.inf:
        raise ConfigError(
            f"seconds = {seconds:g}: a motion must be longer than a window of the recipe,"
            f" {shortest:g} s; ten times that tells more"
        )
    if candidates < 1:
        raise ConfigError(f"candidates = {candidates}: compare at least one motion")
    told: Array = np.empty((0, 0))
    best, best_score, refused = None, -np.inf, 0
    for number, excitation in enumerate(_motions(problem, seconds, candidates, seed)):
        on_progress(f"motion {number + 1} of {candidates}")
        log = _played(problem, excitation, seed)
        information = None if log is None else _information(problem, log)
        refused += log is None
        if information is None:
            continue
        score = float(np.linalg.slogdet(np.eye(len(information)) + information)[1])
        if score > best_score:
            best, best_score, told = excitation, score, information
    if best is None:
        raise CalibrationError(
            f"robot {problem.robot.name!r}: none of {candidates} motions stays within its limits"
            f" and leaves windows to fit ({refused} left the limits): lower the recipe's"
            " [excitation] amplitude, or widen the limits if they are wider in truth"
        )
    covariance: Array = np.linalg.inv(np.eye(len(told)) + told).astype(np.float64)
    return Design(
        excitation=best,
        names=problem.names,
        narrowed=tuple(np.sqrt(np.diag(covariance)).tolist()),
        verdicts=identifiability.verdicts(problem.names, told, covariance),
        information=best_score,
        tried=candidates,
        refused=refused,
    )


def _motions(problem: Problem, seconds: float, count: int, seed: int) -> Iterator[Excitation]:
    largest = problem.recipe.excitation.amplitude
    fastest = min(problem.robot.control_hz / 4, 4.0)
    u = randomness.uniform(seed, "excitation design", np.arange(count), size=3)
    for i in range(count):
        low = max(0.1 * 10 ** u[i, 0], 0.6 / seconds)
        high = min(fastest, max(2.0 * low, low * 20 ** u[i, 1]))
        amplitude = largest * (0.3 + 0.7 * float(u[i, 2]))
        try:
            yield Excitation(
                problem.robot, kind=_KINDS[i % len(_KINDS)], seconds=seconds,
                amplitude=amplitude, band=(low, high), seed=seed + i,
            )  # fmt: skip
        except ConfigError:  # a band that this rate or length cannot have
            continue


def _played(problem: Problem, excitation: Excitation, seed: int) -> Trajectory | None:
    """Return the motion in the nominal world; None if it leaves the limits in a likely one."""
    robot, grid = problem.robot, problem.grid
    home = np.array([joint.home for joint in robot.joints.values()])
    command = np.repeat(excitation.signal, grid.every, axis=0)
    size = 2 * len(home)
    still = Windows(
        position=home[None],
        velocity=np.zeros_like(home)[None],
        covariance=np.zeros((1, size, size)),
        command=command[None],
        before=np.tile(command[:1], (grid.history, 1))[None],
        measured=np.zeros((1, len(excitation.signal), len(home))),
        log=np.zeros(1, np.int64),
        start=np.zeros(1),
        noise=np.full((1, len(home)), _NOISE**2),
        dropped={},
    )
    low, high = problem.coordinates.z_bounds
    drawn = randomness.normal(seed, "excitation worlds", np.arange(_WORLDS), size=len(low))
    z = np.clip(np.vstack([_nominal(problem), drawn]), low, high)
    values = problem.assignment([_stub(problem)]).spread(problem.coordinates.values(z), still.log)
    position, velocity = problem.rollouts.simulate(still, values)
    for i, joint in enumerate(robot.joints.values()):
        limits = joint.limits
        if limits is None:
            continue
        if np.abs(velocity[..., i]).max() > _MARGIN * limits.velocity:
            return None
        if limits.position is not None:
            middle, half = np.mean(limits.position), 0.5 * np.ptp(limits.position)
            if np.abs(position[..., i] - middle).max() > _MARGIN * half:
                return None
    stamps = np.round(np.arange(len(position[0, 0])) * 1e9 / robot.control_hz).astype(np.int64)
    return Trajectory(
        joints=tuple(robot.joints), driven=robot.driven, time=stamps,
        position=np.vstack([home, position[0, 0][:-1]]),
        velocity=np.vstack([np.zeros_like(home), velocity[0, 0][:-1]]),
        command=excitation.signal, source="design",
    )  # fmt: skip


def _information(problem: Problem, log: Trajectory) -> Array | None:
    """Return what a log tells, in units of the prior's information (p, p); None for nothing."""
    seconds = problem.recipe.windows.seconds
    if not len(problem.windows([log], seconds)):
        return None
    residual = problem.residual([log], seconds)
    n, size = residual.windows.covariance.shape[:2]
    J = residual.jacobian(_nominal(problem), np.zeros((n, size)))
    # a model that is wrong by a share of the motion: as in `Weighting.rescaled`
    redundancy = 1.0 + float(((residual.motion * residual.model_error / _NOISE) ** 2).sum())
    return np.einsum("ndp,ndq->pq", J, J) / (_NOISE**2 * redundancy)


def _nominal(problem: Problem) -> Array:
    coordinates = problem.coordinates
    return coordinates.z(np.clip(coordinates.nominal, coordinates.lower, coordinates.upper))


def _stub(problem: Problem) -> Trajectory:
    """Return a log of no run: what is known of runs is not known of a motion to come."""
    robot = problem.robot
    rest = np.zeros((2, len(robot.joints)))
    return Trajectory(
        joints=tuple(robot.joints), driven=robot.driven, time=np.array([0, 1]), position=rest,
        velocity=rest, command=np.zeros((2, len(robot.driven))), source="design",
    )  # fmt: skip
