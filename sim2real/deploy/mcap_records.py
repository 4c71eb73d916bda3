"""The records of an MCAP file from its start, up to the last one that is whole.

The library's own readers seek the index at a file's end, which a recorder that was killed did not
write.
"""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import lz4.frame
import zstandard
from mcap.records import Chunk, McapRecord
from mcap.stream_reader import StreamReader, breakup_chunk

from sim2real.errors import LogError

_MAGIC = b"\x89MCAP0\r\n"
_LARGEST = 1 << 28
"""Bytes of a record, or unpacked of a chunk: few packed ones could stand for any number."""


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
            reader = StreamReader(
                file, validate_crcs=True, emit_chunks=True, record_size_limit=_LARGEST
            )
            for record in reader.records:
                if isinstance(record, Chunk):
                    yield from breakup_chunk(_unpacked(record), validate_crc=True)
                else:
                    yield record
        except OSError as error:
            raise LogError(f"{path}: cannot be read: {error.strerror}") from None
        except Exception:  # a parser, lz4 or zstd on damaged bytes: whatever it stumbles over
            return


def _unpacked(chunk: Chunk) -> Chunk:
    """Return the chunk without compression; raises ValueError if it holds more than it says."""
    size = chunk.uncompressed_size
    if size > _LARGEST:
        raise ValueError(f"a chunk of {size} bytes")
    if chunk.compression == "zstd":
        data = zstandard.ZstdDecompressor().stream_reader(chunk.data).read(size + 1)
    elif chunk.compression == "lz4":
        data = lz4.frame.LZ4FrameDecompressor().decompress(chunk.data, max_length=size + 1)
    else:
        return chunk
    if len(data) != size:
        raise ValueError(f"a chunk of {size} bytes that holds others")
    return dataclasses.replace(chunk, compression="", data=data)
