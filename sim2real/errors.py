"""What a caller would catch. Every message says what was given, what is allowed and what to do.

Sim2RealError
├── ConfigError       a TOML file or a value in it
├── RobotError        a robot's folder or its model
├── ParameterError    a dynamics parameter or its distribution
├── LogError          a recorded log
├── CalibrationError  a log that cannot tell what was asked of it
├── GapError          two domains that cannot be compared
├── ControllerError   an exported controller
├── LinkError         the connection to a robot
└── MissingExtraError an optional dependency
"""

import difflib
from collections.abc import Iterable


class Sim2RealError(Exception):
    """Base of all errors that the package raises on purpose."""


class ConfigError(Sim2RealError):
    """A TOML file, or a value in it, is not what the package understands."""


class RobotError(Sim2RealError):
    """A robot's folder or its model does not describe a robot."""


class ParameterError(Sim2RealError):
    """A dynamics parameter names nothing, or its distribution is impossible."""


class LogError(Sim2RealError):
    """A recorded log cannot be read as a trajectory."""


class CalibrationError(Sim2RealError):
    """A log cannot tell what was asked of it."""


class GapError(Sim2RealError):
    """Two domains have nothing in common by which to compare them."""


class MetaError(Sim2RealError):
    """Data that a model cannot adapt to."""


class ControllerError(Sim2RealError):
    """An exported controller is damaged, or belongs to another robot."""


class LinkError(Sim2RealError):
    """The robot at the other end of a link does not answer as it should."""


class MissingExtraError(Sim2RealError):
    """A dependency that this function needs is not installed."""

    def __init__(self, package: str, extra: str):
        super().__init__(
            f"this needs the package '{package}': install it with pip install 'sim2real[{extra}]'"
        )


def known(name: str, names: Iterable[str]) -> str:
    """Return '; did you mean 'x'? known: ...', the end of every message about a wrong name."""
    names = sorted(names)
    close = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    close.sort(key=lambda near: not name.startswith(near))  # 'degrees' means 'deg', not 'deg/s'
    hint = f"; did you mean {close[0]!r}?" if close else ";"
    shown = ", ".join(names[:20]) + (f", ... ({len(names)} in all)" if len(names) > 20 else "")
    return f"{hint} known: {shown or 'none'}"
