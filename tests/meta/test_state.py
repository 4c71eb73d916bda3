"""States of a model: what it sees of them, and how they change."""

import math
import warnings

import onnxruntime
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from sim2real.meta.state import StateSpace

FLOATING = StateSpace(njoint=3, ncommand=2, unseen=(0,), angles=(2,), has_base=True)
RUNNER = StateSpace(njoint=3, ncommand=2, unseen=(0,), angles=(2,))


def states(space: StateSpace, seed: int, n: int = 5) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    values = torch.randn(n, space.nstate, generator=generator, dtype=torch.float64)
    if space.has_base:
        quaternion = values[:, 6:10]
        values[:, 6:10] = quaternion / torch.linalg.vector_norm(quaternion, dim=1, keepdim=True)
    return values


@settings(deadline=None)
@given(seed=st.integers(0, 2**31))
def test_a_state_moved_by_the_change_between_two_is_the_second(seed: int) -> None:
    before, after = states(FLOATING, seed), states(FLOATING, seed + 1)
    reached = FLOATING.moved(before, FLOATING.change(before, after))
    # the same but for the sign of the quaternion
    torch.testing.assert_close(FLOATING.change(after, reached), torch.zeros(5, 12).double())


class Change(nn.Module):
    """How a floating base's state changed, and the state that it leads to."""

    def forward(self, before: torch.Tensor, after: torch.Tensor) -> tuple[torch.Tensor, ...]:
        change = FLOATING.change(before, after)
        return change, FLOATING.moved(before, change)


def test_onnx_runtime_has_all_that_a_floating_base_needs_in_float64() -> None:
    two = states(FLOATING, 0, n=64), states(FLOATING, 1, n=64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own deprecations
        program = torch.onnx.export(Change().eval(), two, dynamo=True, verbose=False)
    assert program is not None
    session = onnxruntime.InferenceSession(program.model_proto.SerializeToString())
    names = [node.name for node in session.get_inputs()]
    got = session.run(None, {name: x.numpy() for name, x in zip(names, two, strict=True)})
    for here, there in zip(Change()(*two), got, strict=True):
        # torch's exporter rounds Python's numbers, 2π here, to float32
        torch.testing.assert_close(torch.from_numpy(there), here, rtol=0.0, atol=1e-6)


@given(angle=st.floats(-math.pi, math.pi))
def test_a_turn_by_any_angle_is_exact_in_float64(angle: float) -> None:
    before, after = states(FLOATING, 0, n=1), states(FLOATING, 0, n=1)
    before[:, 6:10] = torch.tensor([1.0, 0.0, 0.0, 0.0])
    half = torch.tensor([math.cos(angle / 2), 0.0, 0.0, math.sin(angle / 2)], dtype=before.dtype)
    after[:, 6:10] = half
    turn = FLOATING.change(before, after)[0, 8].item()
    assert abs(math.remainder(turn - angle, 2.0 * math.pi)) < 1e-11


def test_sizes_are_those_of_the_arrays() -> None:
    for space in (FLOATING, RUNNER):
        state = states(space, 0)
        assert space.features(state).shape == (5, space.nfeature)
        assert space.change(state, state).shape == (5, space.nchange)


def test_a_model_sees_neither_how_far_a_runner_has_come_nor_which_turn_it_is_in() -> None:
    state = states(RUNNER, 0)
    elsewhere = state + torch.tensor([7.0, 0.0, 4.0 * math.pi, 0.0, 0.0, 0.0], dtype=state.dtype)
    torch.testing.assert_close(RUNNER.features(elsewhere), RUNNER.features(state))


def test_an_angle_changes_the_shorter_way_round() -> None:
    before, after = torch.zeros(2, 6), torch.zeros(2, 6)
    before[:, 2] = torch.tensor([3.1, -3.1])
    after[:, 2] = torch.tensor([-3.1, 3.1])
    wanted = torch.tensor([2.0 * math.pi - 6.2, 6.2 - 2.0 * math.pi])
    torch.testing.assert_close(RUNNER.change(before, after)[:, 2], wanted)


def test_a_turn_of_the_base_is_its_angular_velocity_times_the_time() -> None:
    before, after = states(FLOATING, 0, n=1), states(FLOATING, 0, n=1)
    before[:, 6:10] = torch.tensor([1.0, 0.0, 0.0, 0.0])
    after[:, 6:10] = torch.tensor([math.cos(0.05), 0.0, math.sin(0.05), 0.0])  # 0.1 rad about y
    turn = FLOATING.change(before, after)[0, 6:9]
    torch.testing.assert_close(turn, torch.tensor([0.0, 0.1, 0.0]).double())
