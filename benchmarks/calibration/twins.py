"""Robots with planted parameters: is what was planted found, and do intervals hold?

    python benchmarks/calibration/twins.py [ROBOT ...] [coverage] [pushes] [--seed 1] [--sets 50]

A robot's name: its twin, with encoders of 1 mrad noise that report 5 ms late; every identified
parameter should be within 3 %, the delay within 1 ms. Coverage: parameters of 100 pendulums drawn
from the prior, two noisy logs each; 90 % intervals should hold in 86 to 94 % (simulation-based
calibration, Talts et al. 2018); --seed and --sets are for this part. Pushes: a hand in each of 60
logs, found by a fit to the log with the push in it, with at most 10 % of the windows that none
touched dropped.
"""

import argparse
from functools import partial

import numpy as np
from _rows import previous, save, timed
from _twin import record
from scipy.special import ndtri

from sim2real.calibration.disturbances import find_disturbances
from sim2real.calibration.estimate import estimate
from sim2real.calibration.problem import Problem
from sim2real.calibration.recipe import Cut, Parameter, Recipe
from sim2real.shipped import find_robot

SEED = 0
TARGETS = {"share": 0.03, "delay": 0.001, "coverage": [0.86, 0.94], "clean dropped": 0.10}
LATE = 0.005
"""What encoders' reports are late [s]."""


def prior(low: float, high: float, kind: str = "set", log: bool = False) -> Parameter:
    """Return a uniform or log-uniform prior."""
    return Parameter(prior={kind: {"log_uniform": [low, high]} if log else [low, high]})


def late(joints) -> dict[str, Parameter]:
    """Return the priors of encoders' delays."""
    return {f"joint.{joint}.position_delay": prior(0.0, 0.02) for joint in joints}


def main() -> None:
    """Run what is named, or all, and write results/calibration_twins.json."""
    parts = {name: partial(recovered, name) for name in TWINS}
    parts |= {"coverage": coverage, "pushes": pushes}
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", default=list(parts), help=", ".join(parts))
    parser.add_argument("--seed", type=int, default=SEED, help="of the coverage's sets")
    parser.add_argument("--sets", type=int, default=SETS)
    chosen = parser.parse_args()
    parts["coverage"] = partial(coverage, chosen.seed, chosen.sets)
    results = previous("twins")
    for part in chosen.parts:
        name = part if part != "coverage" or not chosen.seed else f"coverage, seed {chosen.seed}"
        results[name], seconds = timed(parts[part])
        results[name] |= {"seconds": seconds}
        save("twins", {"seed": SEED, "targets": TARGETS}, results)


# --- twins ---------------------------------------------------------------------------------------

SO101 = ("shoulder_pan", "shoulder_lift", "elbow_flex", "wrist_flex", "wrist_roll")
TWINS = {
    "pendulum": {
        "body.bob.mass": (prior(0.5, 2.0, "scale"), 0.66),
        "joint.pivot.damping": (prior(0.0, 0.3), 0.05),
        "joint.pivot.frictionloss": (prior(0.0, 0.5), 0.17),
    },
    "double_pendulum": {
        "body.upper.mass": (prior(0.4, 1.8, "scale"), 0.4),
        "body.lower.mass": (prior(0.4, 1.8, "scale"), 0.66),
        "body.lower.inertia_scale": (prior(0.2, 5.0, "scale", log=True), 0.76),
        "joint.shoulder.frictionloss": (prior(0.0, 0.5), 0.24),
        "joint.elbow.frictionloss": (prior(0.0, 0.5), 0.16),
    },
    "so101": {
        **{f"actuator.{joint}.kp": (prior(2.0, 200.0, log=True), 14.0) for joint in SO101},
        **{f"joint.{joint}.damping": (prior(0.1, 10.0, log=True), 0.8) for joint in SO101},
        **{f"joint.{joint}.frictionloss": (prior(0.0, 1.0), 0.3) for joint in SO101},
    },
    "xl330": {
        "actuator.servo.strength": (prior(0.4, 2.5, "scale", log=True), 1.2),
        "actuator.servo.kd": (prior(0.3, 3.0, "scale", log=True), 0.025),
        "joint.servo.damping": (prior(0.0, 0.05), 0.006),
        "joint.servo.frictionloss": (prior(0.0, 0.1), 0.02),
        "joint.servo.load_friction": (prior(0.0, 0.5), 0.12),
    },
}
CUTS = {
    "so101": Cut(seconds=2.0, stride=2.0, smooth=0.1),
    "xl330": Cut(seconds=1.0, stride=1.0, smooth=0.03),
}
FALLS = ("xl330",)
"""Robots whose drives are off in each fourth second, as in their real logs: what slows a joint
while its drive is on may be the drive's damping or the joint's."""


