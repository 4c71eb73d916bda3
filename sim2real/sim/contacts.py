"""Which geom decides about a contact."""

from collections.abc import Iterable

import mujoco
import numpy as np


def let_decide(model: mujoco.MjModel, geoms: Iterable[str]) -> None:
    """Give `geoms` the say in their contacts, which stay what they are with the static geoms.

    MuJoCo lets the geom of higher `priority` decide about friction, softness and the number of
    friction directions. Each of `geoms` takes over what its contact with the geoms fixed to the
    world had been: the larger friction, the mean softness, the larger `condim`.
    """
    ids = [model.geom(name).id for name in geoms]
    partners = {geom: static_partners(model, geom) for geom in ids}
    mixed = {geom: _mixed(model, geom, others) for geom, others in partners.items() if len(others)}
    for geom, (friction, condim, solref, solimp) in mixed.items():
        model.geom_friction[geom], model.geom_condim[geom] = friction, condim
        model.geom_solref[geom], model.geom_solimp[geom] = solref, solimp
    if ids:
        model.geom_priority[ids] = model.geom_priority.max() + 1


def static_partners(model: mujoco.MjModel, geom: int) -> np.ndarray:
    """Return the geoms fixed to the world that a moving `geom` can touch, (n,)."""
    kinds, partners = model.geom_contype, model.geom_conaffinity
    static = model.body_weldid[model.geom_bodyid] == 0
    meets = (kinds[geom] & partners) | (partners[geom] & kinds)
    return np.flatnonzero(static & (meets != 0) & ~static[geom])


def _mixed(
    model: mujoco.MjModel, geom: int, others: np.ndarray
) -> tuple[np.ndarray, int, np.ndarray, np.ndarray]:
    """Return friction, condim, solref and solimp of contacts with the roughest of `others`."""
    other = int(others[model.geom_friction[others, 0].argmax()])
    both = [geom, other]
    weights = model.geom_solmix[both] / model.geom_solmix[both].sum()
    solref = model.geom_solref[both]
    return (
        model.geom_friction[both].max(axis=0),
        int(model.geom_condim[both].max()),
        weights @ solref if (solref > 0).all() else solref.min(axis=0),
        weights @ model.geom_solimp[both],
    )
