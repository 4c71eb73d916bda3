"""The engine: draws a world for each (environment, episode) and writes it to the simulator."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sim2real.errors import ParameterError, known
from sim2real.parameters import randomness
from sim2real.parameters.correlation import Correlation
from sim2real.parameters.posterior import Posterior
from sim2real.parameters.ranges import Range
from sim2real.randomization.draws import Draws, Instant, draws_of
from sim2real.randomization.friction import refuse_hidden_friction
from sim2real.randomization.mending import Impossible, Mender, check_ranges
from sim2real.randomization.moving import Moved
from sim2real.randomization.parameters import ParameterSet
from sim2real.sim.simulator import Ids, Simulator

Array = NDArray[np.float64]
Worlds = tuple[Array, Array]
"""Parameters (n, p) in SI units, and each on the scale of its own distribution."""
_TRIALS = 256
"""Worlds that are drawn to see whether ranges can be impossible together."""


@final
class Randomizer:
    """Draws dynamics parameters from ranges, and from a posterior where one knows better.

    A world is a function of (seed, parameter, environment, episode): it can be drawn again alone,
    and neither other parameters nor other environments change it.
    """

    def __init__(
        self,
        sim: Simulator,
        ranges: Mapping[str, Range],
        posterior: Posterior | None = None,
        *,
        seed: int,
        correlations: Sequence[Correlation] = (),
        posterior_share: float = 1.0,
        impossible: Impossible = "error",
    ):
        """Make an engine that writes to `sim`.

        Args:
            sim: the simulations.
            ranges: parameter → how it varies.
            posterior: drawn instead of the ranges of its parameters.
            seed: key of all draws.
            correlations: groups of `ranges` that are not independent.
            posterior_share: share of the worlds that are drawn from the posterior; in the others
                its parameters are drawn from their ranges, or nominal where they have none.
            impossible: what becomes of a draw that is not physically possible; see `Robot`.
        """
        if not 0.0 <= posterior_share <= 1.0:
            raise ParameterError(f"posterior_share = {posterior_share} must be in [0, 1]")
        self._sim, self._posterior, self.seed = sim, posterior, seed
        self._share = posterior_share
        known = posterior.names if posterior else ()
        independent = [name for name in ranges if name not in known]
        self.parameters = ParameterSet(sim.model, tuple(sim.robot.joints), (*independent, *known))
        drawn = ranges if posterior_share < 1.0 else {name: ranges[name] for name in independent}
        check_ranges(self.parameters, drawn, impossible)
        nominal = dict(zip(self.names, self.parameters.nominal, strict=True))
        self._drawn, self._declared, self._correlations = dict(drawn), dict(drawn), correlations
        self._draws = draws_of(drawn, nominal, correlations, sim.robot.control_hz)
        self._moved: Moved | None = None
        self._within = [draws for draws in self._draws if draws.within_episode]
        self._make_room(nominal)
        self._refuse_times_of(known)
        self._known = slice(len(independent), None)
        self._mean, self._std = self._moments_of_known()
        self.mender = Mender(self.parameters, impossible, self._blocks())
        """What is done about draws that are not possible, and how often it was."""
        self._certain = self.mender.is_idle(drawn, posterior)
        if impossible == "error" and self.parameters.conditions:
            self.draw(np.arange(_TRIALS), np.zeros(_TRIALS, np.int64))  # not in mid-training
        refuse_hidden_friction(sim.model, drawn)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the `p` parameters, in the order of the columns."""
        return self.parameters.names

    @property
    def varies(self) -> bool:
        """Whether worlds change within an episode."""
        return bool(self._within)

    @property
    def ranges(self) -> Mapping[str, Range]:
        """What parameters are drawn from now, where the posterior does not know better."""
        return MappingProxyType(self._drawn)

    @property
    def movable(self) -> dict[str, Range]:
        """The declared ranges that `replace` can replace.

        Those are drawn once an episode, each for itself, and neither move by a curriculum nor are
        known from the posterior.
        """
        together = {name for group in self._correlations for name in group.parameters}
        return {
            name: item
            for name, item in self._declared.items()
            if item.when == "episode"
            and item.curriculum is None
            and name not in together
            and self.names.index(name) < self._known.start
        }

    def replace(self, ranges: Mapping[str, Range], *, boundary: float = 0.0) -> None:
        """Draw the parameters of `ranges` from these from now on, and the others as declared.

        Args:
            ranges: parameter → its new range, within the bounds of the declared one.
            boundary: share of the worlds in which one of these parameters, in turn with the others,
                stands at one end of its range.

        Raises:
            ParameterError: a range that cannot move, or leaves the declared one.
        """
        nominal = dict(zip(self.names, self.parameters.nominal, strict=True))
        movable, bounds = self.movable, np.empty((len(ranges), 2, 2))
        for i, (name, item) in enumerate(ranges.items()):
            if name not in movable:
                raise ParameterError(f"{name!r} has no range that can move{known(name, movable)}")
            (least, most), (low, high) = bounds[i] = [
                each.bounds(float(nominal[name])) for each in (movable[name], item)
            ]
            if not (np.isfinite([least, most]).all() and least <= low <= high <= most):
                raise ParameterError(
                    f"{name}: [{low:g}, {high:g}] leaves the declared [{least:g}, {most:g}]"
                )
        self._drawn = self._declared | dict(ranges)
        control_hz = self._sim.robot.control_hz
        self._draws = draws_of(self._drawn, nominal, self._correlations, control_hz)
        columns = [self.names.index(name) for name in ranges]
        self._moved = Moved(columns, bounds[:, 0], bounds[:, 1], boundary) if ranges else None

    def draw(
        self, ids: NDArray[Any], episode: NDArray[np.int64], progress: ArrayLike = 1.0
    ) -> Worlds:
        """Return the worlds of environments `ids` (n,) at the start of their episodes (n,).

        `progress`, a number or (n,), is the share of the training that is over: what curricula
        follow.

        Returns:
            values: the parameters (n, p), in SI units.
            normalized: the same, each on the scale of its own distribution, about [-1, 1].
        """
        steps = np.zeros(len(ids), np.int64)
        instant = Instant(ids, episode, steps, np.full(len(ids), progress, np.float64))
        nominal = np.repeat(self.parameters.nominal[None], len(ids), axis=0)

        def sample(rows: Any, attempt: int) -> Worlds:
            worlds = nominal[rows].copy(), np.zeros_like(nominal[rows])
            self._fill(worlds, self._draws, instant.of(rows), attempt)
            self._fill_known(worlds, instant.of(rows), attempt)
            if self._moved is not None:
                self._moved.finish(worlds, self.seed, instant.of(rows))
            return worlds

        worlds = sample(slice(None), 0)
        if not self._certain:
            self.mender.mend(worlds, nominal, sample)
        return worlds

    def apply(self, ids: Ids, values: Array) -> None:
        """Write worlds (n, p) to the simulations `ids` (n,), before their reset."""
        if self.names:
            self.parameters.write(self._sim, ids, values)

    def vary(self, ids: Ids, instant: Instant, worlds: Worlds) -> None:
        """Draw and write what is due in the middle of an episode; the states stay as they are.

        Args:
            ids: simulations (n,) to write to.
            instant: the environments and episodes (n,) that they are in, and how far.
            worlds: values and normalized values of all simulations (nsim, p), changed in place.
        """
        for draws in self._within:
            due = np.flatnonzero(draws.due(instant.steps))
            if len(due):
                rows = ids[due]
                self._vary(draws, instant.of(due), rows, worlds)
                self.parameters.write(self._sim, rows, worlds[0][rows], draws.columns)
                self._sim.update(rows)

    def _vary(self, draws: Draws, instant: Instant, ids: Ids, worlds: Worlds) -> None:
        before = worlds[0][ids], worlds[1][ids]

        def sample(rows: Any, attempt: int) -> Worlds:
            new = before[0][rows].copy(), before[1][rows].copy()
            self._fill(new, [draws], instant.of(rows), attempt)
            return new

        new = sample(slice(None), 0)
        if not self._certain:
            self.mender.mend(new, before[0], sample)
        worlds[0][ids], worlds[1][ids] = new

    def _fill(
        self, worlds: Worlds, chosen: Sequence[Draws], instant: Instant, attempt: int
    ) -> None:
        for draws in chosen:
            drawn = draws.draw(self.seed, instant, attempt)
            worlds[0][:, draws.columns], worlds[1][:, draws.columns] = drawn

    def _fill_known(self, worlds: Worlds, instant: Instant, attempt: int) -> None:
        """Draw the posterior's parameters in its share of the worlds."""
        if self._posterior is None:
            return
        key = instant.environment, instant.episode
        again = (np.full_like(key[0], attempt),) if attempt else ()
        z = randomness.normal(self.seed, "posterior", *key, *again, size=self._posterior.ndraw)
        u = randomness.uniform(self.seed, "posterior share", *key, size=1)
        values, normalized = (array[:, self._known] for array in worlds)
        values[...] = np.where(u < self._share, self._posterior.draw(z), values)
        normalized[...] = (values - self._mean) / (2.0 * self._std)

    def _moments_of_known(self) -> Worlds:
        """Return mean and deviation of the posterior's parameters over all worlds, each (k,)."""
        if self._posterior is None:
            return np.zeros(0), np.zeros(0)
        mean, variance = self.parameters.nominal.copy(), np.zeros(len(self.names))
        for draws in self._draws:
            mean[draws.columns], std = draws.table.moments()
            variance[draws.columns] = std**2
        share, known = self._share, np.asarray(self._posterior.mean)
        mean, variance = mean[self._known], variance[self._known]
        centre = share * known + (1.0 - share) * mean
        spread = share * (self._posterior.std**2 + (known - centre) ** 2)
        std = np.sqrt(spread + (1.0 - share) * (variance + (mean - centre) ** 2))
        return centre, np.where(std > 0, std, 1.0)

    def _blocks(self) -> list[list[int]]:
        """Return the columns that are drawn together, and so drawn again together."""
        blocks = [
            [draws.columns[i] for i in group] for draws in self._draws for group in draws.groups
        ]
        return [*blocks, list(range(len(self.names)))[self._known]]

    def _make_room(self, nominal: Mapping[str, float]) -> None:
        for draws in self._within:
            for column in draws.columns:
                name, term = self.names[column], self.parameters.terms[column]
                term.make_room(self._sim, self._drawn[name].bounds(nominal[name])[1])

    def _refuse_times_of(self, known: Sequence[str]) -> None:
        for draws in self._within:
            for column in draws.columns:
                if self.names[column] in known:
                    raise ParameterError(
                        f"{self.names[column]}: the posterior has one value for an episode, and the"
                        " range draws within it: leave out its when or every, or draw all worlds"
                        " from the posterior"
                    )
