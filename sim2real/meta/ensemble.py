"""Several dynamics models, trained on different draws of the robots (PETS, Chua et al. 2018)."""

from collections.abc import Sequence
from typing import final

import torch
from torch import nn

from sim2real.errors import ConfigError
from sim2real.meta.dynamics import Adapted, Dynamics, Network, Window


@final
class Ensemble(Dynamics):
    """Members that adapt each for itself: where they disagree, nobody knows."""

    def __init__(self, members: Sequence[Dynamics]):
        """Take models with one and the same scaling.

        Raises:
            ConfigError: there is none, or their scalings or windows differ.
        """
        if not members:
            raise ConfigError("an ensemble needs at least one member")
        first = members[0]
        if any(m.scaling is not first.scaling or m.window != first.window for m in members):
            raise ConfigError("an ensemble's members share one scaling, and windows of one length")
        super().__init__(first.scaling, first.window)
        self._models = nn.ModuleList(members)
        self.members = len(members)

    @property
    def models(self) -> list[Dynamics]:
        """The members."""
        return [model for model in self._models if isinstance(model, Dynamics)]

    def adapt(self, window: Window) -> Adapted:  # noqa: D102
        return self._together([model.adapt(window) for model in self.models])

    def unadapted(self, ntask: int) -> Adapted:  # noqa: D102
        return self._together([model.unadapted(ntask) for model in self.models])

    def _together(self, adapted: list[Adapted]) -> Adapted:
        def shared(networks: list[Network]) -> Network:
            return lambda inputs: torch.cat(
                [
                    network(share)
                    for network, share in zip(
                        networks, inputs.chunk(self.members, dim=1), strict=True
                    )
                ],
                dim=1,
            )

        spreads = [one.uncertainty for one in adapted if one.uncertainty is not None]
        return Adapted(
            self.scaling,
            shared([one.network for one in adapted]),
            self.members,
            shared(spreads) if len(spreads) == self.members else None,
        )
