"""The term of terrain: which tile of one large height field a simulation stands on.

All simulations share the heights, an asset; each has its own place for the geom that bears them.
Meshes and height fields of a simulation's own would need `Batch.set_models`, which excludes all
fields of a simulation's own (MuJoCo 4.0), and with them the other parameters.
"""

from collections.abc import Sequence
from typing import final

import mujoco
import numpy as np

from sim2real.randomization.terms.term import Array, SharedTerm, Writer, between, element_id
from sim2real.sim.simulator import Ids, Simulator
from sim2real.sim.terrain import Tiling


@final
class TileWriter(Writer):
    """Moves the terrain so that the chosen tile lies where the robot starts."""

    def __init__(self, model: mujoco.MjModel, terms: Sequence[SharedTerm]):
        self._tiles = [term for term in terms if isinstance(term, Tile)]
        self._geom, self._tiling = self._tiles[0].geom, self._tiles[0].tiling
        self._place = model.geom_pos[self._geom].copy()

    def write(self, sim: Simulator, ids: Ids, values: Array) -> None:  # noqa: D102
        shift = np.zeros((len(ids), 3))
        for column, tile in enumerate(self._tiles):
            last = self._tiling.count[tile.index] - 1.0
            number = np.minimum(np.floor(values[:, column]), last)
            shift[:, tile.index] = -self._tiling.edge * number
        sim.fields.expand("geom_pos")[ids, self._geom] = self._place + shift


@final
class Tile(SharedTerm):
    """Which tile of the terrain is under the start: a whole number, rounded down."""

    summary = "tile of the terrain under the start: level of difficulty, kind; rounded down"
    unit = "1"
    fields = ("geom_pos",)
    size = 2
    writer = TileWriter
    usual, source = between(0.0, 1.0), "the easiest tile; set all: [0, levels], [0, kinds]"

    def resolve(self, model: mujoco.MjModel, joints: tuple[str, ...]) -> None:  # noqa: D102
        self.geom = element_id(model, self.name)
        tiling = Tiling.of(model, self.geom)
        if tiling is None:
            raise self.refuse("the geom is no terrain: describe one under [terrain] in robot.toml")
        self.tiling = tiling
        # the upper bound belongs to no tile, but a uniform range has to be able to name it
        self.bounds = (0.0, float(tiling.count[self.index]))
        self.nominal = 0.0

    def touches(self) -> set[tuple[str, int]]:  # noqa: D102
        return {("geom_pos", 3 * self.geom + i) for i in range(2)}
