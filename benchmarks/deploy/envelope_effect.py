"""What does the envelope keep a bad policy from, and what does it cost a good one?

    python benchmarks/deploy/envelope_effect.py [--quick] [--policy ROBOT=RUN-FOLDER ...]

Experiment C3, in MuJoCo, on robots whose joints have limits. Adversaries draw actions at random,
throw them from one end to the other, or push to one end. Counted are steps after which a joint is
beyond its limits, and commands that ask for 10 % more torque than the motor has. What the ground
does to the legs of a robot that fell is no command's doing: the quadruped is looked at in the air,
too. Good policies are folders of `sim2real train`; a swing-up of the pendulum by its energy (Åström
and Furuta 2000) needs no training and is always there.
"""

import argparse
import dataclasses
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from sim2real.deploy.envelope.bounds import Envelope
from sim2real.envs.rollout import evaluate
from sim2real.envs.vector_env import RobotVectorEnv
from sim2real.robot import Robot
from sim2real.shipped import find_robot

sys.path.insert(0, str(Path(__file__).parents[1]))
import _result

TARGETS = {"fewer_violations": 0.99, "return_lost": 0.02, "intervention": 0.005}
ROBOTS = ("so101", "reacher", "quadruped")
SEEDS = (0, 1, 2)
_BEYOND = 1e-3  # rad: what a soft limit of the simulation gives way to


