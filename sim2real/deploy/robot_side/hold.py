"""The hold and damp loop for a robot whose firmware has none: a process that owns its driver.

Servos on a bus, and ros2_control, keep the last goal they were told, whoever died since. So the
process that commands them must not be the one that runs a policy: this one does nothing but hold
leases, and hands each turn's command on for a few turns only.
"""

from collections.abc import Callable

from sim2real.deploy.clock import Clock, Grid, MonotonicClock
from sim2real.deploy.driver import Command, RobotDriver, StopMode
from sim2real.deploy.process import frozen_gc, stop_on_signals
from sim2real.deploy.robot_side.udp_robot import UdpRobot
from sim2real.errors import ConfigError

_TURNS = 5  # turns for which a command is handed on, and a measurement is news


def serve(
    driver: RobotDriver,
    udp_robot: UdpRobot,
    *,
    hz: float,
    seconds: float | None = None,
    clock: Clock | None = None,
    on_turn: Callable[[], None] | None = None,
) -> None:
    """Put any driver's robot behind a link over UDP, until SIGTERM or Ctrl-C; then it is damped.

    Args:
        driver: an open driver.
        udp_robot: the open end of a link.
        hz: turns a second, several for each control step.
        seconds: how long [s]; None: until stopped.
        clock: another clock than the computer's.
        on_turn: called after each turn.

    Raises:
        ConfigError: the loop would be slower than the controller.
        LinkError: the driver's connection broke.
    """
    if not hz >= driver.robot.control_hz:
        raise ConfigError(
            f"{hz:g} turns a second are less than the controller's {driver.robot.control_hz:g}:"
            " give several for each control step"
        )
    clock = clock or MonotonicClock()
    grid, end = Grid(clock, hz), None if seconds is None else clock.now() + round(seconds * 1e9)
    try:
        with stop_on_signals() as stop, frozen_gc():
            while not stop.requested and (end is None or clock.now() < end):
                _turn(driver, udp_robot, clock, round(_TURNS * 1e9 / hz))
                if on_turn is not None:
                    on_turn()
                grid.wait()
    finally:
        driver.stop()


def _turn(driver: RobotDriver, udp_robot: UdpRobot, clock: Clock, lease: int) -> None:
    measured = driver.read()
    if measured is None or clock.now() - measured.received >= lease:
        driver.stop()  # nothing is known, so nothing is held; a client sees nothing come
        return
    target = udp_robot.exchange(measured.stamp, measured.signals, measured.health)
    if udp_robot.reset_requested:
        udp_robot.reset_requested = False  # a real robot is put back by hand
    if udp_robot.damping and udp_robot.stop_mode != StopMode.HOLD:  # a pose is held by commands
        driver.stop(udp_robot.stop_mode)
        return
    held = udp_robot.held
    command = Command(
        seq=clock.now(), valid_until=measured.stamp + lease,
        target=target if held is None else held.target,  # softened by the driver, if it has to be
        stiffness=1.0 if held is None else held.stiffness)  # fmt: skip
    driver.write(command)
