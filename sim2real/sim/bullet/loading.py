"""pybullet without what its C code prints: its build time at import, the name of its solver."""

import contextlib
import ctypes
import os
import sys
from collections.abc import Iterator
from typing import Any

from sim2real.errors import MissingExtraError


def load_pybullet() -> Any:
    """Return the module pybullet, which has no types; raises MissingExtraError."""
    try:
        with silence():
            import pybullet
    except ModuleNotFoundError:
        raise MissingExtraError("pybullet", "bullet") from None
    return pybullet


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """Send what C code writes to the standard streams meanwhile to nowhere."""
    sys.stdout.flush()
    sys.stderr.flush()
    kept = os.dup(1), os.dup(2)
    with open(os.devnull, "w") as nowhere:
        for stream in (1, 2):
            os.dup2(nowhere.fileno(), stream)
    try:
        yield
    finally:
        if os.name == "posix":  # what C holds back would come out later
            ctypes.CDLL(None).fflush(None)
        for stream, copy in zip((1, 2), kept, strict=True):
            os.dup2(copy, stream)
            os.close(copy)
