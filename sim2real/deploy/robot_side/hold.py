"""Any robot behind a link: a process beside the robot that damps it when nobody commands it.

For robots whose own side holds its last command for ever: servos on a bus, ros2_control.
"""

from collections.abc import Callable

from sim2real.deploy.clock import Clock, Grid, MonotonicClock
from sim2real.deploy.driver import Command, RobotDriver
from sim2real.deploy.process import frozen_gc, stop_on_signals
from sim2real.deploy.robot_side.lease import LONGEST
from sim2real.deploy.robot_side.udp_robot import UdpRobot
from sim2real.errors import ConfigError


def serve(
    driver: RobotDriver,
    udp_robot: UdpRobot,
    *,
    hz: float,
    seconds: float | None = None,
    clock: Clock | None = None,
    on_turn: Callable[[], None] | None = None,
) -> None:
    """Turn the robot's loop until `seconds` have passed, or SIGTERM or Ctrl-C; then it is damped.

    Each turn takes a measurement, tells it, and hands on what is to be done: the command that is
    held, or, when it has lapsed, what damps. The clock of the link is this computer's.

    Args:
        driver: the open driver of the robot.
        udp_robot: the open end of the link, of the same robot.
        hz: turns a second; several times the controller's rate, so that nothing waits long.
        seconds: how long [s]; None: until stopped.
        clock: another clock than the computer's.
        on_turn: called after each turn.

    Raises:
        ConfigError: the loop would be slower than the controller.
        LinkError: the robot is gone.
    """
    if not hz >= driver.robot.control_hz:
        raise ConfigError(
            f"{hz:g} turns a second are less than the controller's {driver.robot.control_hz:g}"
        )
    clock = clock or MonotonicClock()
    start, grid, seq = clock.now(), Grid(clock, hz), 0
    try:
        with stop_on_signals() as stop, frozen_gc():
            while not stop.requested:
                now = clock.now()
                if seconds is not None and now - start >= seconds * 1e9:
                    break
                seq += 1
                _turn(driver, udp_robot, now, seq)
                if on_turn is not None:
                    on_turn()
                grid.wait()
                grid.lateness.clear()  # for days
    finally:
        driver.stop()


def _turn(driver: RobotDriver, udp_robot: UdpRobot, now: int, seq: int) -> None:
    measured = driver.read()
    if measured is None:
        return
    target = udp_robot.exchange(now, measured.signals, stamp=measured.received)
    if udp_robot.reset_requested:
        udp_robot.reset_requested = False  # nobody can put this robot back: the client will say so
    driver.write(Command(seq=seq, valid_until=now + LONGEST, target=target))
