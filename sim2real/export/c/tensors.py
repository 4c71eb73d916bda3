"""The tensors of a graph as flat arrays of C: sizes, constants, and where each value is kept."""

from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from sim2real.errors import ControllerError

Values = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Tensors:
    """What is known of a graph's tensors before it runs."""

    shape: dict[str, tuple[int, ...]]
    constant: dict[str, NDArray[np.generic]]

    @classmethod
    def of(cls, model: onnx.ModelProto) -> "Tensors":
        """Return a model's; raises ControllerError if a size depends on what comes in."""
        inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
        graph = inferred.graph
        constant = {item.name: numpy_helper.to_array(item) for item in graph.initializer}
        shape = {name: value.shape for name, value in constant.items()}
        for value in (*graph.input, *graph.value_info, *graph.output):
            dims = value.type.tensor_type.shape.dim
            if not all(dim.HasField("dim_value") for dim in dims):
                raise ControllerError(f"the size of {value.name!r} is not known before it runs")
            shape[value.name] = tuple(dim.dim_value for dim in dims)
        return cls(shape=shape, constant=constant)

    def size(self, name: str) -> int:
        """Return how many numbers a tensor has."""
        return int(np.prod(self.shape[name], dtype=int))

    def indices(self, name: str, start: int = 0) -> NDArray[np.int64]:
        """Return the tensor with the place of each number instead of the number."""
        return np.arange(start, start + self.size(name)).reshape(self.shape[name])


def places(model: onnx.ModelProto, tensors: Tensors) -> tuple[dict[str, int], int]:
    """Return where each computed tensor begins in one array, and how long that must be.

    The place of a tensor that is not read any more is given to others.
    """
    nodes = list(model.graph.node)
    last = {name: step for step, node in enumerate(nodes) for name in node.input}
    last |= {value.name: len(nodes) for value in model.graph.output}
    taken: dict[str, tuple[int, int]] = {}
    where: dict[str, int] = {}
    total = 0
    for step, node in enumerate(nodes):
        for name in filter(None, node.output):
            size = tensors.size(name)
            start = _gap(sorted(taken.values()), size)
            where[name], taken[name] = start, (start, start + size)
            total = max(total, start + size)
        for name in [name for name in taken if last.get(name, -1) <= step]:
            del taken[name]
    return where, total


def _gap(taken: list[tuple[int, int]], size: int) -> int:
    """Return where the first gap of that size begins."""
    start = 0
    for begin, end in taken:
        if begin - start >= size:
            break
        start = max(start, end)
    return start
