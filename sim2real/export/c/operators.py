"""ONNX operators as C statements over flat arrays whose sizes are known.

NaN passes through all of them, as it does through ONNX Runtime: `fmaxf` would swallow it.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx.reference import ReferenceEvaluator

from sim2real.errors import ControllerError
from sim2real.export.c.tensors import Tensors

Name = Callable[[str], str]
"""A tensor's name in ONNX → in C."""
Attributes = dict[str, Any]

UNARY = {
    "Abs": "fabsf({x})",
    "Ceil": "ceilf({x})",
    "Cos": "cosf({x})",
    "Elu": "{x} > 0.0f ? {x} : {alpha} * expm1f({x})",
    "Erf": "erff({x})",
    "Exp": "expf({x})",
    "Floor": "floorf({x})",
    "LeakyRelu": "{x} < 0.0f ? {alpha} * {x} : {x}",
    "Log": "logf({x})",
    "Neg": "-{x}",
    "Not": "{x} == 0.0f",
    "Reciprocal": "1.0f / {x}",
    "Relu": "{x} < 0.0f ? 0.0f : {x}",
    "Sigmoid": "1.0f / (1.0f + expf(-{x}))",
    "Sign": "(float)(({x} > 0.0f) - ({x} < 0.0f))",
    "Sin": "sinf({x})",
    "Softplus": "{x} > 20.0f ? {x} : log1pf(expf({x}))",
    "Softsign": "{x} / (1.0f + fabsf({x}))",
    "Sqrt": "sqrtf({x})",
    "Tanh": "tanhf({x})",
}
_DEFAULT_ALPHA = {"Elu": 1.0, "LeakyRelu": 0.01}

BINARY = {
    "Add": "{x} + {y}",
    "And": "{x} != 0.0f && {y} != 0.0f",
    "Div": "{x} / {y}",
    "Equal": "{x} == {y}",
    "Greater": "{x} > {y}",
    "GreaterOrEqual": "{x} >= {y}",
    "Less": "{x} < {y}",
    "LessOrEqual": "{x} <= {y}",
    "Max": "{x} > {y} || {x} != {x} ? {x} : {y}",
    "Min": "{x} < {y} || {x} != {x} ? {x} : {y}",
    "Mul": "{x} * {y}",
    "Or": "{x} != 0.0f || {y} != 0.0f",
    "Pow": "powf({x}, {y})",
    "Sub": "{x} - {y}",
}

REDUCTIONS = {
    "ReduceMax": ("-INFINITY", "{x} > s || {x} != {x} ? {x} : s", "s"),
    "ReduceMean": ("0.0f", "s + {x}", "s / {n}"),
    "ReduceMin": ("INFINITY", "{x} < s || {x} != {x} ? {x} : s", "s"),
    "ReduceSum": ("0.0f", "s + {x}", "s"),
}

# They only bring numbers to other places, the same ones each time: how many of their inputs.
MOVES = {
    "Concat": None,
    "Expand": 1,
    "Flatten": 1,
    "Gather": 1,
    "Identity": 1,
    "Reshape": 1,
    "Slice": 1,
    "Split": 1,
    "Squeeze": 1,
    "Tile": 1,
    "Transpose": 1,
    "Unsqueeze": 1,
}

# Eight sums side by side: a compiler keeps them in vector registers, and rounding adds up less.
DOT = """\
static float dot(const float *a, const float *b, int n) {
  float s[8] = {0.0f};
  int i, j;
  for (i = 0; i + 8 <= n; i += 8)
    for (j = 0; j < 8; ++j) s[j] += a[i + j] * b[i + j];
  for (j = 0; i + j < n; ++j) s[j] += a[i + j] * b[i + j];
  return ((s[0] + s[1]) + (s[2] + s[3])) + ((s[4] + s[5]) + (s[6] + s[7]));
}
"""

_FLOATS = {onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE, onnx.TensorProto.BOOL}


def statements(node: onnx.NodeProto, tensors: Tensors, name: Name) -> list[str]:
    """Return the lines of C that compute a node's outputs.

    Raises:
        ControllerError: there is no C for the operator.
    """
    op = node.op_type
    attributes = {item.name: onnx.helper.get_attribute_value(item) for item in node.attribute}
    if op in MOVES or (op == "Cast" and attributes["to"] in _FLOATS):
        return list(_move(node, tensors, name))
    if op in UNARY:
        alpha = number(attributes.get("alpha", _DEFAULT_ALPHA.get(op, 0.0)))
        return _elementwise(node, tensors, name, UNARY[op].replace("{alpha}", alpha))
    if op in BINARY and len(node.input) == 2:
        return _elementwise(node, tensors, name, BINARY[op])
    if op in REDUCTIONS:
        return list(_reduce(node, tensors, name, attributes))
    special = {
        "Clip": _clip, "Gemm": _gemm, "MatMul": _matmul, "Where": _where,
        "LayerNormalization": _layer_normalization, "Softmax": _softmax,
    }.get(op)  # fmt: skip
    if special is None:
        raise ControllerError(
            f"there is no C for the operator {op}: build the policy of linear layers, usual"
            " activations, LayerNorm and RecurrentPolicy"
        )
    return special(node, tensors, name, attributes)


