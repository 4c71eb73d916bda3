"""Guard against ranges of friction that the other side of the contacts hides."""

from collections.abc import Mapping

import mujoco

from sim2real.errors import ParameterError
from sim2real.parameters.names import ParameterName
from sim2real.parameters.ranges import Range
from sim2real.sim.contacts import partners


def refuse_hidden_friction(model: mujoco.MjModel, ranges: Mapping[str, Range]) -> None:
    """Raise ParameterError if a range reaches below what holds in all of its geom's contacts.

    A contact takes the larger coefficient of its two geoms, or that of the geom of higher priority.
    Another geom whose friction has a range itself hides nothing.
    """
    parsed = {name: ParameterName.parse(name) for name in ranges}
    frictions = {
        (model.geom(name.object).id, name.index or 0): text
        for text, name in parsed.items()
        if (name.kind, name.attribute) == ("geom", "friction")
    }
    for (geom, index), text in frictions.items():
        others = [int(other) for other in partners(model, geom)]
        lowest, _ = ranges[text].bounds(float(model.geom_friction[geom, index]))
        if others and all(
            (other, index) not in frictions and _hides(model, other, geom, index, lowest)
            for other in others
        ):
            rougher = " or ".join(repr(model.geom(other).name) for other in others[:3])
            raise ParameterError(
                f"{text}: a contact takes the larger friction of its two geoms, and {rougher} has"
                f" more than {lowest:g}: give that geom a range as well, or list this one under"
                " deciding_geoms in robot.toml"
            )


def _hides(model: mujoco.MjModel, other: int, geom: int, index: int, lowest: float) -> bool:
    ours, theirs = model.geom_priority[[geom, other]]
    return bool(theirs > ours or (theirs == ours and model.geom_friction[other, index] > lowest))
