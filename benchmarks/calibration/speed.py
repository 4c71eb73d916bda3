"""Side by side on the pendulum problem: ours, `mujoco.sysid`, and CMA-ES on our own residuals.

    pip install "mujoco[sysid]" cma
    python benchmarks/calibration/speed.py

All fit the same four parameters to the same windows from the same start states and starting point;
each result is judged by the same rollouts. Contestants take turns; what is quoted are medians of
processor time, for the machine may be busy with other things. One thread each.
"""

import contextlib
import io
import statistics
import time
from functools import partial

import cma
import mujoco
import numpy as np
from _rows import LOGS, errors, logs_of, recipe_of, save
from mujoco import sysid
from scipy.optimize import least_squares

from sim2real.calibration.assignment import with_runs_of
from sim2real.calibration.problem import Problem
from sim2real.shipped import find_robot
from sim2real.sim.model import make_spec

FOLDER, SEED, TURNS = LOGS / "pendulum", 0, 1
TARGETS = {"sysid": 4.0, "cma": 8.0}


def main() -> None:
    """Let them take turns and write results/calibration_speed.json."""
    robot, recipe = find_robot("pendulum"), recipe_of("pendulum_dfki")
    fitted = logs_of(recipe, robot, recipe.fit_files(FOLDER))
    held_out = logs_of(recipe, robot, recipe.held_out_files(FOLDER))
    recipe = with_runs_of(recipe, fitted, held_out)
    problem = Problem(robot, recipe)
    contestants = {
        "ours, least squares": lambda: plain(problem, fitted),
        "ours, with start states and weights": lambda: whole(problem, fitted),
        "mujoco.sysid, its own optimizer": lambda: by_sysid(problem, fitted, "mujoco"),
        "mujoco.sysid, scipy": lambda: by_sysid(problem, fitted, "scipy"),
        "CMA-ES": lambda: by_cma(problem, fitted),
    }
    seconds = {name: [] for name in contestants}
    found = {}
    for _ in range(TURNS):
        for name, contestant in contestants.items():
            begin = time.process_time()
            found[name], spent = contestant()
            seconds[name].append(time.process_time() - begin)
            print(name, round(seconds[name][-1], 3), found[name].round(4), spent, flush=True)
            results_of = {"evaluations": spent}
            found[name, "spent"] = results_of
    results = {}
    for name in contestants:
        both = {name: found[name]}
        results[name] = {
            "cpu seconds": round(statistics.median(seconds[name]), 3),
            "all": [round(each, 3) for each in seconds[name]],
            "values": found[name].round(5).tolist(),
            **found[name, "spent"],
            "fitted, 0.5 s": errors(problem, fitted, both, 0.5, stride=0.25),
            "held out, 0.5 s": errors(problem, held_out, both, 0.5),
        }
    ours = results["ours, least squares"]["cpu seconds"]
    results["times faster"] = {
        name: round(results[name]["cpu seconds"] / ours, 2) for name in contestants
    }
    results["residual of all windows, ms"] = {
        "ours": per_residual(problem, fitted),
        "mujoco.sysid": per_sysid_residual(problem, fitted),
    }
    save("speed", {"seed": SEED, "turns": TURNS, "targets": TARGETS}, results)


def start(problem: Problem) -> np.ndarray:
    """Return the starting point: the nominal model."""
    low, high = problem.coordinates.z_bounds
    return np.clip(problem.coordinates.z(problem.coordinates.nominal), low + 1e-6, high - 1e-6)


def plain(problem: Problem, logs) -> tuple[np.ndarray, int]:
    """Return bounded least squares over our batched residual and slope, and nothing else."""
    residual = problem.residual(logs)
    n, size = residual.windows.covariance.shape[:2]
    still = np.zeros((n, size))
    found = least_squares(
        lambda z: residual(z, still).ravel(),
        start(problem),
        lambda z: residual.jacobian(z, still).reshape(-1, len(z)),
        bounds=problem.coordinates.z_bounds,
        ftol=1e-3,
        xtol=1e-3,
    )
    return problem.coordinates.values(found.x), residual.rollouts // n


def whole(problem: Problem, logs) -> tuple[np.ndarray, int]:
    """Return our calibration's fit, which estimates start states, noise and outliers as well."""
    found, residual = problem.solve(logs, seed=SEED)
    return problem.coordinates.values(found.z), residual.rollouts // len(residual.windows)


