"""Adaptation on real logs, beside the calibrated simulator: pendulum with and without payload.

    python benchmarks/adaptation/real_logs.py [--seeds 0 1 2] [--quick]

Models are trained on randomized simulations alone; neither they nor their scales have seen a real
row. On ../shared/logs they predict the windows that the calibration predicts, half a second of them
and one control step, from the same start and under the same commands; what adapts has seen the
second before. The calibrated simulator was fitted to two other logs of the same pendulum, without
the payload. Errors are of the joint's position [rad]. Writes results/real_adaptation.json.
"""

import argparse
import dataclasses
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.signal import savgol_filter
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[1] / "calibration"))
import _result
from _rows import LOGS, logs_of, recipe_of

from sim2real.calibration.problem import Problem
from sim2real.calibration.windows import Windows
from sim2real.envs.vector_env import RobotVectorEnv
from sim2real.meta.build import build
from sim2real.meta.collect import collect, state_space
from sim2real.meta.dynamics import Adapted, Dynamics, Window
from sim2real.meta.excite import Excitation
from sim2real.meta.fit import FitSettings, fit, fit_scaling
from sim2real.meta.job import AdaptationSettings, DynamicsJob, DynamicsSettings
from sim2real.meta.logs import episodes_of_log
from sim2real.meta.scaling import Scaling
from sim2real.shipped import find_robot
from sim2real.trajectory import Trajectory

SECONDS, HZ, WINDOW, SMOOTH = 0.5, 50.0, 50, 0.05
METHODS = ("none", "last_layer", "gradient", "recurrent")
PENDULUM = DynamicsJob(
    robot="pendulum",
    control_hz=HZ,
    # of the drive the torque is measured: its gain and delay are not in the loop
    randomize={
        "body.bob.mass": {"scale": [0.5, 4.0]},
        "joint.pivot.armature": {"set": [0.0, 0.15]},
        "joint.pivot.damping": {"set": [0.0, 0.3]},
        "joint.pivot.frictionloss": {"set": [0.0, 0.5]},
        "joint.pivot.position_noise": {"set": [0.0, 0.001]},
        "joint.pivot.velocity_noise": {"set": [0.0, 0.05]},
    },
    dynamics=DynamicsSettings(hidden=(64, 64), robots=150, seconds=6.0),
    adaptation=AdaptationSettings(window=WINDOW, context=16),
    fit=FitSettings(steps=1000, tasks=16, query=16, learning_rate=2e-3),
)


