"""Synthetic twins, and the experiments of the benchmarks."""

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from sim2real.robot import Robot
from sim2real.shipped import find_robot
from sim2real.trajectory import Trajectory

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="session")
def benchmark() -> Callable[[str], ModuleType]:
    """Return what loads a module of benchmarks/gap by its name."""

    def load(name: str) -> ModuleType:
        sys.path.insert(0, str(BENCHMARKS))
        try:
            path = BENCHMARKS / "gap" / f"{name}.py"
            spec = importlib.util.spec_from_file_location(name, path)
            assert spec is not None
            assert spec.loader is not None
            module = importlib.util.module_from_spec(spec)
            sys.modules[name] = module  # its dataclasses look their module up
            spec.loader.exec_module(module)
        finally:
            sys.path.remove(str(BENCHMARKS))
        return module

    return load


@pytest.fixture(scope="session")
def pendulum() -> Robot:
    return find_robot("pendulum")


@pytest.fixture(scope="session")
def record(benchmark: Callable[[str], ModuleType]) -> Callable[..., Trajectory]:
    """Return what records a robot with planted parameters."""
    return benchmark("_twin").record
