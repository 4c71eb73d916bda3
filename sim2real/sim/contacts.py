"""Which geom decides about a contact."""

from collections.abc import Iterable

import mujoco
import numpy as np


def let_decide(model: mujoco.MjModel, geoms: Iterable[str]) -> None:
    """Give `geoms` the say in their contacts, and what these were: nothing changes by itself.

    MuJoCo lets the geom of higher `priority` decide about friction, softness and the number of
    friction directions. Each of `geoms` takes over what held in its contact with the roughest geom
    that it can touch: the larger friction, the mean softness, the larger `condim`.
    """
    ids = [model.geom(name).id for name in geoms]
    touched = {geom: partners(model, geom) for geom in ids}
    mixed = {geom: _mixed(model, geom, others) for geom, others in touched.items() if len(others)}
    for geom, (friction, condim, solref, solimp) in mixed.items():
        model.geom_friction[geom], model.geom_condim[geom] = friction, condim
        model.geom_solref[geom], model.geom_solimp[geom] = solref, solimp
    if ids:
        model.geom_priority[ids] = model.geom_priority.max() + 1


def partners(model: mujoco.MjModel, geom: int) -> np.ndarray:
    """Return the geoms that `geom` can touch, (n,): fixed for a moving one, moving for a fixed.

    What a robot's own geoms do among each other is left out.
    """
    kinds, others = model.geom_contype, model.geom_conaffinity
    fixed = model.body_weldid[model.geom_bodyid] == 0
    meets = (kinds[geom] & others) | (others[geom] & kinds)
    return np.flatnonzero((meets != 0) & (fixed != fixed[geom]))


def contact_dimension(model: mujoco.MjModel, geom: int) -> int:
    """Return the largest `condim` of the contacts that `geom` can have; its own if it has none."""
    others, priority = partners(model, geom), model.geom_priority
    over = others[priority[others] > priority[geom]]
    level = others[priority[others] == priority[geom]]
    below = others[priority[others] < priority[geom]]
    own = int(model.geom_condim[geom])
    met = [own] if len(below) or not len(others) else []
    return int(max([*met, *model.geom_condim[over], *np.maximum(model.geom_condim[level], own)]))


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