def recovered(name: str) -> dict:
    """Return what a fit to two logs of 20 s finds in a twin."""
    robot = find_robot(name)
    compare = SO101 if name == "so101" else tuple(robot.joints)
    planted = {parameter: value for parameter, (_, value) in TWINS[name].items()}
    planted |= {parameter: LATE for parameter in late(compare)}
    belief = {parameter: known for parameter, (known, _) in TWINS[name].items()} | late(compare)
    recipe = Recipe(
        robot=name, parameters=belief, windows=CUTS.get(name, Cut()), compare=compare,
        model_error=0.0,  # a twin's model is not wrong: nothing to allow for that
        avoid={next(iter(robot.joints)): ((2.34, 3.94),)} if "pendulum" in name else {},
    )  # fmt: skip
    seconds = np.arange(round(20.0 * robot.control_hz)) / robot.control_hz
    values = np.tile(list(planted.values()), (2, 1))
    enabled = seconds % 4.0 < 3.0 if name in FALLS else None
    logs = record(robot, tuple(planted), values, seconds=20.0, seed=SEED, enabled=enabled)
    found = estimate(Problem(robot, recipe), logs, seed=SEED)
    rows = {}
    for each in found.estimates:
        off = each.value - planted[each.name]
        delay = each.name.endswith("delay")
        rows[each.name] = {
            "planted": planted[each.name],
            "found": float(f"{each.value:.5g}"),
            "interval": [float(f"{end:.5g}") for end in each.interval],
            "off": f"{1e3 * off:.3f} ms" if delay else f"{off / planted[each.name]:+.2%}",
            "within": bool(abs(off) <= (0.001 if delay else 0.03 * abs(planted[each.name]))),
            "verdict": each.verdict,
        }
    told = [row["within"] for row in rows.values() if row["verdict"] == "identified"]
    return {"identified": len(told), "within": sum(told), "rows": rows}


# --- coverage ------------------------------------------------------------------------------------

SETS, LOGS_OF_A_SET = 100, 2
PENDULUM = {
    "body.bob.mass": prior(0.6, 1.4, "scale"),
    "joint.pivot.damping": prior(0.01, 0.2, log=True),
    "joint.pivot.frictionloss": prior(0.0, 0.3),
    "actuator.pivot.delay": prior(0.002, 0.03),
}
AVOID = {"pivot": ((2.34, 3.94),)}


