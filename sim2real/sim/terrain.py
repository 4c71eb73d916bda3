"""Uneven ground: one height field of many tiles, from a robot's `[terrain]` table.

Level of difficulty runs along x, kind along y; a flat border of a tile's width is around all.
Every tile is flat and at height 0 in its middle and at its rim, so that a robot starts on any of
them as on a plane, and walks from one to the next.
"""

from dataclasses import dataclass

import mujoco
import numpy as np
from numpy.typing import NDArray

from sim2real.errors import RobotError, known
from sim2real.parameters.randomness import uniform
from sim2real.robot import Terrain

Array = NDArray[np.float64]

_BLOCK = 0.5
"""Width of a block [m]."""
_BASE = 1.0
"""Thickness of the ground below its lowest point [m]."""


@dataclass(frozen=True)
class Tiling:
    """Where the tiles of a compiled terrain are."""

    edge: float
    count: tuple[int, int]
    """Levels along x, kinds along y."""

    @classmethod
    def of(cls, model: mujoco.MjModel, geom: int) -> "Tiling | None":
        """Return the tiling of a geom; None for a geom that is no terrain."""
        name = _numeric(model.geom(geom).name)
        if name not in (model.numeric(i).name for i in range(model.nnumeric)):
            return None
        edge, levels, kinds = model.numeric(name).data
        return cls(float(edge), (int(levels), int(kinds)))


def add_terrain(spec: mujoco.MjSpec, terrain: Terrain, robot: str) -> None:
    """Make the geom that `terrain` replaces a height field; raises RobotError."""
    geoms = {geom.name: geom for geom in spec.geoms if geom.name}
    if terrain.replaces not in geoms:
        raise RobotError(
            f"robot {robot!r}: terrain: no geom {terrain.replaces!r}"
            f"{known(terrain.replaces, geoms)}"
        )
    geom = geoms[terrain.replaces]
    if geom.type != mujoco.mjtGeom.mjGEOM_PLANE:
        raise RobotError(f"robot {robot!r}: terrain: geom {terrain.replaces!r} must be a plane")
    field = heights(terrain)
    low, high = float(field.min()), float(field.max())
    half = 0.5 * terrain.resolution * (np.array(field.shape) - 1)
    spec.add_hfield(
        name=terrain.replaces,
        nrow=field.shape[1],  # rows run along y
        ncol=field.shape[0],
        size=[*half, max(high - low, 1e-3), _BASE],
        userdata=((field - low) / max(high - low, 1e-3)).T.ravel(),
    )
    geom.type, geom.hfieldname = mujoco.mjtGeom.mjGEOM_HFIELD, terrain.replaces
    first = half - 1.5 * terrain.edge
    geom.pos = geom.pos + np.array([*first, low])
    data = [terrain.edge, terrain.levels, len(terrain.kinds)]
    spec.add_numeric(name=_numeric(terrain.replaces), data=data, size=3)


def heights(terrain: Terrain) -> Array:
    """Return the heights [m] of all tiles and the border, (along x, along y)."""
    n = round(terrain.edge / terrain.resolution)
    levels, kinds = terrain.levels, len(terrain.kinds)
    field = np.zeros(((levels + 2) * n + 1, (kinds + 2) * n + 1))
    for level in range(levels):
        for number, kind in enumerate(terrain.kinds):
            rows, columns = ((1 + i) * n for i in (level, number))
            part = tile(terrain, kind, level)
            field[rows : rows + n + 1, columns : columns + n + 1] += part
    return field


def tile(terrain: Terrain, kind: str, level: int) -> Array:
    """Return the heights [m] of one tile (n + 1, n + 1)."""
    n = round(terrain.edge / terrain.resolution)
    along = np.abs(np.linspace(-0.5, 0.5, n + 1)) * terrain.edge
    away = np.maximum(along[:, None], along)
    # 0 from the middle to the platform's rim, 1 at the tile's
    s = np.clip((away - terrain.platform) / (0.5 * terrain.edge - terrain.platform), 0.0, 1.0)
    highest = terrain.height * (level + 1) / terrain.levels
    ridge = 1.0 - np.abs(2.0 * s - 1.0)
    if kind == "flat":
        return np.zeros_like(s)
    if kind == "slope":
        return highest * ridge
    if kind == "stairs":
        return highest * np.floor(4.0 * ridge + 1e-9) / 4.0
    if kind == "waves":
        return 0.5 * highest * (1.0 - np.cos(4.0 * np.pi * s))
    return highest * _noise(terrain, kind, level, n) * ((s > 0.0) & (s < 1.0))


def _noise(terrain: Terrain, kind: str, level: int, n: int) -> Array:
    """Return numbers in (-1, 1), of their own at every point or on every block: (n + 1, n + 1)."""
    wide = max(round(_BLOCK / terrain.resolution), 1) if kind == "blocks" else 1
    count = n // wide + 1
    u = uniform(terrain.seed, f"terrain:{kind}", [level], size=count * count)
    coarse = 2.0 * u.reshape(count, count) - 1.0
    at = np.arange(n + 1) // wide
    return coarse[at[:, None], at]


def _numeric(geom: str) -> str:
    return f"terrain {geom}"
