"""The error of predictions against how far they look ahead."""

from dataclasses import dataclass

import torch
from torch import Tensor

from sim2real.meta.dynamics import Adapted, Dynamics, Window
from sim2real.meta.episodes import Episodes
from sim2real.meta.state import StateSpace

_AT_ONCE = 250


@dataclass(frozen=True, kw_only=True)
class HorizonError:
    """Root mean squared errors of open-loop predictions, 1, 2, ... steps ahead."""

    seconds: tuple[float, ...]
    """How far ahead, (horizon,)."""
    adapted: tuple[float, ...]
    """In standard deviations of each quantity in the data, (horizon,)."""
    unadapted: tuple[float, ...]
    stands_still: tuple[float, ...]
    """Of the prediction that nothing changes."""
    one_step: tuple[float, float]
    """Mean squared error of standardized changes over the whole horizon, each predicted from the
    true state before it: adapted, unadapted."""


@torch.no_grad()
def horizon_error(
    dynamics: Dynamics,
    episodes: Episodes,
    control_hz: float,
    *,
    horizon: int = 20,
    count: int = 1000,
    seed: int = 0,
) -> HorizonError:
    """Return the errors on windows of episodes that were not learned from.

    Predictions start from the measured state after a window and are fed back. A position that
    nothing depends on is left out.
    """
    generator = torch.Generator().manual_seed(seed)
    robots, steps = episodes.draw(count, generator)
    sums, weight, one_step = torch.zeros(3, horizon), torch.zeros(horizon), torch.zeros(2)
    space = dynamics.scaling.space
    columns = [i for i in range(space.nchange) if i not in space.unseen]
    scale = _spread(episodes, space)[columns]
    total = 0
    for rows in torch.arange(count).split(_AT_ONCE):
        both = episodes.window(robots[rows], steps[rows], dynamics.window, horizon)
        past, query = both[slice(None, dynamics.window)], both[slice(dynamics.window, None)]
        models = dynamics.adapt(past), dynamics.unadapted(len(rows))
        known = query.known.cumprod(dim=1)  # nothing is predicted beyond an end
        rolled = [_rollout(model, query.states[:, 0], query.commands) for model in models]
        still = query.states[:, :1].expand_as(query.next_states)
        for i, states in enumerate([*rolled, still]):
            wrong = space.change(query.next_states, states)[..., columns]
            sums[i] += ((wrong / scale).square().mean(dim=-1) * known).sum(dim=0)
        weight += known.sum(dim=0)
        one_step += torch.stack([step_errors(model, query).sum() for model in models])
        total += len(rows)
    errors = (sums / weight.clamp_min(1.0)).sqrt().tolist()
    ahead = tuple((i + 1) / control_hz for i in range(horizon))
    return HorizonError(
        seconds=ahead,
        adapted=tuple(errors[0]),
        unadapted=tuple(errors[1]),
        stands_still=tuple(errors[2]),
        one_step=(float(one_step[0]) / total, float(one_step[1]) / total),
    )


def step_errors(model: Adapted, query: Window) -> Tensor:
    """Return the mean squared error (ntask,) of standardized changes, each from its true state."""
    predicted = model.mean(query.states, query.commands)
    changes = [model.scaling.changes(query.states, s) for s in (predicted, query.next_states)]
    wrong = (changes[0] - changes[1]).square().mean(dim=-1)
    return (wrong * query.known).sum(dim=1) / query.known.sum(dim=1).clamp_min(1.0)


def _spread(episodes: Episodes, space: StateSpace) -> Tensor:
    """Return how far states are from the first of their robot, as a standard deviation."""
    away = space.change(episodes.states[:, :1].expand_as(episodes.states), episodes.states)
    return away[episodes.good].std(dim=0).clamp_min(1e-6)


def _rollout(model: Adapted, state: Tensor, commands: Tensor) -> Tensor:
    """Return the states (ntask, n, nstate) that follow under commands (ntask, n, ncommand)."""
    states, now = [], state[:, None]
    for command in commands.unbind(dim=1):
        now = model.mean(now, command[:, None])
        states.append(now[:, 0])
    return torch.stack(states, dim=1)
