"""The key that both ends of a link share where it leaves the computer."""

import ipaddress
import socket
import stat
from pathlib import Path

from sim2real.errors import LinkError

_SHORTEST = 16


def load_key(path: Path) -> bytes:
    """Return the key that a file holds; raises LinkError if others could read it, or guess it."""
    try:
        mode, key = path.stat().st_mode, path.read_bytes().strip()
    except OSError as error:
        raise LinkError(f"{path}: the key cannot be read ({error.strerror}): {_HOW}") from None
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise LinkError(f"{path}: others may read this key: chmod 600 {path}")
    if len(key) < _SHORTEST:
        raise LinkError(f"{path}: a key of {len(key)} bytes is too short: {_HOW}")
    return key


def check_key(host: str, key: bytes | None) -> None:
    """Refuse a link without a key that leaves this computer; raises LinkError."""
    if key is None and not _is_loopback(host):
        raise LinkError(
            f"a link over {host or 'every network'} leaves this computer: whoever is there could"
            f" command the robot; give both ends the same key: {_HOW}"
        )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(socket.gethostbyname(host)).is_loopback
    except (OSError, ValueError, UnicodeError):
        return False  # whatever it is, it is not known to stay here


_HOW = "(umask 077; head -c 32 /dev/urandom | base64 > link.key), and --key link.key"
