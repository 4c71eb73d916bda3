"""From settings to an untrained dynamics model."""

from collections.abc import Callable

import torch

from sim2real.meta.context import ContextDynamics, HistoryEncoder, RecurrentEncoder
from sim2real.meta.dynamics import Dynamics
from sim2real.meta.ensemble import Ensemble
from sim2real.meta.gaussian import GaussianDynamics
from sim2real.meta.gradient import GradientDynamics
from sim2real.meta.job import AdaptationSettings, DynamicsSettings
from sim2real.meta.last_layer import LastLayerDynamics
from sim2real.meta.plain import PlainDynamics
from sim2real.meta.scaling import Scaling

_BACKWARD = 0.5  # what the reference implementation of CaDM weighs the backward prediction with


def build(
    scaling: Scaling, dynamics: DynamicsSettings, adaptation: AdaptationSettings, *, seed: int
) -> Dynamics:
    """Return an untrained model; the same seed gives the same weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        members = [_member(scaling, dynamics, adaptation) for _ in range(dynamics.members)]
    return members[0] if len(members) == 1 else Ensemble(members)


def _member(
    scaling: Scaling, dynamics: DynamicsSettings, adaptation: AdaptationSettings
) -> Dynamics:
    shape = (scaling, dynamics.hidden, dynamics.activation, adaptation.window)
    size, ncontext = scaling.nin + scaling.nchange, adaptation.context

    def gradient(*, meta: bool) -> Dynamics:
        return GradientDynamics(*shape, adaptation.inner, meta=meta)

    def history() -> Dynamics:
        encoder = HistoryEncoder(size, adaptation.window, ncontext, dynamics.hidden[0])
        return ContextDynamics(*shape, encoder, ncontext, backward=_BACKWARD)

    methods: dict[str, Callable[[], Dynamics]] = {
        "none": lambda: PlainDynamics(*shape),
        "none_gaussian": lambda: GaussianDynamics(*shape),
        "fine_tune": lambda: gradient(meta=False),
        "gradient": lambda: gradient(meta=True),
        "last_layer": lambda: LastLayerDynamics(*shape, strength=adaptation.strength),
        "drives": lambda: LastLayerDynamics(*shape, strength=adaptation.strength, drives=True),
        "recurrent": lambda: ContextDynamics(*shape, RecurrentEncoder(size, ncontext), ncontext),
        "history": history,
    }
    return methods[adaptation.method]()
