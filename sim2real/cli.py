"""`sim2real`: one command with verbs, each in its own file in `sim2real.commands`."""

import importlib
import os
import signal
import sys
from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from sim2real import __version__
from sim2real.errors import Sim2RealError, known

VERBS = {
    "robots": "list the robots, or what can be randomized on one",
    "randomize": "show a robot's randomization, check it against logs",
    "train": "train a policy in randomized simulation",
    "adapt": "train a dynamics model that adapts to a robot's last moments",
    "sensitivity": "find the worlds in which a policy fails, and why",
    "plan": "drive a robot by planning on its simulation, without training",
    "export": "write a trained policy as one ONNX controller",
    "inspect": "show what an exported controller is and needs",
    "check": "check an exported controller on this machine",
    "diff": "show what differs between two exported controllers",
    "robot": "start a virtual robot: a simulation behind a link",
    "serve": "put a robot behind a link: serial servos, ROS 2",
    "preflight": "try out on a robot all that must hold before a controller runs",
    "deploy": "run a controller on a robot",
    "replay": "decide again from a recording, and compare bit for bit",
    "record": "play an excitation on a robot and record it",
    "excite": "play the motion that tells a recipe's parameters",
    "log": "show what is in a recorded file",
    "calibrate": "estimate dynamics parameters from recorded logs",
    "gap": "show where the simulation of a robot is wrong, from its logs",
    "match": "move a distribution of worlds towards recorded logs",
    "report": "write the HTML report of a folder of results",
    "demo": "do all of it on a pendulum, in six minutes",
}
"""Verb → what it does, in the order in which one uses them."""

EXTRAS = {
    "train": "training",
    "adapt": "all",
    "export": "training",
    "plan": "training",
    "diff": "training",
    "robot": "bullet",
    "log": "calibration",
    "excite": "sim",
    "calibrate": "calibration",
    "match": "calibration",
    "gap": "all",
    "robots": "sim",
    "randomize": "analysis",
    "sensitivity": "all",
}
"""Verb → the extra that it needs beside the base install; all of them if it is not here."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the verb that the arguments name; exits with 2 on an error of the user's."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if not arguments or arguments[0] in ("-h", "--help", "help", "--version"):
        text = __version__ if "--version" in arguments else _overview()
        Console(highlight=False).print(text)
        raise SystemExit(0 if arguments else 2)
    verb, *rest = arguments
    try:
        if verb not in VERBS:
            raise Sim2RealError(f"no command {verb!r}{known(verb, VERBS)}")
        importlib.import_module(f"sim2real.commands.{verb}").main(rest)
        sys.stdout.flush()
    except Sim2RealError as error:
        _stop(str(error))
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("sim2real"):
            raise
        _stop(_missing(verb, error.name))
    except BrokenPipeError:  # whoever read what it prints has gone, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nor is the rest printed
        raise SystemExit(128 + signal.SIGPIPE) from None
    except OSError as error:  # a full disk, a folder that may not be written, a file in its place
        if error.filename is None:
            raise
        _stop(f"{error.filename}: {error.strerror}")
    except KeyboardInterrupt:
        Console(stderr=True).print("stopped")
        raise SystemExit(130) from None


def _stop(message: str) -> None:
    """Say what is wrong and exit with 2. The message is not markup: `[task]` is a table in it."""
    text = Text.assemble(("error: ", "red"), " ".join(message.split()))
    Console(stderr=True, soft_wrap=True, highlight=False).print(text)
    raise SystemExit(2) from None


def _missing(verb: str, package: str | None) -> str:
    extra = EXTRAS.get(verb, "all")
    torch = "torch==2.13.0 " if extra in ("training", "all") else ""
    return (
        f"'sim2real {verb}' needs the package {package!r}, which the base install leaves out:"
        f" pip install {torch}'sim2real[{extra}]'"
    )


def _overview() -> str:
    lines = [f"  [bold]{verb:<11}[/bold] {text}" for verb, text in VERBS.items()]
    return "\n".join(
        [
            "[bold]sim2real[/bold]: from randomized simulation to a controller on a robot",
            "",
            "usage: sim2real VERB ...        (sim2real VERB --help tells its options)",
            "",
            *lines,
        ]
    )
