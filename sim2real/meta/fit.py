"""Training of a dynamics model on episodes of many robots."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch

from sim2real.errors import ConfigError
from sim2real.meta.dynamics import Dynamics, Window
from sim2real.meta.episodes import Episodes

Progress = Callable[[int, float], None]
"""Told the step and its loss."""


@dataclass(frozen=True, kw_only=True)
class FitSettings:
    """How a dynamics model is trained."""

    steps: int = 6000
    tasks: int = 10
    """Windows in a step."""
    query: int = 16
    """Transitions after each window, whose prediction is the loss."""
    learning_rate: float = 1e-3
    """At the start; it falls to nothing by a cosine."""
    clip: float = 10.0
    """Norm of a step's gradient at most: one window in which a robot is thrown about must not
    undo the training."""
    shortened: float = 0.25
    """Share of the windows that begin later, as that of a robot which has just been started."""

    def __post_init__(self) -> None:
        for name in ("steps", "tasks", "query", "learning_rate", "clip"):
            if not 0 < getattr(self, name) < math.inf:
                raise ConfigError(f"fit: {name} = {getattr(self, name)} must be above 0")
        if not 0.0 <= self.shortened <= 1.0:
            raise ConfigError(f"fit: shortened = {self.shortened} must be in [0, 1]")


def fit(
    dynamics: Dynamics,
    episodes: Episodes,
    settings: FitSettings,
    *,
    seed: int,
    on_progress: Progress | None = None,
) -> None:
    """Train a model whose scaling is fitted already."""
    generator = torch.Generator().manual_seed(seed)
    parameters = [p for p in dynamics.parameters() if p.requires_grad]
    optimizer = torch.optim.Adam(parameters, settings.learning_rate)
    decay = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, settings.steps)
    for step in range(settings.steps):
        window, query = draw(episodes, dynamics.window, settings, generator)
        loss = dynamics.loss(window, query).mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, settings.clip)
        optimizer.step()
        decay.step()
        if on_progress is not None:
            on_progress(step, float(loss.detach()))


def draw(
    episodes: Episodes, window: int, settings: FitSettings, generator: torch.Generator
) -> tuple[Window, Window]:
    """Return windows and what follows each; some begin later than others."""
    robots, steps = episodes.draw(settings.tasks, generator)
    both = episodes.window(robots, steps, window, settings.query)
    past, query = both[slice(None, window)], both[slice(window, None)]
    begin = torch.randint(window + 1, (settings.tasks, 1), generator=generator)
    short = torch.rand(settings.tasks, 1, generator=generator) < settings.shortened
    kept = (torch.arange(window) >= begin) | ~short
    return Window(past.states, past.commands, past.next_states, past.known * kept), query


def fit_scaling(dynamics: Dynamics, episodes: Episodes) -> None:
    """Take the scales of a model's inputs and outputs from all good transitions."""
    good = episodes.good
    dynamics.scaling.fit(episodes.states[good], episodes.commands[good], episodes.next_states[good])
