"""The two files: a header with the controller's structs and facts, and the source behind it."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import onnx

from sim2real.deploy.spec import ControllerSpec
from sim2real.export.c.operators import DOT, number, statements
from sim2real.export.c.tensors import Tensors, places


def header(spec: ControllerSpec, model: onnx.ModelProto, *, name: str, sha256: str) -> str:
    """Return `name`.h."""
    guard = f"{name.upper()}_H"
    states = {state: len(values) for state, values in spec.initial_state.items()}
    return f"""\
/* The controller of the robot {spec.robot!r} (task {spec.task}), made by sim2real.
 * From the ONNX file with SHA-256 {sha256}.
 *
 * Call {name}_step {spec.control_hz:g} times a second. Joints in this order, SI units:
 *   {_wrapped(spec.joints)}
 * Commands, in this order, in rad for a position servo, in Nm for a torque:
 *   {_wrapped(f"{joint} ({spec.facts.joints[joint].mode})" for joint in spec.driven)}
 * The file knows no envelope and no watchdog: limits, rates and a hardware stop are yours.
 */
#ifndef {guard}
#define {guard}

#define {name.upper()}_HZ {number(spec.control_hz)}
#define {name.upper()}_NCOMMAND {len(spec.driven)}
#define {name.upper()}_ROBOT_HASH "{spec.robot_hash}"

#ifdef __cplusplus
extern "C" {{
#endif

/* What the robot measures{" and is to pursue" if spec.goal else ""}. */
typedef struct {{
{_members(_inputs(spec))}
}} {name}_input;

/* What is carried from step to step, and room for what is computed; the caller's, and only hers. */
typedef struct {{
{_members(states)}
  float scratch[{scratch_size(model)}];
}} {name}_memory;

/* Begin anew, on a robot that holds `command`. */
void {name}_reset({name}_memory *memory, const float command[{name.upper()}_NCOMMAND]);

/* Compute the next command. Returns 0 if it is not finite: it must not be sent then. */
int {name}_step({name}_memory *memory, const {name}_input *input,
                float command[{name.upper()}_NCOMMAND]);

#ifdef {name.upper()}_SELFTEST
/* Replay the golden tape. Returns the largest difference, as a share of a joint's largest command
 * or of 1: it must be at most {name.upper()}_TOLERANCE before the controller may touch anything. */
#define {name.upper()}_TOLERANCE 1e-5f
float {name}_selftest({name}_memory *memory);
#endif

#ifdef __cplusplus
}}
#endif
#endif
"""


def scratch_size(model: onnx.ModelProto) -> int:
    """Return how many numbers are computed with at once."""
    return places(model, Tensors.of(model))[1]


def source(spec: ControllerSpec, model: onnx.ModelProto, *, name: str) -> str:
    """Return `name`.c; raises ControllerError for a graph that cannot be written so."""
    tensors = Tensors.of(model)
    where, _ = places(model, tensors)
    names = _names(spec, model, where)
    nodes = [f"  {line}" for node in model.graph.node
             for line in statements(node, tensors, names.__getitem__)]  # fmt: skip
    results = _outputs(spec, names)
    read = set(re.findall(r"\bc\d+\b", "\n".join((*nodes, results))))
    floats = {names[each]: value for each, value in tensors.constant.items() if names[each] in read}
    dot = DOT if any("dot(" in line for line in nodes) else ""
    return f"""\
#include "{name}.h"

#include <math.h>
#include <string.h>

#ifdef __FAST_MATH__
#error "-ffast-math lets NaN pass for a number: compile this file without it"
#endif

{_arrays(floats)}
{dot}
void {name}_reset({name}_memory *memory, const float command[{name.upper()}_NCOMMAND]) {{
  memset(memory, 0, sizeof *memory);
{_initial(spec)}
}}

