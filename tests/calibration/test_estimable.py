"""Each kind of parameter that can be asked for is found in the log of a twin that has it."""

from dataclasses import replace

import numpy as np
import pytest

from sim2real.calibration.problem import Problem
from sim2real.calibration.recipe import Cut

PLANTED = {
    "body.bob.mass": (0.65, [0.3, 1.2]),
    "body.bob.pseudo_inertia[0]": (0.1, [-0.5, 0.5]),
    "body.bob.pseudo_inertia[9]": (0.03, [-0.1, 0.1]),
    "body.bob.ipos[2]": (0.03, [-0.1, 0.1]),
    "joint.pivot.damping": (0.09, [0.0, 0.3]),
    "joint.pivot.frictionloss": (0.2, [0.0, 0.5]),
    "joint.pivot.stiction": (0.15, [0.0, 0.5]),
    "joint.pivot.load_friction": (0.15, [0.0, 0.5]),
    "joint.pivot.armature": (0.01, [0.0, 0.05]),
    "joint.pivot.stiffness": (0.5, [0.0, 2.0]),
    "actuator.pivot.gain": (0.9, [0.5, 1.5]),
    "actuator.pivot.strength": (0.9, [0.5, 1.5]),
    "actuator.pivot.torque_limit": (0.9, [0.5, 2.0]),
    "actuator.pivot.saturation": (0.2, [0.0, 0.5]),
    "actuator.pivot.delay": (0.015, [0.0, 0.03]),
}


def fitted(problem, log):
    found, _ = problem.solve([log], seed=0)
    return float(problem.coordinates.values(found.z)[0])


def one(pendulum, recipe, name, prior):
    return Problem(pendulum, recipe(priors={name: {"set": prior}}, windows=Cut(stride=0.25)))


@pytest.mark.parametrize("name", PLANTED)
def test_what_a_twin_has_is_found(pendulum, recipe, record, name):
    planted, prior = PLANTED[name]
    log = record({name: planted}, seconds=4.0)
    low, high = prior
    found = fitted(one(pendulum, recipe, name, prior), log)
    assert found == pytest.approx(planted, abs=0.03 * (high - low))


FLAWS = {
    "bias": (0.04, [-0.1, 0.1], 0.004),
    "gain": (1.05, [0.9, 1.1], 0.004),
    "delay": (0.01, [0.0, 0.03], 0.001),
}


@pytest.mark.parametrize("flaw", FLAWS)
def test_flaws_of_an_encoder_are_found(pendulum, recipe, record, noisy, flaw):
    planted, prior, within = FLAWS[flaw]
    log = record({}, seconds=8.0)
    position = {
        "bias": log.position + planted,
        "gain": planted * log.position,
        "delay": np.vstack([log.position[:1], log.position[:-1]]),  # a control step
    }[flaw]
    problem = one(pendulum, recipe, f"joint.pivot.position_{flaw}", prior)
    found = fitted(problem, noisy(replace(log, position=position), noise=1e-3))
    assert found == pytest.approx(planted, abs=within)
