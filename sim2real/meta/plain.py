"""A dynamics model that does not adapt: what the others are compared with."""

from typing import final

from torch import Tensor

from sim2real.meta.dynamics import Adapted, Dynamics, Window
from sim2real.meta.network import perceptron
from sim2real.meta.scaling import Scaling


@final
class PlainDynamics(Dynamics):
    """One network for all robots (Nagabandi et al. 2018, model-based baseline)."""

    def __init__(self, scaling: Scaling, hidden: tuple[int, ...], activation: str, window: int):
        """Make an untrained model; it learns from windows, and makes no other use of them."""
        super().__init__(scaling, window)
        self.body = perceptron((scaling.nin, *hidden, scaling.nchange), activation)

    def adapt(self, window: Window) -> Adapted:  # noqa: D102
        return self.unadapted(len(window.known))

    def unadapted(self, ntask: int) -> Adapted:  # noqa: D102
        return Adapted(self.scaling, self.body)

    def loss(self, window: Window, query: Window) -> Tensor:  # noqa: D102
        model = self.unadapted(len(window.known))
        return 0.5 * (self.error(model, window) + self.error(model, query))
