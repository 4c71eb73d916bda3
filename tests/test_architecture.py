"""The one-way imports of docs/architecture.md, read from the source of every module."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "sim2real"

# A line may import the lines below it; rooms on one line may import each other, without circles.
LAYERS = (
    ("cli", "demo", "commands", "__main__"),
    ("cluster",),
    ("export", "evaluation", "training", "gap", "meta", "mpc", "calibration"),
    ("envs",),
    ("tasks", "randomization"),
    ("sim",),
    ("deploy",),
    (
        "observation",
        "control",
        "trajectory",
        "signals",
        "spool",
        "rotation",
        "shipped",
        "robot",
        "parameters",
    ),
    ("arrays", "config", "errors"),
)
LEVEL = {room: level for level, rooms in enumerate(LAYERS) for room in rooms}

# What the robot's computer has not, and deploy and all below it must do without.
HEAVY = ("torch", "mujoco", "pybullet", "gymnasium", "scipy", "matplotlib")

# Each of these has one home: the rooms that may import it.
HOMES = {
    "pybullet": {"sim"},
    "gymnasium": {"envs", "training"},
    "rsl_rl": {"envs", "training"},
    "stable_baselines3": {"envs", "training"},
    "torch": {"envs", "training", "export", "gap", "meta", "mpc"},
    "onnx": {"export"},
    "cyclonedds": {"deploy"},
    "serial": {"deploy"},
    "pyarrow": {"training", "calibration"},
    "h5py": {"calibration"},
    "rosbags": {"calibration"},
    "bayes_opt": {"randomization"},
    "matplotlib": {"evaluation", "calibration"},
}


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def modules() -> Iterator[tuple[Path, ast.Module]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        yield path, ast.parse(path.read_text(), str(path))


def imports(node: ast.AST, lazy: bool = False) -> Iterator[tuple[str, int, bool]]:
    """Yield each imported module, its line, and whether a function imports it only when called."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from ((alias.name, child.lineno, lazy) for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            if child.module == "sim2real":
                yield from ((f"sim2real.{a.name}", child.lineno, lazy) for a in child.names)
            else:
                yield child.module or "", child.lineno, lazy
        inside = lazy or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        yield from imports(child, inside)


def arrows() -> dict[tuple[str, str], list[str]]:
    """Return (importing room, imported room) → where."""
    found: dict[tuple[str, str], list[str]] = {}
    for path, tree in modules():
        for name, line, _ in imports(tree):
            package, _, rest = name.partition(".")
            target = rest.split(".")[0]
            if package == "sim2real" and target not in ("", "__version__", room(path)):
                where = f"{path.relative_to(PACKAGE.parent)}:{line} imports {name}"
                found.setdefault((room(path), target), []).append(where)
    return found


def circle(graph: dict[str, set[str]]) -> list[str]:
    """Return rooms that import each other in a circle; empty if there are none."""
    done: set[str] = set()

    def visit(node: str, trail: list[str]) -> list[str]:
        if node in trail:
            return [*trail[trail.index(node) :], node]
        if node in done:
            return []
        for successor in sorted(graph.get(node, ())):
            if found := visit(successor, [*trail, node]):
                return found
        done.add(node)
        return []

    return next((found for node in sorted(graph) if (found := visit(node, []))), [])


def test_every_room_has_its_line():
    rooms = {room(path) for path, _ in modules()} - {"__init__"}
    rooms |= {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").is_file()}
    assert rooms <= LEVEL.keys(), f"give these a line in LAYERS: {sorted(rooms - LEVEL.keys())}"


def test_imports_go_one_way():
    upward = [
        where
        for (importer, imported), places in arrows().items()
        if importer != "__init__" and LEVEL[imported] < LEVEL[importer]
        for where in places
    ]
    assert not upward, "\n".join(upward)


def test_the_package_itself_imports_none_of_its_rooms():
    places = [where for (importer, _), where in arrows().items() if importer == "__init__"]
    assert not places, places


@pytest.mark.parametrize("rooms", LAYERS, ids=lambda rooms: rooms[0])
def test_rooms_on_one_line_import_each_other_without_circles(rooms):
    found = arrows()
    graph = {room: {to for (at, to) in found if at == room and to in rooms} for room in rooms}
    trail = circle(graph)
    places = [where for pair in pairwise(trail) for where in found[pair]]
    assert not trail, f"{' → '.join(trail)}:\n" + "\n".join(places)


def test_no_import_is_relative():
    relative = [
        f"{path}:{node.lineno}"
        for path, tree in modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.level > 0
    ]
    assert not relative, relative


def test_what_runs_on_the_robots_computer_imports_nothing_heavy():
    wrong = []
    for path, tree in modules():
        if room(path) == "__init__" or LEVEL[room(path)] < LEVEL["deploy"]:
            continue
        for name, line, lazy in imports(tree):
            package = name.split(".")[0]
            needed_by_few = package == "scipy" and lazy and room(path) == "parameters"
            if package in HEAVY and not needed_by_few:
                wrong.append(f"{path.relative_to(PACKAGE.parent)}:{line} imports {name}")
    assert not wrong, "\n".join(wrong)


def test_each_heavy_dependency_has_one_home():
    wrong = [
        f"{path.relative_to(PACKAGE.parent)}:{line} imports {name}"
        for path, tree in modules()
        for name, line, _ in imports(tree)
        if (package := name.split(".")[0]) in HOMES and room(path) not in HOMES[package]
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    "module", ["sim2real", "sim2real.cli", "sim2real.deploy.controller", "sim2real.deploy.loop"]
)
def test_importing_it_brings_in_nothing_heavy(module):
    code = f"import sys, {module}; print(*{{name.split('.')[0] for name in sys.modules}})"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert not set(done.stdout.split()) & set(HEAVY)


@pytest.mark.parametrize("folder", ["robots", "calibration", "launch"])
def test_folders_about_a_lab_hold_no_python(folder):
    """A top-level package `launch` would shadow ROS 2's."""
    held = [str(path) for path in (PACKAGE.parent / folder).rglob("*.py")]
    assert not held, f"if Python can import it, it is in sim2real/: {held}"
