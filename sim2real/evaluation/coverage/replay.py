"""A robot's logs replayed in randomized worlds, over short windows from measured states."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from mujoco import MjModel
from numpy.typing import NDArray

from sim2real.calibration.recipe import Parameter, Recipe
from sim2real.calibration.rollouts import Rollouts, calibration_model, grid_of
from sim2real.calibration.windows import Grid, Windows, cut, white_noise
from sim2real.errors import CalibrationError
from sim2real.evaluation.worlds import joint_units, randomizer_of, simulator_of
from sim2real.parameters import randomness
from sim2real.parameters.posterior import Posterior
from sim2real.randomization.parameters import ParameterSet
from sim2real.randomization.terms.term import Term
from sim2real.robot import Robot
from sim2real.trajectory import Trajectory

Array = NDArray[np.float64]

HORIZONS = (0.2, 0.35, 0.5, 0.75, 1.0)
"""Windows' lengths to choose from [s]."""
_TELLING = 3.0
"""A horizon is long enough when the worlds differ by this many times the noise."""
_TRIAL = 24
"""Worlds to choose the horizon with."""
_TRIAL_DRAWS = 1000
_SHOWN = ("position_gain", "position_bias", "velocity_bias")
"""Of the sensors' parameters, what a replay shows; their noise is taken from the logs."""


@dataclass(frozen=True, kw_only=True)
class Replay:
    """`n` worlds and the robot over `k` samples of `s` signals, all windows one after another.

    Signals are the joints' positions, then their velocities.
    """

    signals: tuple[str, ...]
    units: tuple[str, ...]
    measured: Array
    """What the robot's sensors reported (k, s)."""
    predicted: Array
    """What they would have reported in each world (n, k, s): with noise as in the logs, and from
    start states as uncertain as the logs leave them."""
    smooth: Array
    """The same without noise of the sensors, but from the same start states (n, k, s)."""
    noise: Array
    """Standard deviation of the sensors' noise in the logs (k, s)."""
    telling: Array
    """By how many times the noise the worlds differ in each signal, the median over samples (s,).
    """
    window: NDArray[np.int64]
    """Which window each sample is of (k,)."""
    log: NDArray[np.int64]
    """Which log each sample is of (k,)."""
    seconds: Array
    """When in its log each sample was measured (k,)."""
    horizon: float
    """Length of the windows [s]."""
    parameters: tuple[str, ...]
    values: Array
    """The worlds' parameters (n, p)."""
    ignored: tuple[str, ...]
    """Randomized parameters that these logs cannot test."""
    dropped: dict[str, int]
    """Reason → number of windows left out for it."""


