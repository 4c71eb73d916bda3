"""The driver of docs/drivers.md: short, and a `RobotDriver` that keeps what drivers promise."""

import re
import socket
import threading
from pathlib import Path

import numpy as np
import pytest

from sim2real.deploy.driver import Command, RobotDriver, connected
from sim2real.errors import LinkError

PAGE = Path(__file__).parents[3] / "docs" / "drivers.md"
CODE = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)[0]


@pytest.fixture(scope="module")
def driver_class():
    names: dict = {}
    exec(compile(CODE, str(PAGE), "exec"), names)
    return names["MyRobot"]


@pytest.fixture
def peer(arm):
    """A robot that answers each datagram with where it is, and goes where it is told."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as robot:
        robot.bind(("127.0.0.1", 0))
        robot.settimeout(0.05)
        ended, heard = threading.Event(), []

        def live():
            state = np.zeros(6)
            while not ended.is_set():
                try:
                    data, sender = robot.recvfrom(4096)
                except TimeoutError:
                    continue
                if data:
                    heard.append(np.frombuffer(data))
                    state[0] = heard[-1][0]
                robot.sendto(state.tobytes(), sender)

        thread = threading.Thread(target=live)
        thread.start()
        yield robot.getsockname()[1], heard
        ended.set()
        thread.join()


def test_a_driver_takes_sixty_lines_at_most():
    assert len([line for line in CODE.splitlines() if line.strip()]) <= 60


def test_it_drives(driver_class, arm, peer):
    port, heard = peer
    driver: RobotDriver = driver_class(arm, "127.0.0.1", port)
    with connected(driver):
        driver.write(Command(seq=1, valid_until=1 << 62, target=np.array([0.7, 1.0])))
        for _ in range(100_000):
            measured = driver.read()
            if measured is not None and measured.signals.position[0] == 0.7:
                break
        assert measured.signals.position[0] == 0.7
    assert [0.7, 1.0] in [row.tolist() for row in heard]


def test_it_refuses_what_is_not_finite(driver_class, arm, peer):
    wrong = Command(seq=1, valid_until=1 << 62, target=np.array([np.nan, 0.0]))
    with connected(driver_class(arm, "127.0.0.1", peer[0])) as driver:
        with pytest.raises(LinkError, match="refused"):
            driver.write(wrong)
        assert driver.read() is not None


def test_its_stop_works_in_any_state(driver_class, arm, peer):
    driver = driver_class(arm, "127.0.0.1", peer[0])
    driver.stop(), driver.close()
    driver.open()
    driver.stop(), driver.stop(), driver.close(), driver.close(), driver.stop()
    with pytest.raises(LinkError, match="not open"):
        driver.read()


def test_a_robot_that_is_not_there_is_told(driver_class, arm):
    with pytest.raises(LinkError, match="no robot answers"):
        driver_class(arm, "127.0.0.1", 9).open()
