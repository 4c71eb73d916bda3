"""What a run leaves in its folder, read and written whole: policies and checkpoints.

Nothing in a file is executed: only tensors, arrays and plain values are read.
"""

import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy._core.multiarray import _reconstruct, scalar  # type: ignore[attr-defined]

from sim2real import config
from sim2real.errors import ConfigError
from sim2real.training.policy import Policy

POLICY, CHECKPOINT = "policy.pt", "checkpoint.pt"

# what numpy's arrays are made of
_HARMLESS = [
    *(_reconstruct, scalar, np.ndarray, np.dtype, bytes),
    *(kind for kind in vars(np.dtypes).values() if isinstance(kind, type)),
]


def load_policy(folder: Path) -> Policy:
    """Return the best policy of the run in `folder`; raises ConfigError if there is none."""
    return Policy.from_dict(_read(folder / POLICY, "; train first"))


def load_checkpoint(folder: Path) -> dict[str, Any]:
    """Return all that the run in `folder` goes on from; raises ConfigError if there is none."""
    return _read(folder / CHECKPOINT)


def save(data: Any, path: Path) -> None:
    """Write tensors, arrays and plain values, as a whole or not at all."""
    buffer = io.BytesIO()
    torch.save(data, buffer)
    config.write_atomically(path, buffer.getvalue())


# pickle's documentation: "other exceptions may also be raised during unpickling"
_DAMAGED = (
    *(RuntimeError, pickle.UnpicklingError, EOFError, LookupError),
    *(AttributeError, ImportError, ValueError, TypeError),
)


def _read(path: Path, advice: str = "") -> Any:
    if not path.is_file():
        raise ConfigError(f"{path.parent}: not a training run: it has no {path.name}{advice}")
    try:
        with torch.serialization.safe_globals(_HARMLESS):
            return torch.load(path, weights_only=True)
    except _DAMAGED as error:
        raise ConfigError(
            f"{path}: damaged ({str(error).splitlines()[0] if str(error) else 'it is empty'}):"
            " restore it from a copy, or train again into another folder"
        ) from None
