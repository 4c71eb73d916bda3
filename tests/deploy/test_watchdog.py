import socket

import pytest

from sim2real.deploy.watchdog import Watchdog


@pytest.fixture(params=["path", "abstract"])
def manager(request, tmp_path, monkeypatch):
    """What systemd listens on."""
    name = str(tmp_path / "s") if request.param == "path" else f"@sim2real-{tmp_path.name}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(name.replace("@", "\0", 1) if name[0] == "@" else name)
        listener.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", name)
        yield listener


def test_systemd_hears_that_the_loop_began_and_turns(manager):
    watchdog = Watchdog()
    watchdog.ready()
    for _ in range(1000):
        watchdog.alive()  # said once in a while, not in each turn
    assert manager.recv(100) == b"READY=1"
    assert manager.recv(100) == b"WATCHDOG=1"


def test_without_a_manager_nothing_happens(monkeypatch):
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    Watchdog().ready()
    Watchdog().alive()


def test_a_manager_that_is_gone_stops_nothing(monkeypatch, tmp_path):
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
    Watchdog().ready()
    Watchdog().alive()
