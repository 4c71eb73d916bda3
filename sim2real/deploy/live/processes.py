"""Starts what shows a run, beside the process that drives the robot."""

import contextlib
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from sim2real.deploy.live.facts import Facts, to_line
from sim2real.deploy.live.page import is_loopback
from sim2real.errors import ConfigError

_PACKAGE = str(Path(__file__).parents[3])


@contextlib.contextmanager
def dashboard(facts: Facts) -> Iterator[None]:
    """Draw the run on the terminal while the context lasts."""
    with _process("terminal", facts):
        yield


@contextlib.contextmanager
def page(facts: Facts, address: str) -> Iterator[str]:
    """Serve the run's page while the context lasts; yield the URL to open.

    Args:
        facts: of the run.
        address: host:port; port 0 chooses a free one. Elsewhere than on loopback the URL holds a
            token, without which nobody sees or stops anything.

    Raises:
        ConfigError: the address cannot be listened at.
    """
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise ConfigError(
            f"{address!r} is no address for a page: write host:port, like 127.0.0.1:8080"
        )
    token = secrets.token_urlsafe(16)
    with _process("page", facts, host=host, port=int(port), token=token) as process:
        assert process.stdout is not None  # it was asked for
        bound = process.stdout.readline().strip().decode()
        if not bound.isdecimal():
            raise ConfigError(
                f"no page at {address} ({bound or 'its process died'}): give the address of this"
                " computer and a free port, or port 0 for any"
            )
        yield f"http://{host}:{bound}/" + ("" if is_loopback(host) else f"?token={token}")


@contextlib.contextmanager
def _process(name: str, facts: Facts, **options: object) -> Iterator[subprocess.Popen[bytes]]:
    paths = [_PACKAGE, *filter(None, [os.environ.get("PYTHONPATH")])]
    # a session of its own: Ctrl-C ends the run, which then ends this, also while it still starts
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", f"sim2real.deploy.live.{name}"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=[facts.ring],
        start_new_session=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)})  # fmt: skip
    assert process.stdin is not None  # it was asked for
    assert process.stdout is not None
    try:
        process.stdin.write(to_line(facts, **options))
        process.stdin.flush()
        yield process
    finally:
        process.stdin.close()
        process.wait()
        process.stdout.close()
