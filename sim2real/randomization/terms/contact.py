"""Contacts in physical terms: which geom decides about them, and how high they bounce.

A contact takes the larger friction and the weighted mean of the softness of its two geoms, unless
one has the higher `priority`: then that one decides (MuJoCo's manual, "Contact parameters").
"""

from collections.abc import Sequence
from typing import final

import mujoco
import numpy as np

from sim2real.randomization.terms.term import (
    Array,
    SharedTerm,
    Writer,
    between,
    element_id,
    scaled,
)
from sim2real.sim.contacts import partners
from sim2real.sim.simulator import Ids, Simulator

_TIME, _RATIO, _BOUNCE = range(3)
_RATIOS = np.geomspace(1e-4, 20.0, 4000)


def restitution_of(ratio: Array) -> Array:
    """Return the coefficient of restitution (...) of a linear contact of damping ratio ζ (...) > 0.

    Speed after over speed before an impact on a spring and damper that can push but not pull
    (Schwager and Pöschel 2007, "Coefficient of restitution and linear-dashpot model revisited",
    equation 10, in units of the natural frequency).
    """
    ratio = np.asarray(ratio, float)
    under, over = np.minimum(ratio, 1.0), np.maximum(ratio, 1.0)
    root = np.sqrt(np.maximum(1.0 - under**2, 1e-300))
    angle = np.arctan2(2.0 * under * root, 2.0 * under**2 - 1.0)
    slow = np.sqrt(np.maximum(over**2 - 1.0, 1e-300))
    with np.errstate(divide="ignore", invalid="ignore"):
        damped = np.exp(-under / root * angle)
        creeping = np.exp(-over / slow * np.log((over + slow) / (over - slow)))
    near = np.abs(ratio - 1.0) < 1e-6
    return np.where(near, np.exp(-2.0), np.where(ratio < 1.0, damped, creeping))


def damping_ratio_of(restitution: Array) -> Array:
    """Return the damping ratio (...) whose coefficient of restitution (...) is given."""
    table = restitution_of(_RATIOS)
    return np.exp(np.interp(-np.asarray(restitution), -table, np.log(_RATIOS)))


@final
class SoftnessWriter(Writer):
    """Writes `solref` from time constant, damping ratio and restitution."""

    def __init__(self, model: mujoco.MjModel, terms: Sequence[SharedTerm]):
        soft = [term for term in terms if isinstance(term, SoftnessTerm)]
        self._geoms = np.unique([term.geom for term in soft])
        self._rows = np.searchsorted(self._geoms, [term.geom for term in soft])
        self._slots = np.array([term.slot for term in soft])
        self._neutral = np.zeros((len(self._geoms), 3))
        self._neutral[:, :_BOUNCE] = model.geom_solref[self._geoms]
        bounces = {term.geom for term in soft if isinstance(term, Restitution)}
        clash = [term for term in soft if term.geom in bounces and term.slot == _RATIO]
        if clash:
            raise clash[0].refuse("its damping follows from the geom's restitution: leave one out")
        self._bouncing = np.flatnonzero([geom in bounces for geom in self._geoms])

    def write(self, sim: Simulator, ids: Ids, values: Array) -> None:  # noqa: D102
        numbers = np.repeat(self._neutral[None], len(ids), axis=0)
        numbers[:, self._rows, self._slots] = values
        time, ratio, bounce = np.moveaxis(numbers[:, self._bouncing], -1, 0)
        nominal = self._neutral[self._bouncing, _RATIO]
        wanted = np.where(bounce == nominal_restitution(nominal), nominal, damping_ratio_of(bounce))
        # timeconst = 1 / (ζ ω): the contact's natural frequency stays as it is
        numbers[:, self._bouncing, _TIME] = time * (ratio / wanted)
        numbers[:, self._bouncing, _RATIO] = wanted
        sim.fields.expand("geom_solref")[ids[:, None], self._geoms] = numbers[..., :_BOUNCE]


class SoftnessTerm(SharedTerm):
    """A number of how soft a geom's contacts are."""

    fields = ("geom_solref",)
    writer = SoftnessWriter
    slot: int

    def resolve(self, model: mujoco.MjModel, joints: tuple[str, ...]) -> None:  # noqa: D102
        self.geom = element_id(model, self.name)
        if (model.geom_solref[self.geom] <= 0).any():
            raise self.refuse("write the geom's solref as time constant and damping ratio, above 0")
        self.measure(model)

    def measure(self, model: mujoco.MjModel) -> None:
        """Set the slot and the nominal value."""
        self.slot = self.index
        self.nominal = float(model.geom_solref[self.geom, self.index])


@final
class Softness(SoftnessTerm):
    """Time constant or damping ratio of a contact; below two physics steps MuJoCo takes two."""

    summary = "softness of contacts: time constant, damping ratio; the mean of the two geoms"
    unit = "s, 1"
    bounds = (1e-6, np.inf)
    size = 2
    usual, source = scaled(0.9, 1.1), "robosuite 1.5, DEFAULT_DYNAMICS_ARGS"


@final
class Restitution(SoftnessTerm):
    """Speed after an impact over the speed before, where this geom decides."""

    summary = "coefficient of restitution of contacts; the geom must decide about its contacts"
    unit = "1"
    bounds = (0.005, 0.995)
    usual, source = between(0.005, 0.4), "walk-these-ways, scripts/train.py: [0, 0.4]"

    def measure(self, model: mujoco.MjModel) -> None:  # noqa: D102
        others = partners(model, self.geom)
        if not len(others):
            raise self.refuse("the geom touches nothing that could bounce off it")
        if (model.geom_priority[others] >= model.geom_priority[self.geom]).any():
            raise self.refuse(
                "a contact's softness is the mean of its two geoms': list the geom under"
                " deciding_geoms in robot.toml, so that it alone decides"
            )
        self.slot = _BOUNCE
        self.nominal = float(nominal_restitution(model.geom_solref[self.geom, 1]))


def nominal_restitution(ratio: Array) -> Array:
    """Return the restitution (...) of damping ratios (...), within the bounds of the term."""
    return np.clip(restitution_of(ratio), *Restitution.bounds)
