"""Adaptation on real logs, beside the calibrated simulator: a payload, and another firmware gain.

    python benchmarks/adaptation/real_logs.py [--seeds 0 1 2] [--rigs pendulum servo] [--quick]

Models are trained on randomized simulations alone; neither they nor their scales have seen a real
row. On ../shared/logs they predict the windows that the calibration predicts, half a second of them
and one control step, from the same start and under the same commands; what adapts has seen the
second before. The calibrated simulator was fitted to other logs: of the same pendulum without the
payload; of the servo at the two other gains, and it is told the gain, which no model is. Errors are
of the joint's position [rad]. Writes results/real_adaptation.json.
"""

import argparse
import dataclasses
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[1] / "calibration"))
sys.path.insert(0, str(Path(__file__).parent))
import _result
from _real_case import Case
from _rows import LOGS, logs_of, recipe_of

from sim2real.calibration.problem import Problem
from sim2real.envs.vector_env import RobotVectorEnv
from sim2real.meta.build import build
from sim2real.meta.collect import collect, state_space
from sim2real.meta.dynamics import Dynamics
from sim2real.meta.episodes import Episodes
from sim2real.meta.excite import Excitation
from sim2real.meta.fit import FitSettings, fit, fit_scaling
from sim2real.meta.job import AdaptationSettings, DynamicsJob, DynamicsSettings
from sim2real.meta.scaling import Scaling
from sim2real.robot import Robot
from sim2real.shipped import find_robot

SECONDS, HZ, WINDOW = 0.5, 50.0, 50
METHODS = ("none", "last_layer", "drives", "gradient", "recurrent")
LEARNING = {
    "control_hz": HZ,
    "dynamics": DynamicsSettings(hidden=(64, 64), robots=400, seconds=6.0),
    "adaptation": AdaptationSettings(window=WINDOW),
    "fit": FitSettings(steps=6000, tasks=16, query=16, learning_rate=2e-3),
}
PENDULUM = DynamicsJob(
    robot="pendulum",
    # of the drive the torque is measured: its gain and delay are not in the loop
    randomize={
        "body.bob.mass": {"scale": [0.5, 4.0]},
        "joint.pivot.armature": {"set": [0.0, 0.15]},
        "joint.pivot.damping": {"set": [0.0, 0.3]},
        "joint.pivot.frictionloss": {"set": [0.0, 0.5]},
        "joint.pivot.position_noise": {"set": [0.0, 0.001]},
        "joint.pivot.velocity_noise": {"set": [0.0, 0.05]},
    },
    **LEARNING,
)
SERVO = DynamicsJob(
    robot="xl330",
    # firmware gains from 70 to 1000
    randomize={
        "actuator.servo.kp": {"scale": {"log_uniform": [0.7, 10.0]}},
        "actuator.servo.no_load_speed": {"set": [18.0, 26.0]},
        "joint.servo.armature": {"scale": [0.5, 2.0]},
        "joint.servo.damping": {"scale": {"log_uniform": [0.5, 2.0]}},
        "joint.servo.frictionloss": {"set": [0.0, 0.04]},
        "joint.servo.load_friction": {"set": [0.0, 0.3]},
        "joint.servo.position_noise": {"set": [0.0, 0.001]},
        "joint.servo.velocity_noise": {"set": [0.0, 0.05]},
    },
    **LEARNING,
)
FIRMWARE_GAIN = 400


def swinging() -> Robot:
    """Return the pendulum, often near upright: hanging, a heavy bob is never moved far."""
    robot = PENDULUM.find_robot()
    task = robot.task | {"upright_starts": 0.7, "episode_seconds": 3.0}
    return dataclasses.replace(robot, task=task)


def sent_everywhere() -> Robot:
    """Return the servo, whose goals jump as those of the logs."""
    robot = SERVO.find_robot()
    servo = dataclasses.replace(robot.joints["servo"], action="absolute", action_scale=3.0)
    task = robot.task | {"episode_seconds": 6.0}
    return dataclasses.replace(robot, joints={"servo": servo}, task=task)


