"""A caller of the command in an empty folder, and one tiny trained policy for all tests."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sim2real import cli

TINY = (
    "--steps", "512", "--nthread", "1", "--evaluation-envs", "2", "--evaluate-every", "2",
    "--ppo.num-envs", "16", "--ppo.rollout-steps", "8", "--ppo.hidden", "8",
)  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def sim2real(capsys, monkeypatch, tmp_path) -> Callable[..., Outcome]:
    """Run a verb in this process, in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: object) -> Outcome:
        try:
            cli.main([str(argument) for argument in arguments])
            code = 0
        except SystemExit as stop:
            code = int(stop.code or 0)
        return Outcome(code, *capsys.readouterr())

    return call


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory) -> tuple[Path, Outcome, Outcome]:
    """A run of the pendulum with its controller, and what `train` and `export` said, with --json.

    In processes of their own, so that nothing that a library prints escapes notice.
    """
    folder = tmp_path_factory.mktemp("commands")

    def call(*arguments: str) -> Outcome:
        done = subprocess.run(
            [sys.executable, "-m", "sim2real", *arguments, "--json"],
            cwd=folder, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        return Outcome(done.returncode, done.stdout, done.stderr)

    trained = call("train", "pendulum", "--output", "run", *TINY)
    exported = call("export", "run")
    return folder / "run", trained, exported


@pytest.fixture(scope="session")
def controller(tiny_run) -> Path:
    """An exported controller of the pendulum."""
    return tiny_run[0] / "controller.onnx"
