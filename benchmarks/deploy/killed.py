"""Does the robot damp when what commands it is killed, stopped, raises or is starved?

    python benchmarks/deploy/killed.py [--quick] [--times 100]

Experiment C1. A robot's side turns at 500 Hz behind UDP, in this process; a process of its own
commands it at 50 Hz with leases of 100 ms, and then something happens to it. Measured is when the
robot damps after its last command's lease, by the robot's own clock.
"""

import argparse
import os
import select
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import numpy as np

from sim2real.deploy.robot_side.udp_robot import UdpRobot
from sim2real.shipped import find_robot
from sim2real.signals import Measured

sys.path.insert(0, str(Path(__file__).parents[1]))
import _result

TARGETS = {"damped": "every time", "late_turns": 1}
_TURN = 2_000_000  # ns
_LEASE = 100_000_000  # ns

CLIENT = """
    import sys, threading, time
    import numpy as np
    from sim2real.deploy.driver import Command
    from sim2real.deploy.drivers.udp import UdpDriver
    from sim2real.shipped import find_robot

    driver = UdpDriver(find_robot("pendulum"), sys.argv[1])
    driver.open()
    seq = 0
    while True:
        stamp = driver.read().stamp
        seq += 1
        driver.write(Command(seq=seq, valid_until=stamp + 100_000_000, target=np.array([0.5])))
        if seq == 25:
            print("now", flush=True)
        if seq == 25 and sys.argv[2] == "exception":
            raise RuntimeError
        if seq == 25 and sys.argv[2] == "hogged":
            sys.setswitchinterval(1000.0)  # a thread that never lets go of the interpreter
            threading.Thread(target=lambda: [None for _ in iter(int, 1)], daemon=True).start()
        if seq == 25 and sys.argv[2] == "memory":
            raise MemoryError
        time.sleep(0.02)
"""
WAYS = ("SIGKILL", "SIGSTOP", "exception", "hogged", "memory")


def main() -> None:
    """Do it to many processes; write results/deploy_killed.json."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="once each: a smoke test")
    parser.add_argument("--times", type=int, default=100)
    chosen = parser.parse_args()
    times = 1 if chosen.quick else chosen.times
    results: dict[str, Any] = {}
    for way in WAYS:
        late = [_late(way) for _ in range(times)]
        damped = [x for x in late if x is not None]
        results[way] = {
            "times": times,
            "damped": len(damped),
            "late_turns_max": max(damped, default=None),
        }
        print(way, results[way], flush=True)
    settings = {"quick": chosen.quick, "times": times, "targets": TARGETS}
    print(_result.save("deploy_killed", settings=settings, results=results))


def _late(way: str) -> float | None:
    """Return how many turns after the lease's end the robot damped; None: not within a second.

    Every turn is of 2 ms by the robot's clock, whatever this computer does meanwhile.
    """
    robot = find_robot("pendulum")
    still = Measured(position=np.zeros(1), velocity=np.zeros(1))
    with UdpRobot(robot, "127.0.0.1:0") as side:
        client = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(CLIENT), side.address, way],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)  # fmt: skip
        try:
            return _watch(side, still, client, way)
        finally:
            client.kill()
            client.wait()


def _watch(
    side: UdpRobot, still: Measured, client: subprocess.Popen[bytes], way: str
) -> float | None:
    now, last, signalled, began = time.monotonic_ns(), 0, False, time.monotonic()
    acting_before = False
    while time.monotonic() - began < 60.0:
        command = side.exchange(now, still)
        acting = not side.damping
        assert np.isfinite(command).all()
        if acting:
            last = side._lease._until
        if acting_before and not acting and signalled:
            return (now - last) / _TURN
        acting_before = acting
        assert client.stdout is not None
        if not signalled and acting and select.select([client.stdout], [], [], 0)[0]:
            signalled = True
            if way.startswith("SIG"):
                time.sleep(0.05)
                os.kill(client.pid, getattr(signal, way))
        now += _TURN
        time.sleep(max(0.0, (now - time.monotonic_ns()) * 1e-9))
    return None


if __name__ == "__main__":
    main()
