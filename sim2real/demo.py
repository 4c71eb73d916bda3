"""The whole loop on a pendulum: nothing but calls of the other verbs, as one would type them."""

import json
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.text import Text

from sim2real import config
from sim2real.errors import ConfigError, Sim2RealError

_ROBOT = "pendulum"


@dataclass(frozen=True, kw_only=True)
class Demo:
    """What to run and where to put it."""

    folder: Path
    logs: Path | None
    """A folder of real logs to calibrate from; None for the virtual robot's."""
    recipe: str
    seed: int
    steps: int
    """Control steps of each training."""
    episodes: int
    """On the robot, for each policy."""


def run(demo: Demo) -> None:
    """Run the demo.

    Raises:
        ConfigError: the folder holds results already.
        Sim2RealError: a step failed; the folder keeps what was done.
    """
    if demo.folder.exists() and not demo.folder.is_dir():
        raise ConfigError(f"{demo.folder} is a file: choose a folder as --output")
    if demo.folder.exists() and any(demo.folder.iterdir()):
        raise ConfigError(f"{demo.folder} is not empty: choose another --output, or remove it")
    steps = _Steps(demo.folder)
    if demo.logs is None:
        _with_virtual_logs(demo, steps)
    else:
        _with_real_logs(demo, demo.logs, steps)
    steps.call("report", "report", str(demo.folder))


def _with_virtual_logs(demo: Demo, steps: "_Steps") -> None:
    """The robot is drawn, then measured: the calibration is judged by the planted parameters."""
    excitation, calibration = demo.folder / "excitation.mcap", demo.folder / "calibration"
    check = demo.folder / "excitation-held-out.mcap"
    _train(demo, steps, "wide", "train on wide randomization")
    with _virtual_robot(demo, "--seed", str(demo.seed)) as address:
        _deploy(demo, steps, "wide", address)
        record = ("record", _ROBOT, "--address", address, "--from-start", "--output")
        steps.call("record an excitation", *record, str(excitation))
        held_out = (str(check), "--seed", "1", "--seconds", "8")
        steps.call("record another, to check with", *record, *held_out)
        steps.call(
            "calibrate", "calibrate", demo.recipe, str(excitation), "--held-out", str(check),
            "--output", str(calibration))  # fmt: skip
        _train(demo, steps, "calibrated", "train on the calibrated distribution", calibration)
        _deploy(demo, steps, "calibrated", address)


def _with_real_logs(demo: Demo, logs: Path, steps: "_Steps") -> None:
    """The virtual robot is what the calibration found in the logs: a stand-in for the real one."""
    calibration = demo.folder / "calibration"
    steps.call(
        "calibrate from real logs", "calibrate", demo.recipe, str(logs), "--output",
        str(calibration))  # fmt: skip
    _train(demo, steps, "wide", "train on wide randomization")
    _train(demo, steps, "calibrated", "train on the calibrated distribution", calibration)
    posterior = str(calibration / "posterior.toml")
    with _virtual_robot(demo, "--seed", str(demo.seed), "--posterior", posterior) as address:
        for name in ("wide", "calibrated"):
            _deploy(demo, steps, name, address)


def _train(
    demo: Demo, steps: "_Steps", name: str, title: str, calibration: Path | None = None
) -> None:
    posterior: tuple[str, ...] = ()
    if calibration:  # goes on from the policy that met every robot
        posterior = ("--posterior", str(calibration / "posterior.toml"))
        posterior += ("--start", str(demo.folder / "wide"))
    steps.call(
        title, "train", _ROBOT, "--output", str(demo.folder / name), "--seed", str(demo.seed),
        "--steps", str(demo.steps), *posterior)  # fmt: skip
    controller = str(demo.folder / f"{name}.onnx")
    steps.call(f"export {name}", "export", str(demo.folder / name), "--output", controller)


def _deploy(demo: Demo, steps: "_Steps", name: str, address: str) -> None:
    steps.call(
        f"deploy {name}", "deploy", str(demo.folder / f"{name}.onnx"), "--robot", _ROBOT,
        "--address", address, "--episodes", str(demo.episodes),
        "--record", str(demo.folder / f"{name}-on-robot"))  # fmt: skip


class _Steps:
    """Runs verbs, and keeps what was run and how long it took beside the results."""

    def __init__(self, folder: Path):
        self._folder, self._done = folder, []
        self._console = Console(highlight=False, markup=False)
        folder.mkdir(parents=True, exist_ok=True)

    def call(self, title: str, *arguments: str) -> None:
        """Run `sim2real ARGUMENTS`; raises Sim2RealError if it fails."""
        self._console.rule(Text(f"{len(self._done) + 1}. {title}", "bold"), align="left")
        self._console.print(f"$ sim2real {shlex.join(arguments)}", style="dim", soft_wrap=True)
        start = time.monotonic()
        returncode = _run(arguments)
        tripped = returncode == 1 and arguments[0] == "deploy"  # that is a result, too
        if returncode != 0 and not tripped:
            raise Sim2RealError(f"'sim2real {arguments[0]}' failed, see above")
        self._done.append(
            {
                "title": title,
                "command": f"sim2real {shlex.join(arguments)}",
                "seconds": time.monotonic() - start,
            }
        )
        config.write_atomically(self._folder / "steps.json", json.dumps(self._done).encode())


def _run(arguments: Sequence[str]) -> int:
    """Return the exit code of `sim2real ARGUMENTS`; at Ctrl-C, once it has saved its work."""
    process = subprocess.Popen([sys.executable, "-m", "sim2real", *arguments])
    try:
        return process.wait()
    except KeyboardInterrupt:
        process.wait(timeout=60)
        raise


@contextmanager
def _virtual_robot(demo: Demo, *options: str) -> Iterator[str]:
    """Run a virtual robot in another process; yield its address."""
    address = f"127.0.0.1:{_free_port()}"
    command = [sys.executable, "-m", "sim2real", "robot", _ROBOT, "--address", address]
    command += ["--truth", str(demo.folder / "truth.json"), *options]
    with (demo.folder / "robot.log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        try:
            _wait_for(demo.folder / "truth.json", process)
            yield address
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=10)


def _wait_for(truth: Path, process: "subprocess.Popen[bytes]") -> None:
    for _ in range(300):
        if truth.exists():
            return
        if process.poll() is not None:
            break
        time.sleep(0.1)
    raise Sim2RealError(f"the virtual robot did not start: see {truth.parent / 'robot.log'}")


def _free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
