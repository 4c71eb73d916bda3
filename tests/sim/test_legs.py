"""Chains that are followed at once, against each followed alone."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from sim2real.sim.chain import Step
from sim2real.sim.kinematics import _follow
from sim2real.sim.legs import Legs

NJOINT = 4


def _chain(rng: np.random.Generator, joints: list[int], slides: list[bool]) -> list[Step]:
    """Return a random chain with these joints and a site at its end."""
    steps = []
    for joint, slide in zip(joints, slides, strict=True):
        axis = rng.standard_normal(3)
        axis /= np.linalg.norm(axis)
        offset = rng.standard_normal(3), Rotation.random(random_state=rng).as_matrix()
        steps.append(Step(*offset, joint, rng.standard_normal(), slide, axis))
    return [*steps, Step(rng.standard_normal(3), np.eye(3))]


@pytest.fixture
def chains() -> list[list[Step]]:
    """Three chains of different lengths, with joints that turn and joints that slide."""
    rng = np.random.default_rng(0)
    return [
        _chain(rng, [0, 1, 2], [False, True, False]),
        _chain(rng, [3], [False]),
        _chain(rng, [2, 0], [True, False]),
    ]


def test_ends_of_all_chains_are_where_each_ends_alone(chains: list[list[Step]]) -> None:
    q = np.random.default_rng(1).standard_normal((5, NJOINT))
    point, _ = Legs(chains).motion(q, np.zeros_like(q))
    for i, chain in enumerate(chains):
        np.testing.assert_allclose(point[:, i], _follow(chain, q)[0], atol=1e-12)


def test_velocity_is_the_derivative_of_the_position(chains: list[list[Step]]) -> None:
    rng, legs, h = np.random.default_rng(2), Legs(chains), 1e-6
    q, dq = rng.standard_normal((2, 5, NJOINT))
    ahead, back = (legs.motion(q + sign * h * dq, dq)[0] for sign in (1.0, -1.0))
    np.testing.assert_allclose(legs.motion(q, dq)[1], (ahead - back) / (2 * h), atol=1e-7)