def by_cma(problem: Problem, logs) -> tuple[np.ndarray, int]:
    """Return what CMA-ES finds on our residual, a generation in one rollout."""
    residual = problem.residual(logs)
    n, size = residual.windows.covariance.shape[:2]
    low, high = problem.coordinates.z_bounds
    options = {"seed": SEED + 1, "bounds": [low.tolist(), high.tolist()], "verbose": -9}
    search = cma.CMAEvolutionStrategy(start(problem), 0.5, {**options, "tolfun": 1e-8})
    while not search.stop():
        asked = search.ask()
        error = residual.many(np.array(asked), np.zeros((n, size)))
        search.tell(asked, (error**2).mean(axis=(1, 2)).tolist())
    return problem.coordinates.values(np.array(search.result.xbest)), search.result.evaluations


def by_sysid(problem: Problem, logs, optimizer: str) -> tuple[np.ndarray, int]:
    """Return what `mujoco.sysid` finds from the same windows and start states."""
    parameters, sequences = sysid_problem(problem, logs)
    calls = 0

    def counted(x, params, **kwargs):
        nonlocal calls
        calls += 1 if np.ndim(x) == 1 else np.shape(x)[1]
        return sysid.residual(x, params, models_sequences=[sequences], n_threads=1, **kwargs)

    with contextlib.redirect_stdout(io.StringIO()):
        best, _ = sysid.optimize(parameters, counted, optimizer=optimizer, verbose=False)
    return np.array([best[name].value[0] for name in problem.names]), calls


def sysid_problem(problem: Problem, logs):
    """Return the parameters and the windows as `mujoco.sysid` takes them."""
    spec = make_spec(problem.robot, 0.0)
    for joint in spec.joints:
        joint.actfrclimited = False
    for actuator in spec.actuators:
        actuator.forcelimited = False
    spec.add_sensor(name="angle", type=mujoco.mjtSensor.mjSENS_JOINTPOS,
                    objtype=mujoco.mjtObj.mjOBJ_JOINT, objname="pivot")  # fmt: skip
    model = spec.compile()
    windows = problem.residual(logs).windows
    times = model.opt.timestep * np.arange(windows.command.shape[1])
    sampled = model.opt.timestep * problem.grid.every * np.arange(1, windows.measured.shape[1] + 1)
    states, controls, sensors = [], [], []
    for i in range(len(windows)):
        states.append(sysid.create_initial_state(model, windows.position[i], windows.velocity[i]))
        controls.append(sysid.TimeSeries.from_control_names(times, windows.command[i], model))
        angle = np.concatenate([windows.position[i][None], windows.measured[i]])
        stamps = np.concatenate([[0.0], sampled])
        sensors.append(sysid.TimeSeries.from_names(stamps, angle, model))
    names = [f"window {i}" for i in range(len(windows))]
    sequences = sysid.ModelSequences("pendulum", spec, names, states, controls, sensors)
    coordinates, parameters = problem.coordinates, sysid.ParameterDict()
    for i, name in enumerate(problem.names):
        parameters.add(
            sysid.Parameter(
                name, coordinates.nominal[i], coordinates.lower[i], coordinates.upper[i],
                modifier=partial(MODIFIERS[name], nominal=0.546),
            )
        )  # fmt: skip
    return parameters, sequences


def _mass(spec, parameter, nominal: float) -> None:
    body = spec.body("bob")
    body.mass = float(parameter.value[0])
    body.inertia = np.full(3, 2e-4) * body.mass / nominal  # as ours: inertia moves with mass


def _joint(spec, parameter, nominal: float, field: str) -> None:
    joint, value = spec.joint("pivot"), float(parameter.value[0])
    if field == "damping":
        joint.damping[0] = value
    else:
        setattr(joint, field, value)


MODIFIERS = {
    "body.bob.mass": _mass,
    "joint.pivot.armature": partial(_joint, field="armature"),
    "joint.pivot.damping": partial(_joint, field="damping"),
    "joint.pivot.frictionloss": partial(_joint, field="frictionloss"),
}


def per_residual(problem: Problem, logs, repetitions: int = 20) -> float:
    """Return the processor time of our residual over all windows [ms]."""
    residual = problem.residual(logs)
    n, size = residual.windows.covariance.shape[:2]
    z, still = np.tile(start(problem), (1, 1)), np.zeros((n, size))
    residual.many(z, still)
    begin = time.process_time()
    for _ in range(repetitions):
        residual.many(z, still)
    return round(1e3 * (time.process_time() - begin) / repetitions, 2)


def per_sysid_residual(problem: Problem, logs, repetitions: int = 5) -> float:
    """Return the same of `mujoco.sysid` [ms]."""
    parameters, sequences = sysid_problem(problem, logs)
    x = parameters.as_vector()
    sysid.residual(x, parameters, models_sequences=[sequences], n_threads=1)
    begin = time.process_time()
    for _ in range(repetitions):
        sysid.residual(x, parameters, models_sequences=[sequences], n_threads=1)
    return round(1e3 * (time.process_time() - begin) / repetitions, 2)


if __name__ == "__main__":
    main()
