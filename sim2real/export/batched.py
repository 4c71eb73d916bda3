"""An exported controller for many robots at once: the same graph with rows instead of one row."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx

from sim2real.deploy.controller import open_session

_TOLERANCE = 1e-5
_ROWS = 5


def batched_session(path: Path) -> Any | None:
    """Return a session of the controller whose inputs and outputs have any number of rows.

    None if the graph does not compute its rows each for itself: then it must be run row by row.
    """
    content = path.read_bytes()
    model = onnx.load_from_string(content)
    for value in [*model.graph.input, *model.graph.output]:
        value.type.tensor_type.shape.dim[0].dim_param = "n"
    del model.graph.value_info[:]  # sizes inferred for one row
    try:
        many = open_session(path, model.SerializeToString())
        return many if _agrees(many, open_session(path, content)) else None
    except Exception:  # onnxruntime's exceptions have no common base
        return None


def _agrees(many: Any, one: Any) -> bool:
    """Whether several rows at once give what they give one by one."""
    rng = np.random.default_rng(0)
    feed = {
        node.name: rng.normal(size=(_ROWS, node.shape[1])).astype(np.float32)
        for node in one.get_inputs()
    }
    together = many.run(None, feed)
    for row in range(_ROWS):
        alone = one.run(None, {name: values[row : row + 1] for name, values in feed.items()})
        for got, expected in zip(together, alone, strict=True):
            if got.shape[0] != _ROWS or not np.allclose(got[row], expected[0], atol=_TOLERANCE):
                return False
    return True
