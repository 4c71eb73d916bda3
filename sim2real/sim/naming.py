"""Names for what a model file leaves unnamed: a parameter can only be of what has a name."""

from collections.abc import Iterable
from typing import Any

import mujoco


def name_the_unnamed(spec: mujoco.MjSpec) -> None:
    """Give each body, joint, geom and site without a name the one that its neighbours suggest.

    A body is called as its first joint, geom or site that has a name, else `<parent>_child`; what
    is in a body, as the body. Where that is taken or stands for several, numbers follow: `foot_0`,
    `foot_1`. A name that the file gives is never changed, and none depends on what is compiled.
    """
    bodies = list(spec.bodies)
    taken = {body.name for body in bodies if body.name}
    for body in bodies:  # parents before their children
        if not body.name:
            inside = (*body.joints, *body.geoms, *body.sites)
            first = next((each.name for each in inside if each.name), f"{body.parent.name}_child")
            body.name = _free(first, taken)
    for kind in ("joints", "geoms", "sites"):
        _name_inside(bodies, kind)


def _name_inside(bodies: Iterable[Any], kind: str) -> None:
    taken = {each.name for body in bodies for each in getattr(body, kind) if each.name}
    for body in bodies:
        unnamed = [each for each in getattr(body, kind) if not each.name]
        for number, each in enumerate(unnamed):
            wanted = body.name if len(unnamed) == 1 else f"{body.name}_{number}"
            each.name = _free(wanted, taken)


def _free(wanted: str, taken: set[str]) -> str:
    """Return `wanted`, with a number if it is taken, and take it."""
    name, number = wanted, 0
    while name in taken:
        name, number = f"{wanted}_{number}", number + 1
    taken.add(name)
    return name
