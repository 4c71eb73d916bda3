import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sim2real.errors import ConfigError
from sim2real.mpc.cem import CEM
from sim2real.mpc.coloured_noise import colouring
from sim2real.mpc.icem import ICEM
from sim2real.mpc.mppi import MPPI
from sim2real.mpc.noise_tape import NoiseTape
from sim2real.mpc.planner import nothing_planned
from sim2real.mpc.random_shooting import RandomShooting

HORIZON, NCOMMAND = 6, 2
PLANNERS = [
    RandomShooting(horizon=HORIZON, candidates=400),
    CEM(horizon=HORIZON, candidates=100, elites=10),
    ICEM(horizon=HORIZON, candidates=60, elites=8, kept=3),
    ICEM(horizon=HORIZON, candidates=60, elites=8, kept=0, execute="best"),
    MPPI(horizon=HORIZON, candidates=200, iterations=3),
]
WANTED = torch.linspace(-0.8, 0.8, HORIZON * NCOMMAND).reshape(HORIZON, NCOMMAND).double()


def noise(planner, seed=0):
    shape = (planner.ndraws, planner.horizon, NCOMMAND)
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)).double()


def near(actions):
    return -(actions - WANTED).square().sum(dim=(1, 2))


def plan(planner, objective=near, memory=None, seed=0):
    start = nothing_planned(planner, NCOMMAND).double()
    return planner.plan(objective, start if memory is None else memory, noise(planner, seed))


@pytest.mark.parametrize("planner", PLANNERS, ids=lambda p: type(p).__name__)
def test_a_plan_is_better_than_doing_nothing(planner):
    found = plan(planner)
    assert float(near(found.actions[None])) > 0.7 * float(near(torch.zeros_like(WANTED)[None]))
    assert bool(found.sound)
    assert found.actions.abs().max() <= 1.0


@pytest.mark.parametrize("planner", PLANNERS, ids=lambda p: type(p).__name__)
def test_the_next_plan_starts_from_the_last_one_moved_on_by_a_step(planner):
    first = plan(planner)
    assert first.memory.shape == nothing_planned(planner, NCOMMAND).shape
    # where only standing on the last plan pays, the next plan begins with what followed in the last
    still = plan(planner, lambda a: -(a - first.memory[0]).square().sum(dim=(1, 2)), first.memory)
    assert float((still.actions - first.memory[0]).abs().max()) < 0.45
    if getattr(planner, "execute", "mean") == "mean":
        torch.testing.assert_close(first.memory[0, :-1], first.actions[1:])


@pytest.mark.parametrize("planner", PLANNERS, ids=lambda p: type(p).__name__)
def test_a_planner_tries_as_many_sequences_as_it_says(planner):
    tried = []
    plan(planner, lambda actions: tried.append(len(actions)) or near(actions))
    assert sum(tried) == planner.samples
    assert max(tried) == planner.width


@pytest.mark.parametrize("planner", PLANNERS, ids=lambda p: type(p).__name__)
def test_the_last_plan_is_kept_where_every_rollout_blows_up(planner):
    memory = plan(planner).memory
    kept = plan(planner, lambda actions: near(actions) * torch.nan, memory)
    assert not bool(kept.sound)
    torch.testing.assert_close(kept.actions, memory[0])
    torch.testing.assert_close(kept.memory[0, :-1], memory[0, 1:])


@pytest.mark.parametrize("planner", PLANNERS, ids=lambda p: type(p).__name__)
def test_candidates_that_blow_up_are_avoided(planner):
    def half(actions):
        return torch.where(actions[:, 0, 0] > 0.0, torch.inf, near(actions))

    assert float(plan(planner, half).actions[0, 0]) <= 0.05


@pytest.mark.parametrize("planner", PLANNERS, ids=lambda p: type(p).__name__)
def test_equal_returns_are_ranked_by_their_place(planner):
    flat, other = (
        plan(planner, lambda a, x=shift: a.new_zeros(len(a)) + x) for shift in (0.0, 7.0)
    )
    torch.testing.assert_close(flat.actions, other.actions)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 1000))
def test_a_planner_that_tries_the_last_plan_again_never_does_worse(seed):
    for planner in (PLANNERS[0], ICEM(horizon=HORIZON, candidates=30, kept=3, execute="best")):
        memory = plan(planner, seed=seed).memory
        found = plan(planner, memory=memory, seed=seed + 1)
        assert float(near(found.actions[None])) >= float(near(memory).max())


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [
        (CEM, {"elites": 1}),
        (CEM, {"candidates": 5, "elites": 10}),
        (CEM, {"momentum": 1.0}),
        (ICEM, {"kept": 11, "elites": 10}),
        (ICEM, {"decay": 0.5}),
        (MPPI, {"temperature": 0.0}),
        (RandomShooting, {"horizon": 0}),
        (MPPI, {"std": float("nan")}),
    ],
)
def test_settings_that_cannot_plan_are_refused(kind, wrong):
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        kind(**wrong)


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 40), st.floats(0.0, 4.0))
def test_coloured_noise_keeps_the_variance_of_each_step(length, exponent):
    matrix = colouring(length, exponent)
    np.testing.assert_allclose((matrix @ matrix.T).diagonal(), 1.0, atol=1e-9)


def test_coloured_noise_falls_with_the_frequency_as_its_exponent_says():
    length, exponent = 64, 2.0
    spectrum = np.abs(np.fft.rfft(colouring(length, exponent), axis=0)) ** 2
    power = spectrum.mean(axis=1)[1:-1]
    slope = np.polyfit(np.log(np.arange(1, length // 2)), np.log(power), 1)[0]
    assert slope == pytest.approx(-exponent, abs=1e-6)


def test_noise_is_standard_normal_and_another_in_each_step():
    tape, place, draws = NoiseTape((50, 4)), torch.zeros(1, 1), []
    for _ in range(200):
        drawn, place = tape(place)
        draws.append(drawn)
    together = torch.stack(draws)
    assert float(together.mean()) == pytest.approx(0.0, abs=0.02)
    assert float(together.std()) == pytest.approx(1.0, abs=0.02)
    flat = together.flatten(1)
    correlation = torch.corrcoef(flat) - torch.eye(200)
    assert float(correlation.abs().max()) < 0.4
    assert len({float(d[0, 0]) for d in draws}) == 200


@settings(deadline=None, max_examples=50)
@given(st.floats(-1e6, 1e6))
def test_any_number_is_a_place_on_the_tape(number):
    drawn, following = NoiseTape((3, 2))(torch.tensor([[number]]).double())
    assert torch.isfinite(drawn).all()
    assert 0.0 <= float(following) < 65_537


def test_settings_are_values():
    assert dataclasses.replace(ICEM(), horizon=5) == ICEM(horizon=5)