def main() -> None:
    """Measure; write results/deploy_envelope.json."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="short: a smoke test")
    parser.add_argument("--steps", type=int, default=500, help="of each adversary")
    parser.add_argument("--num-envs", type=int, default=16)
    parser.add_argument("--policy", nargs="*", default=[], metavar="ROBOT=FOLDER")
    chosen = parser.parse_args()
    steps, n = (20, 2) if chosen.quick else (chosen.steps, chosen.num_envs)
    results = {
        f"{name}, {kind}": _compared(robot, kind, steps, n)
        for name, robot in _robots()
        for kind in ADVERSARIES
    }
    results["pendulum, by its energy"] = _cost(find_robot("pendulum"), _swing_up, n)
    for entry in chosen.policy:
        name, _, folder = entry.partition("=")
        results[f"{name}, {folder}"] = _cost(find_robot(name), _trained(Path(folder)), n)
    settings = {"quick": chosen.quick, "steps": steps, "num_envs": n, "seeds": SEEDS,
                "targets": TARGETS}  # fmt: skip
    print(_result.save("deploy_envelope", settings=settings, results=results))
    for name, value in results.items():
        print(f"{name}: {value}")


def _robots() -> Iterator[tuple[str, Robot]]:
    for name in ROBOTS:
        yield name, find_robot(name)
    quadruped = find_robot("quadruped")
    weightless = {"opt.gravity[2]": {"set": [-1e-3, 1e-3]}}
    randomize = {**quadruped.randomize, **weightless}
    yield "quadruped in the air", dataclasses.replace(quadruped, randomize=randomize)


Rng = np.random.Generator
ADVERSARIES: dict[str, Callable[[int, tuple[int, int], Rng], Any]] = {
    "random": lambda step, shape, rng: rng.uniform(-1.0, 1.0, shape),
    "bang-bang": lambda step, shape, rng: np.full(shape, (-1.0) ** (step // 5)),
    "pushes to one end": lambda step, shape, rng: np.ones(shape),
    "held at random ends": lambda step, shape, rng: np.sign(
        np.random.default_rng(step // 20).normal(size=shape)
    ),
}


def _compared(robot: Robot, kind: str, steps: int, n: int) -> dict[str, float]:
    without, within = (
        np.sum([_violations(robot, kind, steps, n, seed, on) for seed in SEEDS], axis=0)
        for on in (False, True)
    )
    total = steps * n * len(SEEDS)
    beyond, torque = (
        1.0 - b / a if a else None for a, b in zip(without[:2], within[:2], strict=True)
    )
    return {
        "beyond_limits_without": without[0] / total, "beyond_limits_within": within[0] / total,
        "fewer_beyond_limits": beyond, "torque_without": without[1] / total,
        "torque_within": within[1] / total, "fewer_torque": torque,
        "trips_without": without[2] / total, "trips_within": within[2] / total,
    }  # fmt: skip


def _violations(
    robot: Robot, kind: str, steps: int, n: int, seed: int, enveloped: bool
) -> tuple[int, int, int]:
    """Return in how many steps a joint was beyond, a torque too large, a trip due."""
    env = RobotVectorEnv(robot, n, seed=seed, enveloped=True)
    guard, rng, counts = env.guard, np.random.default_rng(seed), np.zeros(3, int)
    assert guard is not None  # it was asked for
    tripped, trips = guard.tripped, 0
    if not enveloped:
        guard.limit = lambda wanted, previous, measured: wanted
    guard.tripped = lambda measured: np.zeros(n, bool)  # counted below; the episode goes on
    low, high = Envelope.of(robot).stop
    margin, index = robot.envelope.margin, Envelope.of(robot).servos.index
    env.reset(seed=seed)
    for step in range(steps):
        q, dq = _encoders(env, index)
        env.step(ADVERSARIES[kind](step, (n, len(robot.driven)), rng).astype(np.float32))
        asked = _asked(robot, env.command, q, dq)
        now = env.sim.position[:, index]
        outside = (now < low - margin - _BEYOND) | (now > high + margin + _BEYOND)
        fresh = env.steps == 0  # an episode that ended began anew, with another command
        trips = tripped(env.sim.measure()).sum()
        counts += (int(outside.any(axis=1).sum()), int((asked & ~fresh).sum()), int(trips))
    return tuple(counts)


def _encoders(env: RobotVectorEnv, index: Any) -> tuple[Any, Any]:
    """Return positions and velocities (n, ncommand) as the servos' own loops have them.

    The true ones, without the noise and delay of what is reported. But an encoder that is mounted
    askew is the one that its servo closes the loop on: what it asks its motor for, it asks there.
    """
    bias = env.sim.effects.sensors["position"].parameters.value("bias")
    return (env.sim.position + bias)[:, index], env.sim.velocity[:, index].copy()


def _asked(robot: Robot, command: Any, q: Any, dq: Any) -> Any:
    """Return which of n commands ask for 10 % more torque than the motor has, (n,)."""
    servos = Envelope.of(robot).servos
    torque = np.where(servos.kp > 0, servos.kp * (command - q) - servos.kd * dq, command)
    return (np.abs(torque) > 1.1 * servos.limit).any(axis=1)


def _cost(robot: Robot, act: Callable[..., Any], n: int) -> dict[str, float]:
    """Return how much of its return a policy loses, and how often the envelope steps in."""
    returns: dict[bool, list[float]] = {False: [], True: []}
    intervention, trips = [], 0
    for seed in SEEDS:
        for on in (False, True):
            env = RobotVectorEnv(robot, n, seed=seed, enveloped=on)
            returns[on].append(evaluate(env, act, seed=seed).returns.mean())
            if env.guard is not None:
                intervention.append(env.guard.intervention)
                trips += env.guard.trips
    before, after = np.mean(returns[False]), np.mean(returns[True])
    return {
        "return_without": float(before), "return_within": float(after),
        "return_lost": float((before - after) / abs(before)),
        "intervention": float(np.mean(intervention)), "trips": trips,
    }  # fmt: skip


def _trained(folder: Path) -> Callable[..., Any]:
    from sim2real.training.saved import load_policy

    return load_policy(folder).act


def _swing_up(observation: Any) -> Any:
    """Return torques, as shares of 2 Nm: pump to the energy of the top, and catch there."""
    cos, sin, speed = observation[:, 0], observation[:, 1], 8.0 * observation[:, 2]
    weight, inertia = 3.0, 0.149  # of the nominal rod and bob [Nm, kg m²]
    missing = weight - (0.5 * inertia * speed**2 - weight * cos)
    pump = np.where(speed >= 0.0, 1.0, -1.0) * np.clip(missing, -1.0, 1.0)
    angle = np.arctan2(-sin, -cos)  # 0 upright
    catch = np.clip(-(5.0 * angle + 0.8 * speed), -1.0, 1.0)
    return np.where(np.abs(angle) < 0.35, catch, pump)[:, None].astype(np.float32)


if __name__ == "__main__":
    main()