def pendulum_cases() -> dict[str, Case]:
    """Return the logs that the calibration held out, and those with a payload."""
    robot, recipe = find_robot("pendulum"), recipe_of("pendulum_dfki")
    folder = LOGS / "pendulum"
    fitted = logs_of(recipe, robot, recipe.fit_files(folder))
    problem = Problem(robot, dataclasses.replace(recipe, runs={}))
    values = _fitted(problem, fitted)
    files = {
        "pendulum, held out": recipe.held_out_files(folder),
        "pendulum, payload": [folder / "energy_shaping_1kg.csv"],
    }
    return {
        name: _case(problem, logs_of(recipe, robot, paths), values, smooth=0.05)
        for name, paths in files.items()
    }


def servo_cases() -> dict[str, Case]:
    """Return the servo's logs at one gain, beside the friction class that validation chose there.

    That is M1, Coulomb and viscous friction: results/calibration_xl330.json.
    """
    robot, recipe = find_robot("xl330"), recipe_of("xl330", stride=SECONDS)
    assert recipe.choose is not None
    optional = {name for each in recipe.choose.classes.values() for name in each}
    problem = Problem(robot, recipe).without(sorted(optional))
    logs = logs_of(recipe, robot, recipe.fit_files(LOGS / "xl330"))
    fitted = [log for log in logs if log.facts["kp"] != FIRMWARE_GAIN]
    other = [log for log in logs if log.facts["kp"] == FIRMWARE_GAIN]
    values = _fitted(problem, fitted)
    return {f"servo, gain {FIRMWARE_GAIN}": _case(problem, other, values, smooth=0.03)}


def _fitted(problem: Problem, logs: Any) -> Any:
    found, _ = problem.solve(logs, seed=0)
    return problem.coordinates.values(found.z)


def _case(problem: Problem, logs: Any, values: Any, *, smooth: float) -> Case:
    past = WINDOW / HZ
    return Case(problem, logs, values, hz=HZ, seconds=SECONDS, past=past, smooth=smooth)


@dataclass(frozen=True)
class Rig:
    """A real robot: what to train its models on, and what to test them on."""

    job: DynamicsJob
    robot: Callable[[], Robot]
    cases: Callable[[], dict[str, Case]]


RIGS = {
    "pendulum": Rig(PENDULUM, swinging, pendulum_cases),
    "servo": Rig(SERVO, sent_everywhere, servo_cases),
}


def main() -> None:
    """Train the models with each seed, predict the logs; print, and write the numbers."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--rigs", nargs="+", default=list(RIGS))
    parser.add_argument("--quick", action="store_true", help="few steps: a smoke test")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    results: dict[str, Any] = {}
    settings = {"quick": chosen.quick, "seeds": chosen.seeds, "hz": HZ, "window": WINDOW}
    for rig in (RIGS[name] for name in chosen.rigs):
        cases = rig.cases()
        results |= {name: case.simulator() for name, case in cases.items()}
        for seed in chosen.seeds:
            for method, model, seconds in _trained(rig, seed, quick=chosen.quick):
                for name, case in cases.items():
                    row = case.errors(model) | {"seed": seed, "seconds": seconds}
                    results[name].setdefault(method, []).append(row)
                    print(seed, method, name, row, flush=True)
            _result.save("real_adaptation", settings=settings, results=results)


def _trained(rig: Rig, seed: int, *, quick: bool) -> Any:
    """Yield each method, its model, and the seconds of its training."""
    job = dataclasses.replace(rig.job, fit=FitSettings(steps=20)) if quick else rig.job
    env, data = _collected(job, rig.robot(), seed)
    for method in METHODS:
        adaptation = dataclasses.replace(job.adaptation, method=method)
        model: Dynamics = build(Scaling(state_space(env)), job.dynamics, adaptation, seed=seed)
        fit_scaling(model, data)
        begun = time.process_time()
        fit(model, data, job.fit, seed=seed)
        yield method, model.eval(), round(time.process_time() - begun, 1)


def _collected(job: DynamicsJob, robot: Robot, seed: int) -> tuple[RobotVectorEnv, Episodes]:
    env = RobotVectorEnv(robot, job.dynamics.robots, seed=seed)
    env.reset()
    shake = Excitation(seed, env.num_envs, len(robot.driven), HZ)
    return env, collect(env, round(job.dynamics.seconds * HZ), shake)


if __name__ == "__main__":
    main()
