"""What identifies a gap report, in the metadata of what was trained with it."""

import hashlib
import json
from pathlib import Path

from sim2real.errors import ConfigError


def digest(text: str) -> str:
    """Return the hash of a report's JSON text."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def report_digest(path: Path) -> str:
    """Return the digest of the gap report at `path`; raises ConfigError if it is none."""
    try:
        text = path.read_text()
        found = json.loads(text)
    except FileNotFoundError:
        raise ConfigError(
            f"gap: report: {path}: no such file: write it with sim2real gap"
        ) from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"gap: report: {path} is not the JSON of sim2real gap: {error}") from None
    if not isinstance(found, dict) or "auc" not in found:
        raise ConfigError(f"gap: report: {path} is not the JSON of sim2real gap: it has no auc")
    return digest(text)
