import numpy as np
import pytest

from sim2real.deploy.driver import Command, RobotDriver, connected
from sim2real.deploy.drivers.log import LogDriver
from sim2real.deploy.loop import run
from sim2real.deploy.recorder import Recorder
from sim2real.deploy.recording import read_recording
from sim2real.errors import LinkError, LogError
from sim2real.shipped import find_robot
from sim2real.trajectory import Trajectory

MS = 1_000_000


def swing(joints=("servo", "free", "motor"), driven=("servo", "motor"), late=7, hz=200):
    """Two seconds of a motion, whose stamps begin anywhere."""
    t = np.arange(2 * hz) / hz
    phase = t[:, None] + np.arange(len(joints))
    return Trajectory(
        joints=joints, driven=driven, time=np.round((t + late) * 1e9).astype(np.int64),
        position=0.5 * np.sin(phase), velocity=0.5 * np.cos(phase),
        command=np.zeros((len(t), len(driven))), source="swing",
    )  # fmt: skip


def test_what_was_measured_comes_again_when_it_came(arm):
    log = swing()
    driver: RobotDriver = LogDriver(arm, log)
    assert isinstance(driver, LogDriver)
    assert driver.seconds == pytest.approx(1.995)
    with connected(driver):
        start = driver.now()
        for row in (0, 1, 57, 399):
            driver.sleep_until(start + row * 5 * MS)
            measured = driver.read()
            assert measured.seq == row + 1
            assert measured.received == driver.now()
            np.testing.assert_array_equal(measured.signals.position, log.position[row])
        driver.sleep_until(start + 2500 * MS)  # the log is over: its last row grows old
        assert driver.read().seq == 400
        assert driver.now() - driver.read().received == pytest.approx(505 * MS)


def test_a_controller_in_shadow_sees_the_log_and_sends_nothing(arm, fakes):
    driver, seen = LogDriver(arm, swing()), []

    def watch(i):
        seen.append(driver.read().signals.position[0])
        return [0.0, 0.0]

    source = fakes[2](watch)
    with connected(driver):
        summary = run(source, driver, seconds=1.5, shadow=True, clock=driver)
    assert (summary.ended, summary.late_ticks) == ("done", 0)
    assert summary.ticks == 75
    np.testing.assert_allclose(np.diff(seen), 0.5 * np.diff(np.sin(0.06 + 0.02 * np.arange(75))))
    assert driver.commands == []


def test_a_run_goes_no_further_than_the_log(arm, fakes):
    driver = LogDriver(arm, swing())
    with connected(driver):
        summary = run(fakes[2](lambda i: [0.0, 0.0]), driver, seconds=60.0, shadow=True,
                      clock=driver)  # fmt: skip
    assert summary.ended == "trip"
    assert "s old" in summary.reason


def test_a_recording_of_a_run_is_a_log_to_drive_on(arm, fakes, tmp_path):
    clock = fakes[0]()
    with Recorder(tmp_path / "run.mcap", arm) as recorder:
        run(fakes[2](lambda i: [0.5, 0.1]), fakes[1](arm, clock), seconds=1.0, clock=clock,
            recorder=recorder)  # fmt: skip
    driver = LogDriver(arm, read_recording(tmp_path / "run.mcap")[0])
    with connected(driver):
        summary = run(fakes[2](lambda i: [0.5, 9.0]), driver, seconds=0.8, shadow=True,
                      clock=driver)  # fmt: skip
    assert summary.ended == "done"
    assert summary.intervention == 1.0  # its motor has 3 Nm


def test_a_log_records_what_it_is_told_and_refuses_what_no_robot_takes(arm):
    driver = LogDriver(arm, swing())
    with pytest.raises(LinkError, match="not open"):
        driver.read()
    with connected(driver):
        driver.write(Command(seq=1, valid_until=9, target=np.array([0.1, 0.2])))
        with pytest.raises(LinkError, match="finite"):
            driver.write(Command(seq=1, valid_until=9, target=np.array([np.nan, 0.2])))
        driver.stop()
    assert len(driver.commands) == 1


def test_a_log_of_another_robot_is_refused(arm):
    with pytest.raises(LogError, match="in this order"):
        LogDriver(arm, swing(joints=("motor", "free", "servo")))
    quadruped = find_robot("quadruped")
    with pytest.raises(LogError, match="orientation"):
        LogDriver(quadruped, swing(tuple(quadruped.joints), quadruped.driven))
