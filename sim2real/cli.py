"""`sim2real`: one command with verbs, each in its own file in `sim2real.commands`."""

import importlib
import sys
from collections.abc import Sequence

from rich.console import Console

from sim2real import __version__
from sim2real.errors import Sim2RealError, known

VERBS = {
    "robots": "list the robots, or what can be randomized on one",
    "train": "train a policy in randomized simulation",
    "export": "write a trained policy as one ONNX controller",
    "robot": "start a virtual robot: a simulation behind a link",
    "deploy": "run a controller on a robot",
    "record": "play an excitation on a robot and record it",
    "calibrate": "estimate dynamics parameters from recorded logs",
    "report": "write the HTML report of a folder of results",
    "demo": "do all of it on a pendulum, in six minutes",
}
"""Verb → what it does, in the order in which one uses them."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the verb that the arguments name; exits with 2 on an error of the user's."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        Console(highlight=False).print(_overview())
        raise SystemExit(0 if arguments else 2)
    if arguments[0] in ("--version", "version"):
        Console(highlight=False).print(__version__)
        raise SystemExit(0)
    verb, *rest = arguments
    try:
        if verb not in VERBS:
            raise Sim2RealError(f"no command {verb!r}{known(verb, VERBS)}")
        importlib.import_module(f"sim2real.commands.{verb}").main(rest)
    except Sim2RealError as error:
        console.print(f"[red]error:[/red] {error}", markup=True)
        raise SystemExit(2) from None
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("sim2real"):
            raise
        console.print(
            f"[red]error:[/red] 'sim2real {verb}' needs the package {error.name!r}, which this"
            " base install leaves out: pip install torch==2.13.0 'sim2real\\[all]'"
        )
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        console.print("stopped")
        raise SystemExit(130) from None


def _overview() -> str:
    lines = [f"  [bold]{verb:<10}[/bold] {text}" for verb, text in VERBS.items()]
    return "\n".join(
        [
            "[bold]sim2real[/bold]: from randomized simulation to a controller on a robot",
            "",
            "usage: sim2real VERB ...        (sim2real VERB --help tells its options)",
            "",
            *lines,
        ]
    )
