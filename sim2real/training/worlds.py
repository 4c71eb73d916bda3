"""The worlds of a training: the drawn parameters of each episode with its return, as Parquet."""

import io
from pathlib import Path
from typing import Any, final

import pyarrow as pa
import pyarrow.parquet as pq

from sim2real import config
from sim2real.envs.episodes import Episodes
from sim2real.envs.vector_env import RobotVectorEnv
from sim2real.errors import ConfigError

_ROWS = 16_384
_KEYS = {
    "seed": pa.int64(), "environment": pa.int64(), "episode": pa.int64(),
    "progress": pa.float64(), "return": pa.float64(), "steps": pa.int64(), "success": pa.bool_(),
    "diverged": pa.bool_(),
}  # fmt: skip


@final
class WorldLog:
    """A folder of Parquet files, one after the other, each whole or not there.

    A row is an episode that ended: `replay(robot, seed, environment, episode)` repeats it. Its
    columns are those, the share of the training at its start (`progress`), `return`, `steps`,
    `success`, `diverged`, and each drawn parameter under its own name, in SI units.
    """

    def __init__(self, folder: Path, env: RobotVectorEnv):
        """Log the episodes of `env` to `folder`."""
        self._folder, self._names = folder, env.randomizer.names
        values = {name: pa.float64() for name in self._names}
        self._schema = pa.schema(_KEYS | values, {"robot": env.robot.name})
        self._pending: list[Episodes] = []
        self._rows = 0
        self.parts = 0
        """How many files are written."""
        env.listeners.append(self.add)

    def add(self, episodes: Episodes) -> None:
        """Take in episodes that ended."""
        self._pending.append(episodes)
        self._rows += len(episodes.steps)
        if self._rows >= _ROWS:
            self.flush()

    def flush(self) -> None:
        """Write what has been taken in, as the next file."""
        if not self._pending:
            return
        batches = [self._batch(episodes) for episodes in self._pending]
        buffer = io.BytesIO()
        table = pa.Table.from_batches(batches, self._schema).combine_chunks()
        pq.write_table(table, buffer)
        config.write_atomically(self._part(self.parts), buffer.getvalue())
        self.parts += 1
        self._pending, self._rows = [], 0

    def go_on_after(self, parts: int) -> None:
        """Go on as it was when `parts` files were written; what came later will come again."""
        for path in self._folder.glob("part-*.parquet"):
            if path.name >= self._part(parts).name:
                path.unlink()
        self.parts = parts
        self._pending, self._rows = [], 0

    def _part(self, number: int) -> Path:
        return self._folder / f"part-{number:06}.parquet"

    def _batch(self, episodes: Episodes) -> pa.RecordBatch:
        columns: dict[str, Any] = {
            "seed": [episodes.seed] * len(episodes.steps),
            "environment": episodes.environment,
            "episode": episodes.episode,
            "progress": episodes.progress,
            "return": episodes.returns,
            "steps": episodes.steps,
            "success": episodes.success,
            "diverged": episodes.diverged,
        }
        columns |= dict(zip(self._names, episodes.values.T, strict=True))
        arrays = [pa.array(columns[field.name], field.type) for field in self._schema]
        return pa.RecordBatch.from_arrays(arrays, schema=self._schema)


def read_worlds(folder: Path) -> pa.Table:
    """Return the episodes of the run in `folder`, in the order in which they ended.

    Raises:
        ConfigError: the run did not log any.
    """
    parts = sorted((folder / "worlds").glob("part-*.parquet"))
    if not parts:
        raise ConfigError(f"{folder}: no worlds: train with log_worlds until an episode ends")
    return pa.concat_tables([pq.read_table(part) for part in parts])
