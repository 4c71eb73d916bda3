"""Does a controller in shadow send anything but its wish to watch?

    python benchmarks/deploy/shadow.py [--quick] [--minutes 10]

Experiment D3. A robot's side behind UDP, at 200 Hz, that writes down what kinds of datagrams come.
"""

import argparse
import collections
import sys
import threading
import time
from pathlib import Path

import numpy as np

from sim2real.deploy.driver import connected
from sim2real.deploy.drivers.udp import UdpDriver
from sim2real.deploy.envelope.bounds import Envelope
from sim2real.deploy.excitation import Excitation
from sim2real.deploy.loop import run
from sim2real.deploy.robot_side.packets import Packet
from sim2real.deploy.robot_side.udp_robot import UdpRobot
from sim2real.shipped import find_robot
from sim2real.signals import Measured

sys.path.insert(0, str(Path(__file__).parents[1]))
import _result

TARGETS = {"kinds": ["WATCH"]}


def main() -> None:
    """Run in shadow and count; write results/deploy_shadow.json."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="two seconds: a smoke test")
    parser.add_argument("--minutes", type=float, default=10.0)
    chosen = parser.parse_args()
    seconds = 2.0 if chosen.quick else 60.0 * chosen.minutes
    robot, kinds, ended = find_robot("pendulum"), collections.Counter(), threading.Event()
    still = Measured(position=np.zeros(1), velocity=np.zeros(1))
    with UdpRobot(robot, "127.0.0.1:0") as side:
        take = side._take

        def sniff(packet: Packet, sender: object, now: int) -> None:
            kinds[packet.kind.name] += 1
            take(packet, sender, now)

        side._take = sniff

        def turn() -> None:
            while not ended.wait(0.005):
                side.exchange(time.monotonic_ns(), still)

        thread = threading.Thread(target=turn)
        thread.start()
        with connected(UdpDriver(robot, side.address, watch=True)) as driver:
            source = Excitation(robot, seconds=seconds, band=(0.5, 1.5))
            # a busy machine may starve the thread above: that is not what is measured
            patient = Envelope.of(robot, max_age=5.0)
            summary = run(source, driver, seconds=seconds, shadow=True, envelope=patient)
        ended.set()
        thread.join()
    results = {"kinds": dict(kinds), "commands_decided": summary.ticks, "ended": summary.ended,
               "reason": summary.reason}  # fmt: skip
    settings = {"quick": chosen.quick, "seconds": seconds, "targets": TARGETS}
    print(_result.save("deploy_shadow", settings=settings, results=results))
    print(results)


if __name__ == "__main__":
    main()
