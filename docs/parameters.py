"""Write docs/parameters.md, the table of all dynamics parameters: python docs/parameters.py."""

from itertools import groupby
from pathlib import Path

from sim2real.parameters import distributions
from sim2real.parameters.ranges import Range
from sim2real.randomization.terms import TERMS

PAGE = Path(__file__).with_suffix(".md")
HEAD = """# Dynamics parameters

What can be randomized (`[randomize]` in `robot.toml`), calibrated (a recipe) or shown to a critic,
by one name: `kind.element.attribute`, with an index where there are several numbers.
`sim2real robots NAME --parameters` lists those of one robot with nominal values.
This page is written by `python docs/parameters.py`; do not edit it.

The usual range is what others draw when they know nothing better. It is applied only where
`[randomize]` says so; a range that reaches what is impossible is refused before anything runs.
"""
NOTES = """
## What acts on what

- **A body's mass distribution** is written as one: mass, centre of mass and inertia scale first,
  then the link's length, the log-Cholesky deformation, and the payload. Whatever is drawn, the
  result is an inertia that a body can have.
- **Friction**: a contact takes the larger coefficient of its two geoms. Give both sides a range,
  or list the robot's geom in `deciding_geoms = ["foot"]`: then it alone decides, and starts from
  what the contact with the floor was. A range that the other side hides is refused. Torsional
  friction needs `condim` 4, rolling friction `condim` 6.
- **Restitution** is that of a linear contact that pushes and does not pull (Schwager and Pöschel
  2007). It sets the damping ratio in `solref` and keeps the contact's natural frequency. It is
  exact where the impedance is constant (`solimp` with equal first two numbers) and the contact
  lasts many physics steps. The geom must be one of `deciding_geoms`.
- **kp** leaves kd as it is: the damping ratio falls with 1/√kp. `frequency_scale` changes both,
  and the damping ratio stays. MuJoCo's own `dampratio` is resolved when a model is compiled.
- **A DC motor** is described in robot.toml, `[joints.knee.motor]`, with `resistance`,
  `torque_constant`, `voltage`, `gear`, `rotor_inertia`, `inductance`, `cogging` and a table
  `lugre`. Commands stay torques or positions at the joint: the driver controls the current while
  the voltage lasts. Stall torque is K U / R, no-load speed U / K, with K = gear × torque
  constant.
- **Terrain** is a table in robot.toml, `[terrain]`, with `replaces`, `kinds`, `levels`, `edge`,
  `resolution`, `height`, `platform` and `seed`; `geom.<floor>.tile` chooses where each simulation
  stands.

## What cannot be done

Meshes, height fields and textures are shared by all simulations of a batch (MuJoCo 4.0 calls them
asset data). `Batch.set_models` would give each its own, but excludes every parameter above. So the
shape of a mesh cannot be drawn; sizes of primitives, the tile of a terrain and colours can.
"""


def page() -> str:
    """Return the text of the page."""
    lines = [HEAD]
    for kind, keys in groupby(TERMS, lambda key: key.split(".")[0]):
        lines += [f"\n## {kind}\n", "| parameter | what | unit | usual range | from |"]
        lines += ["|---|---|---|---|---|", *map(row, keys)]
    return "\n".join([*lines, NOTES])


def row(key: str) -> str:
    """Return the row of one term."""
    term = TERMS[key]
    index = f"[0–{term.size - 1}]" if term.size > 1 else ""
    cells = (f"`{key}`{index}", term.summary, term.unit, usual(term.usual), term.source)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def usual(item: Range | None) -> str:
    """Return a range in words: × [0.8, 1.2]."""
    if item is None:
        return ""
    sign = {"scale": "×", "add": "+", "set": "="}[item.operation]
    numbers = distributions.to_toml(item.distribution)
    if isinstance(numbers, dict):
        ((name, numbers),) = numbers.items()
        sign += f" {name.replace('_', ' ')}"
    return f"{sign} {numbers}"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
