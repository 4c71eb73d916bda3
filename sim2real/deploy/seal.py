"""The seal of a controller's file: a hash over every byte of it, written within it.

The specification holds `"seal": "<64 hexadecimal digits>"`: the SHA-256 of the file with zeros in
their place. So graph, weights and specification are sealed, by reading the file as bytes, before
any parser sees it. It tells damage and edits, not malice: whoever edits can seal anew.
"""

import hashlib
import re
from pathlib import Path

from sim2real.errors import ControllerError

UNSEALED = "0" * 64
_SEAL = re.compile(rb'"seal": "([0-9a-f]{64})"')
# the key of an ONNX tensor whose numbers stand in another file: a text in JSON cannot hold these
# bytes, and weights hold them by chance once in 2^80
_EXTERNAL = b"\n\x08location\x12"


def sealed(content: bytes) -> bytes:
    """Return the file with its hash in the place that `UNSEALED` keeps for it."""
    (found,) = _SEAL.finditer(content)
    start, end = found.span(1)
    digest = _digest(content, start, end)
    return content[:start] + digest + content[end:]


def check(path: Path, content: bytes) -> str:
    """Return the seal of a file; raises ControllerError if it is not intact."""
    found = list(_SEAL.finditer(content))
    if len(found) != 1:
        raise ControllerError(
            f"{path}: not a sealed controller: it is not an ONNX file that this version of sim2real"
            " exported, or is cut off: export it again"
        )
    start, end = found[0].span(1)
    if content[start:end] != _digest(content, start, end):
        raise ControllerError(
            f"{path}: its seal is broken: graph, weights or specification are not those that were"
            " exported: copy the file again, or export it again"
        )
    if _EXTERNAL in content:
        raise ControllerError(f"{path}: its weights stand in another file: export it again")
    return content[start:end].decode()


def _digest(content: bytes, start: int, end: int) -> bytes:
    blank = content[:start] + UNSEALED.encode() + content[end:]
    return hashlib.sha256(blank).hexdigest().encode()
