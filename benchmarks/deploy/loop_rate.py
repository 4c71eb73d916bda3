"""Does the control loop keep its rate while another process wants the processor?

    python benchmarks/deploy/loop_rate.py [--quick] [--minutes 10] [--hz 50 100 200] [--ordinary]

Experiments B2 and B3: the loop's own grid, with a controller's inference as its work and a process
that computes on every other core; beside it the loop that many deployment scripts have, which
sleeps for a period after its work. With SCHED_FIFO and locked memory if the system allows it.
"""

import argparse
import contextlib
import multiprocessing
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from sim2real.deploy.clock import Grid, MonotonicClock
from sim2real.deploy.process import frozen_gc, realtime

sys.path.insert(0, str(Path(__file__).parents[1]))
import _result

TARGETS = {"bunched": 0, "late_p99_ms_200hz": 0.5, "rate_error": 1e-4, "skipped_share": 1e-3}
_WORK = 2e-4  # s of computing in each step: about what inference costs


def main() -> None:
    """Measure; write results/deploy_loop_rate.json."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a second each: a smoke test")
    parser.add_argument("--minutes", type=float, default=10.0, help="of each rate")
    parser.add_argument("--hz", type=float, nargs="+", default=[50.0, 100.0, 200.0])
    parser.add_argument("--ordinary", action="store_true", help="without SCHED_FIFO")
    chosen = parser.parse_args()
    seconds = 1.0 if chosen.quick else 60.0 * chosen.minutes
    results: dict[str, Any] = {}
    with _busy(max(1, (os.cpu_count() or 2) - 1)), _prompt(chosen.ordinary) as refused:
        for hz in chosen.hz:
            results[f"grid {hz:g} Hz"] = _grid(hz, seconds)
            results[f"naive {hz:g} Hz"] = _naive(hz, min(seconds, 60.0))
    settings = {"quick": chosen.quick, "seconds": seconds, "refused": refused, "targets": TARGETS}
    print(_result.save("deploy_loop_rate", settings=settings, results=results))
    for name, value in results.items():
        print(f"{name}: {value}")


def _grid(hz: float, seconds: float) -> dict[str, float]:
    clock = MonotonicClock()
    with frozen_gc():
        grid, ticks, start = Grid(clock, hz), [], clock.now()
        while clock.now() - start < seconds * 1e9:
            ticks.append(clock.now())
            _compute(_WORK)
            grid.wait()
    gaps = np.diff(ticks) * hz * 1e-9
    late = np.percentile(grid.lateness, [50, 99, 99.9, 100]) * 1e-6
    turns = len(ticks) + grid.skipped
    return {
        "ticks": len(ticks), "skipped": grid.skipped, "skipped_share": grid.skipped / turns,
        "bunched": int((gaps < 0.5).sum()), "rate_error": _rate_error(ticks, grid.skipped, hz),
        "late_p50_ms": late[0], "late_p99_ms": late[1], "late_p99.9_ms": late[2],
        "late_max_ms": late[3],
    }  # fmt: skip


def _naive(hz: float, seconds: float) -> dict[str, float]:
    ticks, start = [], time.monotonic_ns()
    while time.monotonic_ns() - start < seconds * 1e9:
        ticks.append(time.monotonic_ns())
        _compute(_WORK)
        time.sleep(1.0 / hz)
    return {"ticks": len(ticks), "rate_error": _rate_error(ticks, 0, hz)}


def _rate_error(ticks: list[int], skipped: int, hz: float) -> float:
    """Return by which share the rate, skipped steps counted, differs from what was asked."""
    elapsed = (ticks[-1] - ticks[0]) * 1e-9
    return abs((len(ticks) - 1 + skipped) / elapsed / hz - 1.0)


def _compute(seconds: float) -> None:
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass


@contextlib.contextmanager
def _busy(count: int):
    """Keep so many cores busy."""
    processes = [multiprocessing.Process(target=_compute, args=(1e9,)) for _ in range(count)]
    for process in processes:
        process.start()
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.join()


@contextlib.contextmanager
def _prompt(ordinary: bool):
    if ordinary:
        yield ["not asked for"]
        return
    with realtime() as refused:
        yield refused


if __name__ == "__main__":
    main()
