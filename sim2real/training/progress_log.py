"""What is logged of each iteration."""

import json
from pathlib import Path

import numpy as np


class ProgressLog:
    """TensorBoard events and one JSON line an iteration."""

    def __init__(self, folder: Path):
        self._folder = folder

    def __enter__(self) -> "ProgressLog":
        from torch.utils.tensorboard.writer import SummaryWriter

        self._writer = SummaryWriter(str(self._folder / "tensorboard"))
        self._lines = (self._folder / "progress.jsonl").open("a")
        return self

    def __exit__(self, *exception: object) -> None:
        self._writer.close()
        self._lines.close()

    def add(self, steps: int, metrics: dict[str, float]) -> None:
        """Add a line; what is not finite is left out of it."""
        for name, value in metrics.items():
            self._writer.add_scalar(name, value, steps)
        finite = {name: value for name, value in metrics.items() if np.isfinite(value)}
        self._lines.write(json.dumps({"steps": steps, **finite}) + "\n")
        self._lines.flush()
