"""The records of an MCAP file from its start, up to the last one that is whole.

The library's own readers seek the index at a file's end, which a recorder that was killed did not
write.
"""

from collections.abc import Iterator
from pathlib import Path

from mcap.records import McapRecord
from mcap.stream_reader import StreamReader

from sim2real.errors import LogError

_MAGIC = b"\x89MCAP0\r\n"


def whole_records(path: Path) -> Iterator[McapRecord]:
    """Yield the records of the file, those in chunks included.

    What follows damage, or a record that breaks off, is not read: the recorder was stopped there.

    Raises:
        LogError: the file cannot be read, or does not begin as an MCAP file does.
    """
    try:
        file = path.open("rb")
    except OSError as error:
        raise LogError(f"{path}: cannot be read: {error.strerror}") from None
    with file:
        if file.read(len(_MAGIC)) != _MAGIC:
            raise LogError(f"{path}: not an MCAP file")
        file.seek(0)
        try:
            yield from StreamReader(file, validate_crcs=True).records
        except OSError as error:
            raise LogError(f"{path}: cannot be read: {error.strerror}") from None
        except Exception:  # a parser, lz4 or zstd on damaged bytes: whatever it stumbles over
            return
