"""Nothing that comes from a network or a file is ever run: no pickle, no eval, no shell."""

import ast
import functools
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "sim2real"
RUNS_WHAT_IT_READS = {
    "pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal", "jsonpickle",
}  # fmt: skip
CALLS = {"eval", "exec", "compile", "__import__"}


@functools.cache
def modules():
    return [(path, ast.parse(path.read_text())) for path in sorted(PACKAGE.rglob("*.py"))]


def where(path, node):
    return f"{path.relative_to(PACKAGE)}:{node.lineno}"


def names(node):
    """What is taken from which module, "module.name", by an import or an attribute."""
    if isinstance(node, ast.ImportFrom):
        return [f"{node.module}.{alias.name}" for alias in node.names]
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        return [f"{node.value.id}.{node.attr}"]
    return []


def test_nothing_is_unpickled():
    """What torch raises for a damaged file is pickle's: only that name is taken."""
    found = [
        where(path, node)
        for path, tree in modules()
        for node in ast.walk(tree)
        for name in names(node)
        if name.split(".")[0] in RUNS_WHAT_IT_READS and name != "pickle.UnpicklingError"
    ]
    assert not found, found


def test_no_text_is_run():
    found = [
        where(path, node)
        for path, tree in modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in CALLS
    ]
    assert not found, found


def keywords(node):
    return {keyword.arg: keyword.value for keyword in node.keywords}


def calls(tree, name):
    """The calls of `anything.name`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            owner = node.func.value
            if f"{owner.id if isinstance(owner, ast.Name) else ''}.{node.func.attr}" == name:
                yield node


@pytest.mark.parametrize(
    ("call", "keyword", "safe"),
    [("torch.load", "weights_only", {True}), ("np.load", "allow_pickle", {False, None})],
)
def test_loaders_that_could_unpickle_do_not(call, keyword, safe):
    wrong = [
        where(path, node)
        for path, tree in modules()
        for node in calls(tree, call)
        if getattr(keywords(node).get(keyword), "value", None) not in safe
    ]
    assert not wrong, f"{call} without {keyword}: {wrong}"


def test_no_command_goes_through_a_shell():
    wrong = [
        where(path, node)
        for path, tree in modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and getattr(keywords(node).get("shell"), "value", False) is not False
    ]
    assert not wrong, wrong