def main() -> None:
    """Train the models with each seed, predict the logs; print, and write the numbers."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--quick", action="store_true", help="few steps: a smoke test")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    job = PENDULUM
    if chosen.quick:
        job = dataclasses.replace(job, fit=FitSettings(steps=20))
    results: dict[str, Any] = {}
    cases = _cases()
    for seed in chosen.seeds:
        robot = job.find_robot()
        # from near upright, too: hanging, a heavy bob is never moved far
        task = robot.task | {"upright_starts": 0.7, "episode_seconds": 3.0}
        robot = dataclasses.replace(robot, task=task)
        env = RobotVectorEnv(robot, job.dynamics.robots, seed=seed)
        env.reset()
        shake = Excitation(seed, env.num_envs, 1, HZ)
        data = collect(env, round(job.dynamics.seconds * HZ), shake)
        for method in METHODS:
            adaptation = dataclasses.replace(job.adaptation, method=method)
            one = dataclasses.replace(job, seed=seed, adaptation=adaptation)
            model = build(Scaling(state_space(env)), one.dynamics, adaptation, seed=seed)
            fit_scaling(model, data)
            begun = time.process_time()
            fit(model, data, one.fit, seed=seed)
            seconds = round(time.process_time() - begun, 1)
            for name, case in cases.items():
                row = results.setdefault(name, case.simulator()).setdefault(method, [])
                row.append(case.errors(model) | {"seed": seed, "seconds": seconds})
                print(seed, method, name, row[-1], flush=True)
        settings = {"quick": chosen.quick, "seeds": chosen.seeds, "hz": HZ, "window": WINDOW}
        print(_result.save("real_adaptation", settings=settings, results=results), flush=True)


class Case:
    """The windows of some logs, and what the calibrated simulator makes of them."""

    def __init__(self, problem: Problem, logs: list[Trajectory], values: Any):
        self.problem, self.logs, self.values = problem, logs, values
        self.windows: Windows = problem.windows(logs, SECONDS)
        self.past = [episodes_of_log(_smoothed(log), HZ) for log in logs]

    def simulator(self) -> dict[str, Any]:
        """Return the calibrated simulator's errors."""
        said = self.problem.predict(self.logs, self.windows, self.values[None])[0]
        wrong = said - self.windows.measured
        one = round(1.0 / HZ / self._sample_seconds) - 1
        return {
            "windows": len(self.windows),
            "calibrated simulator": {
                "one step": _rms(wrong[:, one]),
                "0.5 s": _rms(wrong),
            },
        }

    @torch.no_grad()
    def errors(self, model: Dynamics) -> dict[str, Any]:
        """Return the model's errors, adapted and not."""
        window = self._windows_before(model.window)
        wrong = {
            "adapted": self._wrong(model.adapt(window)),
            "unadapted": self._wrong(model.unadapted(len(self.windows))),
        }
        return {name: {"one step": _rms(e[:, 0]), "0.5 s": _rms(e)} for name, e in wrong.items()}

    def _windows_before(self, count: int) -> Window:
        parts = []
        for log, start in zip(self.windows.log, self.windows.start, strict=True):
            data, starts = self.past[log]
            # what ended before the window began, smoothing included
            step = int(np.searchsorted(starts, start - 1.0 / HZ - SMOOTH + 1e-6, "right"))
            parts.append(data.window(torch.tensor([0]), torch.tensor([step]), count, 0))
        return Window(*(torch.cat([vars(p)[name] for p in parts]) for name in vars(parts[0])))

    def _wrong(self, model: Adapted) -> Any:
        windows = self.windows
        start = np.concatenate([windows.position, windows.velocity], axis=1)
        states = torch.from_numpy(start.astype(np.float32))[:, None]
        said = []
        for command in self._commands().unbind(dim=1):
            states = model.mean(states, command[:, None])
            said.append(states[:, 0, : windows.position.shape[1]])
        every = round(1.0 / HZ / self._sample_seconds)
        measured = windows.measured[:, every - 1 :: every]
        return torch.stack(said, dim=1).numpy()[:, : measured.shape[1]] - measured

    def _commands(self) -> Tensor:
        """Return the mean command of each control step (n, nstep, ncommand)."""
        command = self.windows.command
        step = round(1.0 / HZ / self.problem.grid.timestep)
        n, total, size = command.shape
        whole = command[:, : total // step * step].reshape(n, -1, step, size)
        return torch.from_numpy(whole.mean(axis=2).astype(np.float32))

    @property
    def _sample_seconds(self) -> float:
        grid = self.problem.grid
        return grid.timestep * grid.every


def _smoothed(log: Trajectory) -> Trajectory:
    """Return a log whose states are local quadratics through the positions.

    The motor's own estimate of its velocity swings by several rad/s at 25 Hz.
    """
    step = 0.005
    time = np.arange(0.0, log.seconds[-1], step)
    position = np.interp(time, log.seconds, log.position[:, 0])
    length = 2 * round(SMOOTH / step) + 1
    fit = [savgol_filter(position, length, 2, deriv=d, delta=step)[:, None] for d in (0, 1)]
    stamps = log.time[0] + np.round(time * 1e9).astype(np.int64)
    return dataclasses.replace(
        log,
        time=stamps,
        position=fit[0],
        velocity=fit[1],
        command=log.command,
        command_time=log.command_stamps,
        torque=None,
        enabled=None,
    )


def _cases() -> dict[str, Case]:
    robot, recipe = find_robot("pendulum"), recipe_of("pendulum_dfki")
    folder = LOGS / "pendulum"
    fitted = logs_of(recipe, robot, recipe.fit_files(folder))
    problem = Problem(robot, dataclasses.replace(recipe, runs={}))
    found, _ = problem.solve(fitted, seed=0)
    values = problem.coordinates.values(found.z)
    held_out = logs_of(recipe, robot, recipe.held_out_files(folder))
    payload = logs_of(recipe, robot, [folder / "energy_shaping_1kg.csv"])
    return {"held out": Case(problem, held_out, values), "payload": Case(problem, payload, values)}


def _rms(wrong: Any) -> float:
    return float(f"{float(np.sqrt(np.square(wrong).mean())):.4g}")


if __name__ == "__main__":
    main()