def coverage(seed: int = SEED, sets: int = SETS) -> dict:
    """Return in how many of the sets intervals hold what was planted."""
    robot = find_robot("pendulum")
    recipe = Recipe(robot="pendulum", parameters=PENDULUM, avoid=AVOID, model_error=0.0)
    nominal = dict(zip(PENDULUM, Problem(robot, recipe).coordinates.nominal.tolist(), strict=True))
    u = np.random.default_rng(seed).uniform(size=(sets, len(PENDULUM)))
    planted = np.stack(
        [
            unknown.prior.values(nominal[unknown.name], u[:, i])
            for i, unknown in enumerate(recipe.unknowns)
        ],
        axis=1,
    )
    planted = np.repeat(np.asarray(planted), LOGS_OF_A_SET, axis=0)
    logs = record(robot, tuple(PENDULUM), planted, seconds=6.0, seed=seed + 1)
    sure = ndtri(0.95)
    inside = {"ours": [], "Jacobian only": []}
    for i in range(sets):
        own = logs[LOGS_OF_A_SET * i : LOGS_OF_A_SET * (i + 1)]
        found = estimate(Problem(robot, recipe), own, seed=SEED)
        at = found.problem.coordinates
        true = planted[LOGS_OF_A_SET * i]
        off = np.abs(at.z(np.clip(true, at.lower, at.upper)) - found.fit.z)
        for kind, covariance in (
            ("ours", found.spread.total),
            ("Jacobian only", found.spread.jacobian),
        ):
            inside[kind].append(off <= sure * np.sqrt(np.diag(covariance)))
        if i % 10 == 9:
            print(i + 1, {k: np.mean(v, axis=0).round(3) for k, v in inside.items()}, flush=True)
    return {
        kind: {
            "all": round(float(np.mean(held)), 4),
            **dict(zip(PENDULUM, np.mean(held, axis=0).round(3).tolist(), strict=True)),
        }
        for kind, held in inside.items()
    } | {"sets": sets}


# --- pushes --------------------------------------------------------------------------------------


def pushes() -> dict:
    """Return how many planted pushes are found, and which share of clean windows is dropped."""
    robot, count, seconds, window = find_robot("pendulum"), 60, 12.0, 0.5
    rng = np.random.default_rng(SEED)
    rows = round(seconds * robot.control_hz)
    begin, length = rng.uniform(2.0, 10.0, count), rng.uniform(0.1, 0.4, count)
    size = rng.choice([-1.0, 1.0], count) * rng.uniform(3.0, 8.0, count)
    time = np.arange(rows) / robot.control_hz
    hand = np.where((begin[:, None] <= time) & (time < (begin + length)[:, None]), size[:, None], 0)
    names = ("body.bob.mass", "joint.pivot.frictionloss", "joint.pivot.damping")
    values = rng.uniform([0.4, 0.05, 0.02], [0.9, 0.3, 0.1], (count, 3))
    logs = record(robot, names, values, seconds=seconds, seed=2, noise=2e-3, pushes=hand)
    recipe = Recipe(robot="pendulum", parameters={n: PENDULUM[n] for n in names}, avoid=AVOID)
    problem = Problem(robot, recipe)
    found = [push for log in logs for push in found_in(problem, log)]
    missed, dropped, clean, false = [], 0, 0, 0
    starts = np.arange(0.0, seconds - window, window)
    for i, log in enumerate(logs):
        told = [(push.begin, push.end) for push in found if push.log == log.source]
        hits = [low < begin[i] + length[i] and begin[i] < high for low, high in told]
        false += len(hits) - sum(map(int, hits))
        if not any(hits):
            missed.append(
                {"torque": round(float(size[i]), 2), "length": round(float(length[i]), 2)}
            )
        for start in starts:
            # the pendulum goes on as the push left it: only the push itself is not clean
            if start < begin[i] + length[i] and begin[i] < start + window:
                continue
            clean += 1
            dropped += any(low < start + window and start < high for low, high in told)
    return {
        "planted": count,
        "found": count - len(missed),
        "missed": missed,
        "false": int(false),
        "clean windows": clean,
        "clean windows dropped, share": round(float(dropped) / clean, 4),
    }


def found_in(problem: Problem, log) -> tuple:
    """Return the pushes that a fit to the log itself, pushes and all, finds in it."""
    fit, _ = problem.solve([log], seed=SEED)
    return find_disturbances(problem, [log], problem.coordinates.values(fit.z))


if __name__ == "__main__":
    main()
