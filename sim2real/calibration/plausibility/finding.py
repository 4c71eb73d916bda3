"""What speaks against a log."""

from dataclasses import dataclass
from typing import Literal, get_args

Kind = Literal["constant", "limits", "units", "sign", "swapped", "drift"]

KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One reason not to believe a log as it is read."""

    kind: Kind
    """What a recipe's `logs.accept` names to read the log all the same."""
    message: str
    """What is wrong, how that shows, and what to do."""
