"""Adaptation by gradient steps: GrBAL where they are meta-learned, else dynamic evaluation."""

from typing import final

import torch
from torch import Tensor

from sim2real.meta.dynamics import Adapted, Dynamics, Window
from sim2real.meta.maml import MAML, InnerSettings
from sim2real.meta.masked import MaskedError
from sim2real.meta.network import perceptron
from sim2real.meta.scaling import Scaling


@final
class GradientDynamics(Dynamics):
    """A network that takes gradient steps on what the robot has just done.

    With `meta` its weights are learned so that the steps help (GrBAL, Nagabandi et al. 2019),
    without as if there were none (dynamic evaluation, Krause et al. 2018). A step is halved until
    it lowers the error on the window, or left out.
    """

    def __init__(
        self,
        scaling: Scaling,
        hidden: tuple[int, ...],
        activation: str,
        window: int,
        inner: InnerSettings,
        *,
        meta: bool = True,
    ):
        """Make an untrained model."""
        super().__init__(scaling, window)
        self.meta = meta
        body = perceptron((scaling.nin, *hidden, scaling.nchange), activation)
        self.maml = MAML(body, MaskedError(), inner)

    def adapt(self, window: Window) -> Adapted:  # noqa: D102
        with torch.no_grad():
            return Adapted(self.scaling, self.maml.stepped(*self._samples(window)))

    def unadapted(self, ntask: int) -> Adapted:  # noqa: D102
        return Adapted(self.scaling, self.maml.shared(ntask))

    def loss(self, window: Window, query: Window) -> Tensor:  # noqa: D102
        if self.meta:
            return self.maml.query_loss(self._samples(window), self._samples(query))
        model = self.unadapted(len(window.known))
        return 0.5 * (self.error(model, window) + self.error(model, query))

    def _samples(self, window: Window) -> tuple[Tensor, Tensor]:
        inputs = self.scaling.inputs(window.states, window.commands)
        changes = self.scaling.changes(window.states, window.next_states)
        return inputs, MaskedError.join(changes, window.known)
