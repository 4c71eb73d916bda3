"""A simulation in real time behind a link: what a controller talks to instead of the robot."""

import time
from collections.abc import Callable

import numpy as np

from sim2real.control import resting_command
from sim2real.deploy.process import stop_on_signals
from sim2real.deploy.robot_side.udp_robot import UdpRobot
from sim2real.errors import RobotError
from sim2real.sim.simulator import Simulator

_ALONE = np.zeros(1, np.int32)
_NAP = 0.02  # s


def serve(
    simulator: Simulator,
    udp_robot: UdpRobot,
    *,
    seconds: float | None = None,
    seed: int = 0,
    realtime: bool = True,
    on_step: Callable[[float], None] | None = None,
) -> None:
    """Simulate the robot behind `udp_robot`, until `seconds` have passed or SIGTERM or Ctrl-C.

    The robot's clock is the simulation's: one that the computer cannot hold in time catches up,
    step by step, so that stamps and physics always agree. Between clients it moves in slow motion.

    Args:
        simulator: one simulation (nsim = 1); its robot's `control_hz` is the rate of the robot's
            side, which should be finer than the controller's.
        udp_robot: the open end of the link.
        seconds: how long [s of the simulation]; None: until stopped.
        seed: of the sensors' noise and all else that is random from step to step.
        realtime: whether to keep to the computer's clock, or to run as fast as possible.
        on_step: called before each step of the simulation with the seconds for which clients have
            used the robot: what breaks or is loaded meanwhile.

    Raises:
        RobotError: more than one simulation is given, or it diverged.
    """
    if simulator.nsim != 1:
        raise RobotError(f"a virtual robot is one simulation, {simulator.nsim} are given")
    hz, start, step, used = simulator.robot.control_hz, time.monotonic_ns(), 0, 0
    clock = simulator.effects.clock
    clock.identify(seed)
    clock.begin(-1)
    clock.steps_per_sample = max(1, round(hz / udp_robot.robot.control_hz))
    start_over(simulator)
    with stop_on_signals() as stop:
        while not stop.requested and (seconds is None or step < seconds * hz):
            now = start + round(step * 1e9 / hz)
            if on_step is not None:
                on_step(used / hz)
            _advance(simulator, udp_robot, now)
            step, used = step + 1, used + udp_robot.in_use
            if realtime and not udp_robot.in_use:
                time.sleep(_NAP)  # leaves the processor to others
                start = time.monotonic_ns() - round(step * 1e9 / hz)
            elif realtime:
                time.sleep(max(0.0, start * 1e-9 + step / hz - time.monotonic()))


def _advance(simulator: Simulator, udp_robot: UdpRobot, now: int) -> None:
    measured = simulator.measure()
    command = udp_robot.exchange(now, measured.of(0))
    if udp_robot.reset_requested:
        start_over(simulator)
        udp_robot.reset_done()
        return
    simulator.step(command[None])
    if simulator.diverged.any():
        raise RobotError(f"the simulation of {simulator.robot.name!r} diverged")


def start_over(simulator: Simulator) -> None:
    """Put the one robot of a simulator at its home, at rest: its next episode."""
    clock = simulator.effects.clock
    clock.begin(clock.episode + 1)
    home = np.array([[joint.home for joint in simulator.robot.joints.values()]])
    command = resting_command(simulator.robot)[None]
    simulator.reset(_ALONE, home, np.zeros_like(home), command)