def number(value: float) -> str:
    """Return a float32 literal that is read as exactly this float32."""
    value = float(np.float32(value))
    if not np.isfinite(value):
        return {np.inf: "INFINITY", -np.inf: "-INFINITY"}.get(value, "NAN")
    text = f"{value:.9g}"
    return text + ("f" if "." in text or "e" in text else ".0f")


def _move(node: onnx.NodeProto, tensors: Tensors, name: Name) -> Iterator[str]:
    """Copy runs of numbers: where each goes is found by moving their places instead of them."""
    count = MOVES.get(node.op_type, 1) or len(node.input)
    sources, start, feed = [], 0, {}
    for data in node.input[:count]:
        sources.append((start, data))
        feed[data] = tensors.indices(data, start)
        start += feed[data].size
    feed |= {extra: tensors.constant[extra] for extra in node.input[count:] if extra}
    if node.op_type in ("Cast", "Identity"):
        moved = [feed[node.input[0]]]
    else:
        moved = ReferenceEvaluator(node).run(None, feed)
    for output, places in zip(node.output, moved, strict=True):
        yield from _copies(np.asarray(places).ravel(), sources, name, name(output))


def _copies(
    places: NDArray[np.int64], sources: list[tuple[int, str]], name: Name, output: str
) -> Iterator[str]:
    starts = np.array([start for start, _ in sources])
    owner = np.searchsorted(starts, places, side="right") - 1
    for begin, end in _runs(places, owner):
        start, data = sources[owner[begin]]
        first, stride = places[begin] - start, 0 if end - begin == 1 else int(
            places[begin + 1] - places[begin]
        )  # fmt: skip
        yield _loop(end - begin, f"{output}[{begin} + i] = {name(data)}[{first} + {stride} * i];")


