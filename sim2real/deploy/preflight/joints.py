"""Does each joint move when it is told to, the way that it is told to, and alone?"""

from collections.abc import Iterator

import numpy as np

from sim2real.deploy.driver import Array
from sim2real.deploy.preflight.bench import Bench, Finding, finding

_ANGLE = 0.05  # rad, position mode
_TORQUE = 0.1  # share of the limit, torque mode
_SECONDS = 0.4
_SEEN = 0.2  # share of what is asked that must be seen
_ALONE = 0.5  # share of its motion that another joint may move


def check_joints(bench: Bench) -> Iterator[Finding]:
    """Nudge one joint after the other: a servo by 0.05 rad, a motor by a tenth of its torque."""
    for number, name in enumerate(bench.robot.driven):
        moved, asked = _nudge(bench, number)
        yield _judge(bench, number, f"the joint {name!r} moves alone", moved, asked)
        bench.driver.stop()
        bench.sleep(_SECONDS)


def _nudge(bench: Bench, number: int) -> tuple[Array, float]:
    """Return how far the joints moved (njoint,), and which way one was asked to, ±1."""
    start = bench.measured().signals.position
    target = bench.still()
    low, high = bench.envelope.command
    servo = bench.envelope.servos.kp[number] > 0.0
    way = 1.0
    if servo and not target[number] + _ANGLE <= high[number]:
        way = -1.0
    full = way * (_ANGLE if servo else _TORQUE * high[number])
    end = bench.clock.now() + round(_SECONDS * 1e9)
    share = 0.0
    while bench.clock.now() < end:
        share = min(1.0, share + 2.0 * bench.envelope.period / _SECONDS)
        command = target.copy()
        command[number] = np.clip(target[number] + share * full, low[number], high[number])
        bench.command(command, bench.envelope.max_age)
        bench.sleep(bench.envelope.period)
    return bench.measured().signals.position - start, way


def _judge(bench: Bench, number: int, name: str, moved: Array, way: float) -> Finding:
    index = bench.envelope.servos.index
    own = moved[index[number]] * way
    least = _SEEN * _ANGLE
    others = np.delete(np.abs(moved[index]), number)
    detail = f"by {own:+.3f} rad, the others by at most {others.max(initial=0.0):.3f} rad"
    if abs(own) < least:
        stuck = bench.envelope.servos.kp[number] > 0.0
        return finding(name, False if stuck else None, f"it hardly moves: {detail}")
    return finding(name, bool(own > 0 and others.max(initial=0.0) <= _ALONE * own), detail)