class Replayer:
    """Replays logs in any worlds of a robot."""

    def __init__(
        self,
        robot: Robot,
        logs: Sequence[Trajectory],
        recipe: Recipe | None = None,
        posterior: Posterior | None = None,
        *,
        seed: int = 0,
        nthread: int = 1,
    ):
        """Prepare the simulations.

        Args:
            robot: the robot that was recorded, with its ranges.
            logs: its recordings.
            recipe: which parts of them count, and whether commands are what acted.
            posterior: drawn instead of the robot's ranges for its parameters.
            seed: of the worlds and of the noise added to them.
            nthread: threads of the simulator.
        """
        self.robot, self.logs, self._seed = robot, logs, seed
        self._recipe = recipe or plain_recipe(robot)
        self._randomizer = randomizer_of(simulator_of(robot, 1, posterior), posterior, seed)
        terms = self._randomizer.parameters.terms
        tested = [i for i, term in enumerate(terms) if self._tests(term)]
        self._columns = np.array(tested, int)
        self.names = tuple(self._randomizer.names[i] for i in tested)
        if not tested:
            raise CalibrationError(
                "nothing that is randomized can be tested by these logs: noise has no trajectory,"
                " and where the torque was measured nothing before it is in the loop"
            )
        self.model = _model_of(robot, self._recipe, self.names, self.draw(_TRIAL_DRAWS))
        self.parameters = ParameterSet(self.model, tuple(robot.joints), self.names)
        self._rollouts = Rollouts(robot, self.model, self.parameters, nthread=nthread)
        self.grid: Grid = grid_of(robot, self.model)
        units = joint_units(robot, self.model)
        self.units = (*units, *(f"{unit}/s" for unit in units))
        self.signals = tuple(f"{name} {what}" for what in ("position", "velocity")
                             for name in robot.joints)  # fmt: skip

    @property
    def ignored(self) -> tuple[str, ...]:
        """Randomized parameters that the logs cannot test."""
        return tuple(name for name in self._randomizer.names if name not in self.names)

    def draw(self, worlds: int) -> Array:
        """Return the parameters of the worlds (n, p) that the logs can test."""
        ids = np.arange(worlds)
        return self._randomizer.draw(ids, np.zeros(worlds, np.int64))[0][:, self._columns]

    def replay(self, values: Array, windows: Windows, horizon: float) -> Replay:
        """Return the logs in worlds with the parameters `values` (n, p)."""
        n, w = len(values), len(windows)
        smooth = self.smooth(values, windows, self._start_errors(n, windows))
        kept = self._kept(windows)
        noise = np.repeat(self._noise(windows), len(kept), axis=0)
        seconds = windows.start[:, None] + (kept + 1) * self.grid.every * self.grid.timestep
        z = randomness.normal(self._seed, "coverage.noise", np.arange(n), size=noise.size)
        return Replay(
            signals=self.signals,
            units=self.units,
            measured=self._measured(windows, seconds, kept).reshape(smooth.shape[1:]),
            predicted=smooth + noise * z.reshape(smooth.shape),
            smooth=smooth,
            noise=noise,
            telling=self._telling(windows),
            window=np.repeat(np.arange(w), len(kept)),
            log=np.repeat(windows.log, len(kept)),
            seconds=seconds.ravel(),
            horizon=horizon,
            parameters=self.names,
            values=values,
            ignored=self.ignored,
            dropped=windows.dropped,
        )

    def smooth(self, values: Array, windows: Windows, start_errors: Array | None = None) -> Array:
        """Return what worlds `values` (n, p) do in the windows, without noise, (n, k, s)."""
        signals = self._rollouts.simulate(windows, values, start_errors)
        both = np.concatenate(signals, axis=-1)[:, :, self._kept(windows)]
        return both.reshape(len(values), -1, both.shape[-1])

    def windows(self, horizon: float) -> Windows:
        """Return the logs' windows of that length, end to end; maybe none."""
        plan = replace(self._recipe.windows, seconds=horizon, stride=horizon)
        return cut(self.logs, replace(self._recipe, windows=plan), self.grid, horizon)

    def choose_horizon(self) -> float:
        """Return the shortest horizon at which the worlds differ by more than the noise hides.

        Longer ones tell no more: an open loop drifts, whoever is right.
        """
        longest = 0.0
        for horizon in HORIZONS:
            windows = self.windows(horizon)
            if not len(windows):
                continue
            longest = horizon
            if self._telling(windows).max() >= _TELLING:
                return horizon
        if not longest:
            raise CalibrationError(
                f"the logs hold no window of {HORIZONS[0]} s in which the robot moves: record"
                " more motion, or choose another --recipe"
            )
        return longest

    def _telling(self, windows: Windows) -> Array:
        smooth = self.smooth(self.draw(_TRIAL), windows)
        noise = np.repeat(self._noise(windows), len(self._kept(windows)), axis=0)
        return np.median(smooth.std(axis=0) / noise, axis=0)

    def _tests(self, term: Term) -> bool:
        """Whether a parameter changes what a replay of these logs gives."""
        if term.name.kind == "actuator" and self._recipe.commands == "measured":
            return False
        return bool(term.fields) or term.name.attribute in _SHOWN

    def _kept(self, windows: Windows) -> NDArray[np.int64]:
        """Return the samples beyond the stretch from which the start was estimated."""
        nsample = windows.measured.shape[1]
        sample = self.grid.every * self.grid.timestep
        first = int(self._recipe.windows.smooth / sample)
        return np.arange(min(first, nsample - 1), nsample)

    def _start_errors(self, n: int, windows: Windows) -> Array:
        """Return what a start may be off by (n, w, 2 njoint), a draw for each world and window."""
        w, size = windows.covariance.shape[:2]
        values, vectors = np.linalg.eigh(windows.covariance)
        root = vectors * np.sqrt(np.maximum(values, 0.0))[:, None, :]
        z = randomness.normal(self._seed, "coverage.start", np.arange(n), size=w * size)
        return np.einsum("wij,nwj->nwi", root, z.reshape(n, w, size))

    def _noise(self, windows: Windows) -> Array:
        """Return the standard deviations of the sensors' noise in each window (w, 2 njoint)."""
        speed = np.stack([white_noise(log.velocity) for log in self.logs])
        position = np.sqrt(windows.noise)
        # a velocity without noise of its own: not finer than the simulator's own rounding
        velocity = np.maximum(speed[windows.log], 1e-3 * position)
        return np.concatenate([position, velocity], axis=1)

    def _measured(self, windows: Windows, seconds: Array, kept: NDArray[np.int64]) -> Array:
        """Return the reported signals (w, k, 2 njoint) at `seconds` (w, k) of the windows' logs."""
        velocity = np.empty((*seconds.shape, len(self.robot.joints)))
        for row, number in enumerate(windows.log):
            log = self.logs[number]
            for joint in range(len(self.robot.joints)):
                velocity[row, :, joint] = np.interp(
                    seconds[row], log.seconds, log.velocity[:, joint]
                )
        return np.concatenate([windows.measured[:, kept], velocity], axis=-1)


def plain_recipe(robot: Robot) -> Recipe:
    """Return the recipe that leaves nothing of a log out."""
    priors = {name: Parameter(prior=item.to_toml()) for name, item in robot.ranges.items()}
    return Recipe(robot=robot.name, parameters=priors)


def _model_of(robot: Robot, recipe: Recipe, names: tuple[str, ...], draws: Array) -> MjModel:
    """Return the model that can hold the delays in `draws` (n, p), and longer ones to try."""
    ends = zip(names, draws.max(axis=0).tolist(), strict=True)
    delays = {name: 2.0 * high + 0.02 for name, high in ends if name.endswith(".delay")}
    parameters = {name: Parameter(prior={"set": [0.0, high]}) for name, high in delays.items()} or {
        name: Parameter(prior={"scale": [1.0, 1.0]}) for name in names[:1]
    }
    return calibration_model(robot, recipe.fitting(parameters))
