"""What the benchmarks share: taking turns, medians, and the JSON file that a run leaves behind."""

import datetime
import json
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


def alternate(
    contestants: Mapping[str, Callable[[], int]], repetitions: int
) -> dict[str, list[float]]:
    """Return the rates [1/s] of each contestant, one for each repetition.

    A contestant does a stretch of work and returns how much it did. They take turns, each time
    beginning with another one, so that whatever else the machine does meets all of them alike.
    The first round warms up and is not counted.
    """
    rates: dict[str, list[float]] = {name: [] for name in contestants}
    order = list(contestants)
    for repetition in range(repetitions + 1):
        for name in order:
            start = time.perf_counter()
            done = contestants[name]()
            if repetition:
                rates[name].append(done / (time.perf_counter() - start))
        order = [*order[1:], order[0]]
    return rates


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
