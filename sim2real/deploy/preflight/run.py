"""All checks, in an order in which each may rely on those before."""

from collections.abc import Iterator, Sequence

from sim2real.deploy.clock import Clock, MonotonicClock
from sim2real.deploy.controller import Controller
from sim2real.deploy.driver import Array, RobotDriver
from sim2real.deploy.loop import goal_of
from sim2real.deploy.preflight.bench import Bench, Finding, Outcome, finding
from sim2real.deploy.preflight.data import check_data
from sim2real.deploy.preflight.joints import check_joints
from sim2real.deploy.preflight.kill import check_kill
from sim2real.deploy.preflight.measurements import check_measurements
from sim2real.deploy.preflight.stops import check_lapse, check_stop_of_a_closed_driver, check_stops
from sim2real.deploy.preflight.timing import check_timing
from sim2real.errors import LinkError


def preflight(
    controller: Controller,
    driver: RobotDriver,
    *,
    goal: Sequence[float] | None = None,
    watching: RobotDriver | None = None,
    clock: Clock | None = None,
) -> Iterator[Finding]:
    """Yield what each check finds; the first that fails is the last.

    The robot must be supported, with room for each joint to move by a hand's breadth.

    Args:
        controller: loaded for this robot, which proved its file.
        driver: an open driver; it is closed in the end.
        goal: what the controller pursues; its own if not given.
        watching: a second driver, open, that reads while another process commands the robot; the
            checks that kill that process need it.
        clock: another clock than the computer's.
    """
    clock = clock or MonotonicClock()
    pursued = goal_of(controller, goal)
    try:
        for found in _checks(controller, driver, pursued, watching, clock):
            yield found
            if found.outcome == Outcome.FAIL:
                return
    except LinkError as error:
        yield finding("the connection holds", False, str(error))
    finally:
        driver.stop()
        driver.close()


def _checks(
    controller: Controller,
    driver: RobotDriver,
    goal: Array,
    watching: RobotDriver | None,
    clock: Clock,
) -> Iterator[Finding]:
    bench = Bench(driver, clock)
    proof = f"its golden tape, to {controller.deviation:.1g}"
    yield finding("the controller does here what it did there", True, proof)
    yield from check_stop_of_a_closed_driver(bench)
    yield from check_measurements(bench)
    yield from check_stops(bench)
    yield from check_lapse(bench)
    yield from check_data(bench, controller, goal)
    yield from check_joints(bench)
    yield from check_timing(controller, clock)
    driver.close()
    if watching is None:
        yield finding("the controller's process is killed", None, "no second driver to look with")
    else:
        yield from check_kill(driver, watching)
