"""Recorded logs as transitions."""

import numpy as np
import pytest
import torch

from sim2real.errors import MetaError
from sim2real.meta.logs import episodes_of_log
from sim2real.trajectory import Trajectory


def log(time: np.ndarray, command: np.ndarray, **more) -> Trajectory:
    return Trajectory(
        joints=("pivot",),
        driven=("pivot",),
        time=np.round(time * 1e9).astype(np.int64),
        position=np.sin(time)[:, None],
        velocity=np.cos(time)[:, None],
        command=command[:, None],
        **more,
    )


def test_states_are_what_was_measured_at_control_steps() -> None:
    time = np.arange(0.0, 2.0, 0.002)
    data, starts = episodes_of_log(log(time, np.zeros_like(time)), 50.0)
    np.testing.assert_allclose(starts, np.arange(len(starts)) / 50.0)
    expected = torch.from_numpy(np.stack([np.sin(starts), np.cos(starts)], axis=1)).float()
    torch.testing.assert_close(data.states[0], expected)
    assert torch.equal(data.next_states[0, :-1], data.states[0, 1:])
    assert data.good.all()


def test_a_command_counts_for_as_long_as_it_holds() -> None:
    time = np.array([0.0, 0.005, 0.01, 0.02, 0.025, 0.04])
    data, _ = episodes_of_log(log(time, np.array([1.0, 3.0, 5.0, 0.0, 8.0, 9.0])), 50.0)
    # 5 ms of 1, 5 ms of 3, 10 ms of 5; then 5 ms of 0 and 15 ms of 8
    torch.testing.assert_close(data.commands[0, 0, 0], torch.tensor(0.25 + 0.75 + 2.5))


def test_no_window_crosses_a_gap() -> None:
    time = np.arange(0.0, 2.0, 0.01)
    time = time[(time < 0.5) | (time > 0.8)]
    data, starts = episodes_of_log(log(time, np.zeros_like(time)), 50.0)
    inside = (starts > 0.485) & (starts < 0.8)
    assert not data.good[0][torch.from_numpy(inside)].any()
    after = int(np.searchsorted(starts, 0.85))
    window = data.window(torch.tensor([0]), torch.tensor([after]), before=20, after=1)
    known = starts[after - 20 : after + 1][window.known[0].bool().numpy()]
    assert known.min() > 0.8


def test_nothing_is_learned_while_the_drives_are_off() -> None:
    time = np.arange(0.0, 1.0, 0.01)
    data, starts = episodes_of_log(log(time, np.zeros_like(time), enabled=time < 0.5), 50.0)
    assert data.good[0].tolist() == [start < 0.499 for start in starts]


def test_a_log_slower_than_the_model_is_refused() -> None:
    time = np.arange(0.0, 1.0, 0.05)
    with pytest.raises(MetaError, match="train a slower model"):
        episodes_of_log(log(time, np.zeros_like(time)), 50.0)
