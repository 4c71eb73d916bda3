"""Which files can be read."""

from pathlib import Path

from sim2real.calibration.logs.bags import SUFFIXES
from sim2real.calibration.logs.tables import TABLES
from sim2real.errors import LogError, known

FORMATS = tuple(sorted((*TABLES, *SUFFIXES)))
"""Endings of files that can be read; a folder that rosbag2 wrote can be, too."""


def unreadable(path: Path) -> LogError:
    """Return the error about what is neither a table nor a bag."""
    if path.is_dir():
        files = [each.name for each in path.iterdir() if each.suffix in FORMATS]
        return LogError(
            f"{path}: a folder, but none that rosbag2 wrote (metadata.yaml beside .db3 or .mcap"
            f" files): name one of the logs in it: {', '.join(sorted(files)[:10]) or 'none'}"
        )
    return LogError(f"{path}: format {path.suffix!r}{known(path.suffix, FORMATS)}")
