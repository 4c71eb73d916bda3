"""What the benchmarks share: taking turns, medians, and the JSON file that a run leaves behind."""

import datetime
import json
import multiprocessing
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "results"


Rates = dict[str, list[float]]


def alternate(
    contestants: Mapping[str, Callable[[], int]], repetitions: int
) -> tuple[Rates, Rates]:
    """Return the rates of each contestant, one for each repetition.

    A contestant does a stretch of work and returns how much it did. They take turns, each time
    beginning with another one, so that whatever else the machine does meets all of them alike.
    The first round warms up and is not counted.

    Returns:
        by_wall: work done in a second [1/s].
        by_cpu: work done in a second of processor time, of all threads and child processes
            [1/s]: it hardly depends on what else the machine does.
    """
    by_wall: Rates = {name: [] for name in contestants}
    by_cpu: Rates = {name: [] for name in contestants}
    order = list(contestants)
    for repetition in range(repetitions + 1):
        for name in order:
            cpu, start = _cpu_seconds(), time.perf_counter()
            done = contestants[name]()
            wall, cpu = time.perf_counter() - start, _cpu_seconds() - cpu
            if repetition:
                by_wall[name].append(done / wall)
                by_cpu[name].append(done / cpu)
        order = [*order[1:], order[0]]
    return by_wall, by_cpu


_watched: set[int] = set()


def watch(pid: int) -> None:
    """Count the processor time of another process, too."""
    _watched.add(pid)


def unwatch(pid: int) -> None:
    """Stop counting it: it ends."""
    _watched.discard(pid)


def _cpu_seconds() -> float:
    """Return the processor time of this process and of its children that still run."""
    seconds = time.process_time()
    if hasattr(time, "pthread_getcpuclockid"):  # Linux: a process's clock can be read by its id
        for pid in (*_watched, *(child.pid for child in multiprocessing.active_children())):
            seconds += time.clock_gettime(~pid << 3 | 2)
    return seconds


def medians(values: Mapping[str, list[float]]) -> dict[str, float]:
    """Return the median of each list."""
    return {name: statistics.median(numbers) for name, numbers in values.items()}


def ratio(values: Mapping[str, list[float]], one: str, other: str) -> float:
    """Return the median over repetitions of `one` / `other`: neighbours in time are compared."""
    pairs = zip(values[one], values[other], strict=True)
    return statistics.median(left / right for left, right in pairs)


def save(name: str, *, settings: Mapping[str, Any], results: Mapping[str, Any]) -> Path:
    """Write `results/<name>.json` with the machine, the versions and the date; return its path.

    A smoke test (`settings["quick"]`) writes to a temporary folder: it measures nothing.
    """
    content = {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "machine": _machine(),
        "versions": _versions(),
        "settings": dict(settings),
        "results": dict(results),
    }
    folder = Path(tempfile.mkdtemp()) if settings["quick"] else FOLDER
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}.json"
    path.write_text(json.dumps(content, indent=2) + "\n")
    return path


def previous(name: str) -> dict[str, Any]:
    """Return the results that `save` wrote before; {} if there are none."""
    path = FOLDER / f"{name}.json"
    return json.loads(path.read_text())["results"] if path.is_file() else {}


def _machine() -> dict[str, Any]:
    return {
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "load": list(os.getloadavg()),
        "platform": platform.platform(),
    }


def _cpu_model() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def _versions() -> dict[str, str]:
    packages = ("envpool", "gymnasium", "mujoco", "numpy", "onnxruntime", "rsl-rl-lib",
                "stable-baselines3", "torch")  # fmt: skip
    found = {"python": platform.python_version()}
    for package in packages:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = "not installed"
    return found