int {name}_step({name}_memory *memory, const {name}_input *input,
                float command[{name.upper()}_NCOMMAND]) {{
  float *const t = memory->scratch;
  float s, v;
  int i, k;
  (void)s, (void)v, (void)k;
{chr(10).join(nodes)}
{results}
  s = 0.0f;
  for (i = 0; i < {len(spec.driven)}; ++i) s += command[i] - command[i];
  return s == 0.0f;
}}
{_selftest(spec, name)}"""


def _names(
    spec: ControllerSpec, model: onnx.ModelProto, where: Mapping[str, int]
) -> dict[str, str]:
    """Return what each tensor is called in C."""
    names = {item.name: f"c{index}" for index, item in enumerate(model.graph.initializer)}
    names |= {value: f"input->{value}" for value in _inputs(spec)}
    names |= {f"state.{state}": f"memory->{state}" for state in spec.initial_state}
    return names | {name: f"(t + {start})" for name, start in where.items()}


def _inputs(spec: ControllerSpec) -> dict[str, int]:
    goal = {"goal": len(spec.goal)} if spec.goal else {}
    return {name: signal.size for name, signal in spec.signals.items()} | goal


def _outputs(spec: ControllerSpec, names: Mapping[str, str]) -> str:
    """Copy the results out of the scratch array; states last, when nothing reads them any more."""
    ends = {"command": ("command", len(spec.driven))} | {
        f"next.state.{state}": (f"memory->{state}", len(values))
        for state, values in spec.initial_state.items()
    }
    copies = ((target, names[output], size) for output, (target, size) in ends.items())
    return "\n".join(
        f"  memcpy({target}, {origin}, {size} * sizeof(float));" for target, origin, size in copies
    )


def _initial(spec: ControllerSpec) -> str:
    lines = [
        f"  memory->{state}[{index}] = {number(value)};"
        for state, values in spec.initial_state.items()
        for index, value in enumerate(values)
        if value != 0.0 and state != "command"
    ]
    if "command" in spec.initial_state:
        lines.append("  memcpy(memory->command, command, sizeof memory->command);")
    else:
        lines.append("  (void)command;")
    return "\n".join(lines)


def _selftest(spec: ControllerSpec, name: str) -> str:
    tape = spec.golden
    steps = len(tape.command)
    arrays = {f"tape_{key}": np.array(rows) for key, rows in tape.inputs.items()}
    arrays |= {f"tape_from_{key}": np.array(row) for key, row in tape.state.items()}
    arrays |= {f"tape_to_{key}": np.array(row) for key, row in tape.final_state.items()}
    arrays["tape_command"] = np.array(tape.command)
    begin = "\n".join(
        f"  memcpy(memory->{key}, tape_from_{key}, sizeof memory->{key});" for key in tape.state
    )
    feed = "\n".join(
        f"    memcpy(input.{key}, tape_{key} + step * {size}, sizeof input.{key});"
        for key, size in _inputs(spec).items()
    )
    ends = "\n".join(
        f"  worst = larger(worst, memory->{key}, tape_to_{key}, {len(row)}, tape_to_{key}, 1);"
        for key, row in tape.final_state.items()
    )
    n = len(spec.driven)
    return f"""
#ifdef {name.upper()}_SELFTEST
{_arrays(arrays)}
/* Return `worst`, or the largest difference of two rows if that is larger: as a share of the
 * largest number of its column in the `count` rows of `all`. */
static float larger(float worst, const float *got, const float *expected, int n,
                    const float *all, int count) {{
  int i, row;
  for (i = 0; i < n; ++i) {{
    float scale = 1.0f, error;
    for (row = 0; row < count; ++row)
      if (fabsf(all[row * n + i]) > scale) scale = fabsf(all[row * n + i]);
    error = fabsf(got[i] - expected[i]) / scale;
    if (!(error <= worst)) worst = error; /* a NaN, too */
  }}
  return worst;
}}

float {name}_selftest({name}_memory *memory) {{
  {name}_input input;
  float command[{n}], worst = 0.0f;
  int step;
  memset(memory, 0, sizeof *memory);
{begin}
  for (step = 0; step < {steps}; ++step) {{
{feed}
    if (!{name}_step(memory, &input, command)) return INFINITY;
    worst = larger(worst, command, tape_command + step * {n}, {n}, tape_command, {steps});
  }}
{ends}
  return worst;
}}
#endif
"""


def _members(sizes: Mapping[str, int]) -> str:
    return "\n".join(f"  float {name}[{size}];" for name, size in sizes.items())


def _arrays(values: Mapping[str, Any]) -> str:
    return "".join(
        f"static const float {name}[{value.size}] = {{{_numbers(value)}}};\n"
        for name, value in values.items()
    )


def _numbers(value: Any) -> str:
    return _wrapped(map(number, value.ravel()), 2)


def _wrapped(words: Iterable[str], indent: int = -1) -> str:
    """Return words with commas, broken into lines of the source, or of a comment."""
    newline = "\n" + " " * indent if indent >= 0 else "\n *   "
    lines, line = [], ""
    for word in words:
        if line and len(line) + len(word) > 90:
            lines.append(line)
            line = ""
        line += (" " if line else "") + word + ","
    return newline.join([*lines, line]).removesuffix(",")
