"""Is this computer fast enough, called as seldom as a control loop calls?"""

from collections.abc import Iterator

import numpy as np

from sim2real.deploy.clock import Clock, Grid
from sim2real.deploy.controller import Controller
from sim2real.deploy.preflight.bench import Finding, finding
from sim2real.signals import Measured

_SECONDS = 3.0
_SHARE = 0.5  # of a control step that inference and lateness may take together


def check_timing(controller: Controller, clock: Clock) -> Iterator[Finding]:
    """Step the controller on its golden tape at its own rate, and measure."""
    spec = controller.spec
    rows = Measured(**{name: np.array(spec.golden.inputs[name]) for name in spec.signals})
    goal = np.array(spec.goal)
    grid, took = Grid(clock, spec.control_hz), []
    for tick in range(round(_SECONDS * spec.control_hz)):
        start = clock.now()
        controller.step(rows.of(tick % len(spec.golden.command)), goal)
        took.append(clock.now() - start)
        grid.wait()
    latency, lateness = (np.percentile(x or [0], [50, 99]) * 1e-6 for x in (took, grid.lateness))
    period = 1e3 / spec.control_hz
    detail = (
        f"inference {latency[0]:.2f} ms (median), {latency[1]:.2f} ms (99th percentile); awake"
        f" {lateness[0]:.2f} and {lateness[1]:.2f} ms late; {grid.skipped} steps skipped;"
        f" a control step is {period:g} ms"
    )
    yield finding("this computer keeps time", bool(latency[1] + lateness[1] <= _SHARE * period),
                  detail)  # fmt: skip