def _runs(places: NDArray[np.int64], owner: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Yield begin and end of stretches of one source whose places lie equally far apart."""
    begin, n = 0, len(places)
    while begin < n:
        end = begin + 1
        while (
            end < n
            and owner[end] == owner[begin]
            and places[end] - places[end - 1] == places[begin + 1] - places[begin]
        ):
            end += 1
        yield begin, end
        begin = end


def _loop(count: int, body: str) -> str:
    return f"for (i = 0; i < {count}; ++i) {body}"


def _elementwise(node: onnx.NodeProto, tensors: Tensors, name: Name, formula: str) -> list[str]:
    output = node.output[0]
    operands = [_element(data, output, tensors, name) for data in node.input if data]
    text = formula
    for letter, operand in zip("xyz", operands, strict=False):
        text = text.replace(f"{{{letter}}}", operand)
    return [_loop(tensors.size(output), f"{name(output)}[i] = {text};")]


def _element(data: str, output: str, tensors: Tensors, name: Name) -> str:
    """Return the number of `data` that belongs to element i of `output`, broadcast to its shape."""
    places = np.broadcast_to(tensors.indices(data), tensors.shape[output]).ravel()
    size, i = tensors.size(data), np.arange(places.size)
    for index, expected in (
        ("0", 0 * i),
        ("i", i),
        (f"i % {size}", i % size),
        (f"i / {max(1, places.size // size)}", i // max(1, places.size // size)),
    ):
        if np.array_equal(places, expected):
            return f"{name(data)}[{index}]"
    raise ControllerError(
        f"there is no C for broadcasting {tensors.shape[data]} to {tensors.shape[output]}"
    )


def _clip(node: onnx.NodeProto, tensors: Tensors, name: Name, _: Attributes) -> list[str]:
    x, low, high = (*node.input, "", "")[:3]
    formula = "{x}"
    if high:
        formula = f"({{x}} > {name(high)}[0] ? {name(high)}[0] : {formula})"
    if low:
        formula = f"{{x}} < {name(low)}[0] ? {name(low)}[0] : {formula}"
    bare = onnx.helper.make_node("Clip", [x], node.output)
    return _elementwise(bare, tensors, name, formula)


def _where(node: onnx.NodeProto, tensors: Tensors, name: Name, _: Attributes) -> list[str]:
    return _elementwise(node, tensors, name, "{x} != 0.0f ? {y} : {z}")


def _gemm(node: onnx.NodeProto, tensors: Tensors, name: Name, attributes: Attributes) -> list[str]:
    x, weights, *bias = node.input
    (rows, inner), columns = tensors.shape[x], tensors.shape[node.output[0]][1]
    scales = {attributes.get("alpha", 1.0), attributes.get("beta", 1.0)}
    if attributes.get("transA") or not attributes.get("transB") or rows != 1 or scales != {1.0}:
        raise ControllerError(
            "there is no C for a Gemm but of one row with weights (out, in): use torch.nn.Linear"
        )
    start = _element(bias[0], node.output[0], tensors, name) + " + " if bias else ""
    row = f"dot({name(x)}, {name(weights)} + {inner} * i, {inner})"
    return [_loop(columns, f"{name(node.output[0])}[i] = {start}{row};")]


def _matmul(node: onnx.NodeProto, tensors: Tensors, name: Name, _: Attributes) -> list[str]:
    a, b = node.input
    output = node.output[0]
    vector = min(len(tensors.shape[a]), len(tensors.shape[b])) < 2
    rows, inner, columns = (*tensors.shape[a][-2:], tensors.shape[b][-1])[-3:]
    if vector or tensors.size(output) != rows * columns:
        raise ControllerError("there is no C for a MatMul of several matrices, or of a vector")
    return [
        f"for (i = 0; i < {rows * columns}; ++i) {{",
        "  s = 0.0f;",
        f"  for (k = 0; k < {inner}; ++k)"
        f" s += {name(a)}[i / {columns} * {inner} + k] * {name(b)}[k * {columns} + i % {columns}];",
        f"  {name(output)}[i] = s;",
        "}",
    ]


def _reduce(
    node: onnx.NodeProto, tensors: Tensors, name: Name, attributes: Attributes
) -> Iterator[str]:
    data, output = node.input[0], node.output[0]
    axes = attributes.get("axes")
    if axes is None and len(node.input) > 1 and node.input[1]:
        axes = tensors.constant[node.input[1]].tolist()
    shape = tensors.shape[data]
    axes = [axis % len(shape) for axis in (axes if axes is not None else range(len(shape)))]
    rows = np.moveaxis(tensors.indices(data), axes, range(-len(axes), 0))
    rows = rows.reshape(tensors.size(output), -1)
    begin, step, end = REDUCTIONS[node.op_type]
    for index, row in enumerate(rows):
        stride = int(row[1] - row[0]) if len(row) > 1 else 1
        if not np.array_equal(row, row[0] + stride * np.arange(len(row))):
            raise ControllerError(f"there is no C for {node.op_type} over axes {axes} of {shape}")
        x = f"{name(data)}[{row[0]} + {stride} * i]"
        yield f"s = {begin};"
        yield _loop(len(row), f"s = {step.replace('{x}', x)};")
        yield f"{name(output)}[{index}] = {end.replace('{n}', number(len(row)))};"


def _layer_normalization(
    node: onnx.NodeProto, tensors: Tensors, name: Name, attributes: dict
) -> list[str]:
    data, scale, *bias = node.input
    size = tensors.shape[data][-1]
    if tensors.size(data) != size or len([out for out in node.output if out]) != 1:
        raise ControllerError("there is no C for a LayerNormalization of several rows")
    x, n, out = name(data), number(size), name(node.output[0])
    shift = f" + {name(bias[0])}[i]" if bias else ""
    epsilon = number(attributes.get("epsilon", 1e-5))
    return [
        "s = 0.0f; v = 0.0f;",
        _loop(size, f"s += {x}[i];"),
        f"s /= {n};",
        _loop(size, f"v += ({x}[i] - s) * ({x}[i] - s);"),
        f"v = 1.0f / sqrtf(v / {n} + {epsilon});",
        _loop(size, f"{out}[i] = ({x}[i] - s) * v * {name(scale)}[i]{shift};"),
    ]


def _softmax(node: onnx.NodeProto, tensors: Tensors, name: Name, _: Attributes) -> list[str]:
    data, output = node.input[0], node.output[0]
    size = tensors.shape[data][-1]
    if tensors.size(data) != size:
        raise ControllerError("there is no C for a Softmax of several rows")
    x, out = name(data), name(output)
    return [
        f"v = {x}[0];",
        _loop(size, f"v = {x}[i] > v ? {x}[i] : v;"),
        "s = 0.0f;",
        _loop(size, f"s += {out}[i] = expf({x}[i] - v);"),
        _loop(size, f"{out}[i] /= s;"),
    ]
