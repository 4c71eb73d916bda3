"""Does a long recording replay bit for bit, and does an edit get named?

    python benchmarks/deploy/replay.py [--quick] [--minutes 10] [--edits 20]

Experiment D2. An excitation on a simulated pendulum is recorded and decided again. Then a number
of the recording, drawn by seed, is changed in its last bit, and the replay must name its step.
"""

import argparse
import dataclasses
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from mcap.reader import make_reader
from mcap.writer import Writer

from sim2real.deploy.drivers.cdr import CdrReader
from sim2real.deploy.drivers.ros2_messages import text_message
from sim2real.deploy.excitation import Excitation
from sim2real.deploy.loop import run
from sim2real.deploy.recorder import Recorder
from sim2real.deploy.recording import STEPS
from sim2real.deploy.replay import replay
from sim2real.robot import Robot
from sim2real.shipped import find_robot
from sim2real.sim.mujoco_batch import MujocoSimulator
from sim2real.sim.simulated_robot import SimulatedRobot

sys.path.insert(0, str(Path(__file__).parents[1]))
import _result

TARGETS = {"same": "all", "named": "every edit", "dropped_rows": 0}


def main() -> None:
    """Record, replay, edit; write results/deploy_replay.json."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="short: a smoke test")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--edits", type=int, default=20)
    chosen = parser.parse_args()
    minutes, edits = (0.05, 2) if chosen.quick else (chosen.minutes, chosen.edits)
    robot = find_robot("pendulum")
    with tempfile.TemporaryDirectory() as folder:
        long, short = Path(folder, "long.mcap"), Path(folder, "short.mcap")
        dropped = _record(robot, long, 60.0 * minutes)
        found = replay(long, _source(robot, 60.0 * minutes), robot)
        _record(robot, short, 3.0)
        named = sum(_named(robot, short, seed) for seed in range(edits))
    results = {
        "steps": found.steps, "same": found.difference is None, "dropped_rows": dropped,
        "edits": edits, "named": named,
    }  # fmt: skip
    settings = {"quick": chosen.quick, "minutes": minutes, "targets": TARGETS}
    print(_result.save("deploy_replay", settings=settings, results=results))
    print(results)


def _source(robot: Robot, seconds: float) -> Excitation:
    return Excitation(robot, seconds=seconds, band=(0.5, 1.5))


def _record(robot: Robot, path: Path, seconds: float) -> int:
    simulator = MujocoSimulator(dataclasses.replace(robot, control_hz=500), 1)
    driver = SimulatedRobot(robot, simulator)
    with Recorder(path, robot) as recorder:
        # as fast as the simulation is: the recording process must not fall behind by 30 s of rows
        summary = run(_source(robot, seconds), driver, seconds=seconds, clock=driver,
                      recorder=recorder)  # fmt: skip
    assert summary.ended == "done", summary
    return recorder.dropped


def _named(robot: Robot, path: Path, seed: int) -> bool:
    """Change one command that was recorded; return whether the replay names its step and joint."""
    rng = np.random.default_rng(seed)
    messages = _messages(path)
    commands = [i for i, (_, _, told) in enumerate(messages) if (told.get("command") or [0])[0]]
    place = int(rng.choice(commands))
    told = messages[place][2]
    told["command"] = [float(np.nextafter(told["command"][0], np.inf))]
    other = path.with_name(f"edited-{seed}.mcap")
    _write(path, other, messages)
    found = replay(other, _source(robot, 3.0), robot).difference
    step = sum("command" in told for _, _, told in messages[:place])
    return found is not None and (found.step, found.signal) == (step, "command of 'pivot'")


def _messages(path: Path) -> list[tuple[str, int, dict[str, Any]]]:
    with path.open("rb") as file:
        found = make_reader(file).iter_messages(topics=STEPS)
        return [(c.topic, m.log_time, json.loads(CdrReader(m.data).text())) for _, c, m in found]


def _write(path: Path, other: Path, messages: list[tuple[str, int, dict[str, Any]]]) -> None:
    with path.open("rb") as source, other.open("wb") as target:
        writer, channels = Writer(target), {}
        writer.start(profile="", library="benchmark")
        for metadata in make_reader(source).iter_metadata():
            writer.add_metadata(metadata.name, metadata.metadata)
        for topic, time, told in messages:
            if topic not in channels:
                channels[topic] = writer.register_channel(topic, "cdr", 0)
            writer.add_message(channels[topic], time, text_message(json.dumps(told)), time)
        writer.finish()


if __name__ == "__main__":
    main()
