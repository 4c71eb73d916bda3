"""Windows of what robots did."""

import pytest
import torch

from sim2real.errors import MetaError
from sim2real.meta.episodes import Episodes


def counted(n: int = 2, t: int = 10) -> Episodes:
    """Return episodes whose states are their steps; the second begins at step 4."""
    steps = torch.arange(float(t))[None, :, None].expand(n, -1, 1)
    return Episodes(
        states=steps,
        commands=steps,
        next_states=steps + 1.0,
        good=torch.ones(n, t, dtype=torch.bool),
        episode=(torch.arange(t) >= 4).long().expand(n, -1),
    )


def test_a_window_holds_the_steps_around_its_own() -> None:
    window = counted().window(torch.tensor([0]), torch.tensor([7]), before=2, after=3)
    assert window.states[0, :, 0].tolist() == [5.0, 6.0, 7.0, 8.0, 9.0]
    assert window.known[0].tolist() == [1.0] * 5


def test_a_window_knows_nothing_of_another_episode_nor_beyond_the_recording() -> None:
    data = counted()
    begins = data.window(torch.tensor([0]), torch.tensor([4]), before=3, after=2)
    assert begins.known[0].tolist() == [0.0, 0.0, 0.0, 1.0, 1.0]
    ends = data.window(torch.tensor([0]), torch.tensor([8]), before=1, after=4)
    assert ends.known[0].tolist() == [1.0, 1.0, 1.0, 0.0, 0.0]


def test_what_diverged_is_unknown_and_never_drawn() -> None:
    data = counted()
    data.good[:, 6] = False
    window = data.window(torch.tensor([1]), torch.tensor([7]), before=2, after=1)
    assert window.known[0].tolist() == [1.0, 0.0, 1.0]
    _, steps = data.draw(200, torch.Generator().manual_seed(0))
    assert set(steps.tolist()) == set(range(10)) - {6}


def test_where_everything_diverged_there_is_nothing_to_draw() -> None:
    data = counted()
    data.good[:] = False
    with pytest.raises(MetaError, match="every simulation diverged"):
        data.draw(1, torch.Generator())
