# ruff: noqa: D102 - the methods of a driver and a source
"""Does a command that is not finite, or outside the envelope, ever leave?

    python benchmarks/deploy/fault_sequences.py [--quick] [--count 10000] [--hours 1]

Experiment C2. Sequences of faults of sensors, clock, network and policy, drawn by hypothesis, on an
arm of a servo and a motor. Then a fault-free policy for an hour of its time: no trip may come.
"""

import argparse
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from sim2real.deploy.driver import Command, Measurement, StopMode
from sim2real.deploy.faults import FAULTS, FaultyDriver
from sim2real.deploy.loop import run
from sim2real.deploy.source import CommandSource

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parent))
import _result
from _arm import ROBOT, Arm

TARGETS = {"bad_commands": 0, "slowest_trip_steps": 2, "false_trips": 0}

AT_ONCE = tuple(name for name in FAULTS if name.split()[-1] in ("NaN", "infinite", "huge", "comes"))
"""Faults that one measurement betrays."""
POLICIES = ("sines", "random", "bang-bang", "huge", "NaN", "infinite", "of another size")
_KP, _KD, _TORQUE = np.array([20.0, 1.0]), np.array([1.0, 0.0]), np.array([4.0, 3.0])
_LOW, _HIGH = np.array([-1.0, -3.0]), np.array([1.5, 3.0])


class Policy(CommandSource):
    """Well-behaved, or not; from step `when` on."""

    blended = True

    def __init__(self, kind: str, when: int, number: int):
        self.goal, self.origin, self.kind, self.when = (), {}, kind, when
        self.rng, self.count = np.random.default_rng(number), -1

    def reset(self, command):
        self.count = -1

    def step(self, measured, goal):
        self.count += 1
        well = np.array([0.4 * np.sin(0.1 * self.count), 0.5 - measured.position[1]])
        if self.kind == "sines" or self.count < self.when:
            return well
        return {
            "random": lambda: self.rng.normal(0.0, 5.0, 2),
            "bang-bang": lambda: np.array([9.0, 9.0]) * (-1.0) ** (self.count // 3),
            "huge": lambda: np.array([1e300, -1e300]),
            "NaN": lambda: np.array([0.1, np.nan]),
            "infinite": lambda: np.array([np.inf, 0.0]),
            "of another size": lambda: np.zeros(3),
        }[self.kind]()


@dataclass
class Witness:
    """Looks at every command on its way to a robot that has faults at times."""

    faults: list[tuple[int, int, str]]
    """First step, steps, name."""
    lose: frozenset[int] = frozenset()
    """Commands that the network loses, by number."""
    arm: Arm = field(default_factory=Arm)
    bad: list[str] = field(default_factory=list)
    step: int = -1
    running: bool = False
    faulty_steps: int = 0
    """Commands that were sent although a fault was plain to see."""

    def __post_init__(self):
        self.inner, self.robot, self.sent = FaultyDriver(self.arm), ROBOT, 0
        self.seen: Measurement | None = None
        self.active = ""

    def open(self) -> None:
        self.inner.open()

    def read(self) -> Measurement | None:
        self.step += 1
        active = [name for first, n, name in self.faults if first <= self.step < first + n]
        self.active = active[0] if active else ""
        self.inner.fault = FAULTS[self.active] if active else None
        self.seen = self.inner.read()
        return self.seen

    def write(self, command: Command) -> None:
        self.sent += 1
        self.faulty_steps += self.active in AT_ONCE
        self._judge(command)
        if self.sent not in self.lose:
            self.inner.write(command)

    def _judge(self, command: Command) -> None:
        target = command.target
        if not np.isfinite(target).all():
            self.bad.append(f"{target} is not finite")
            return
        if not ((target >= _LOW) & (target <= _HIGH)).all():
            self.bad.append(f"{target} is beyond its limits")
        assert self.seen is not None  # nothing is sent before something was read
        q, dq = self.seen.signals.position[0], self.seen.signals.velocity[0]
        asked = 20.0 * (target[0] - q) - dq
        if not (abs(asked) <= 4.0 + 1e-6 or target[0] in (-1.0, 1.5)):
            self.bad.append(f"the servo is asked for {asked} Nm")
        if not 0.0 <= command.stiffness <= 1.0:
            self.bad.append(f"stiffness {command.stiffness}")

    def stop(self, mode: StopMode = StopMode.DAMP) -> None:
        self.inner.stop(mode)

    def close(self) -> None:
        self.inner.close()


sequences = st.fixed_dictionaries(
    {
        "faults": st.lists(
            st.tuples(st.integers(0, 70), st.integers(1, 20), st.sampled_from(sorted(FAULTS))),
            max_size=3,
        ),
        "policy": st.sampled_from(POLICIES),
        "when": st.integers(0, 30),
        "lose": st.frozensets(st.integers(1, 70), max_size=30),
        "number": st.integers(0, 1000),
    }
)


def play(sequence: dict[str, Any]) -> Witness:
    """Return what a witness saw of a run with these faults."""
    witness = Witness(faults=sequence["faults"], lose=sequence["lose"])
    policy = Policy(sequence["policy"], sequence["when"], sequence["number"])
    run(policy, witness, seconds=2.0, clock=witness.arm)
    return witness


def main() -> None:
    """Play, count; write results/deploy_fault_sequences.json."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="few sequences: a smoke test")
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--hours", type=float, default=1.0, help="of the arm's time, fault-free")
    chosen = parser.parse_args()
    count, hours = (50, 0.01) if chosen.quick else (chosen.count, chosen.hours)
    results = _sequences(count) | _nominal(hours)
    settings = {"quick": chosen.quick, "count": count, "hours": hours, "targets": TARGETS}
    print(_result.save("deploy_fault_sequences", settings=settings, results=results))
    print(results)


def _sequences(count: int) -> dict[str, Any]:
    found: dict[str, Any] = {"sequences": 0, "commands": 0, "bad_commands": 0,
                             "slowest_trip_steps": 0, "examples": []}  # fmt: skip

    @seed(0)
    @settings(max_examples=count, deadline=None, database=None, phases=[Phase.generate],
              suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(sequences)
    def look(sequence):
        witness = play(sequence)
        found["sequences"] += 1
        found["commands"] += witness.sent
        found["bad_commands"] += len(witness.bad)
        found["examples"] = (found["examples"] + witness.bad)[:5]
        found["slowest_trip_steps"] = max(found["slowest_trip_steps"], witness.faulty_steps)

    look()
    return found


def _nominal(hours: float) -> dict[str, Any]:
    witness = Witness(faults=[])
    summary = run(Policy("sines", 0, 0), witness, seconds=3600.0 * hours, clock=witness.arm)
    return {"nominal_hours": hours, "false_trips": int(summary.ended == "trip"),
            "nominal_intervention": summary.intervention, "reason": summary.reason}  # fmt: skip


if __name__ == "__main__":
    main()
