"""How strongly drives act is told by a second of motion, of drives that were never weak before."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from sim2real.deploy.controller import open_session
from sim2real.meta.drive_gains import DriveGains
from sim2real.meta.last_layer import LastLayerDynamics
from sim2real.meta.scaling import Scaling
from sim2real.meta.state import StateSpace

SPACE = StateSpace.plain(njoint=2, ncommand=2)
SERVOS = StateSpace(njoint=2, ncommand=2, angles=(1,), servos=((0, 0), (1, 1)))
STATES, COMMANDS = 4, 2


def scaled(space: StateSpace) -> Scaling:
    """Return scales that are neither 1 nor around 0."""
    generator = torch.Generator().manual_seed(0)
    states = 1.0 + 0.3 * torch.randn(200, STATES, generator=generator)
    commands = 0.5 + 2.0 * torch.randn(200, COMMANDS, generator=generator)
    scaling = Scaling(space)
    scaling.fit(states, commands, states + 0.1 * torch.randn(200, STATES, generator=generator))
    return scaling


def sample(scaling: Scaling, n: int) -> Tensor:
    """Return standardized inputs (1, n, nin)."""
    generator = torch.Generator().manual_seed(1)
    states = 1.0 + 0.3 * torch.randn(1, n, STATES, generator=generator)
    commands = 0.5 + 2.0 * torch.randn(1, n, COMMANDS, generator=generator)
    return scaling.inputs(states, commands)


def network(inputs: Tensor) -> Tensor:
    """Return changes that are linear in commands, more so in some states than in others."""
    state, command = inputs[..., :STATES], inputs[..., -COMMANDS:]
    push = torch.stack([command[..., 0] * (1.0 + state[..., 0]), command[..., 1]], dim=-1)
    return torch.cat([state.square()[..., :2], push + 0.2 * push.flip(-1)], dim=-1)


def found(scaling: Scaling, gains: Tensor, known: float = 1.0) -> Tensor:
    drives, inputs = DriveGains(scaling, strength=1e-3), sample(scaling, 64)
    changes = network(drives.given(inputs, gains[None]))
    return drives.solve(network, inputs, changes, known * torch.ones(1, 64, 1))[0]


def test_a_dead_and_a_weak_drive_are_told_from_what_follows() -> None:
    gains = torch.tensor([0.0, 0.6])
    torch.testing.assert_close(found(scaled(SPACE), gains), gains, atol=1e-3, rtol=0.0)


def test_a_servo_that_is_weak_is_told_from_where_it_was_sent() -> None:
    gains = torch.tensor([0.3, 1.2])
    torch.testing.assert_close(found(scaled(SERVOS), gains), gains, atol=1e-3, rtol=0.0)


def test_drives_of_which_nothing_is_known_act_as_in_the_model() -> None:
    torch.testing.assert_close(found(scaled(SPACE), torch.zeros(2), known=0.0), torch.ones(2))


def test_a_dead_servo_is_one_that_is_sent_where_it_is() -> None:
    scaling = scaled(SERVOS)
    states, commands = torch.tensor([[[0.4, 2.5, 0.0, 0.0]]]), torch.tensor([[[1.0, -1.0]]])
    inputs = DriveGains(scaling).given(scaling.inputs(states, commands), torch.zeros(1, 2))
    torch.testing.assert_close(inputs, scaling.inputs(states, states[..., :2]))


class Adapting(nn.Module):
    """A model that adapts to a memory, as one graph."""

    def __init__(self, dynamics: LastLayerDynamics):
        super().__init__()
        self.dynamics = dynamics

    def forward(self, states: Tensor, commands: Tensor, *memory: Tensor) -> Tensor:
        names = self.dynamics.memory_sizes
        return self.dynamics.adapted(dict(zip(names, memory, strict=True)))(states, commands)


@pytest.mark.filterwarnings("ignore::FutureWarning")  # the exporter's own deprecations
def test_a_graph_solves_for_the_drives_as_torch_does() -> None:
    torch.manual_seed(0)
    model = LastLayerDynamics(scaled(SERVOS), (8,), "tanh", window=12, drives=True)
    model.double().eval()
    memory = model.start(1)
    for _ in range(12):
        state, command = torch.rand(1, STATES).double(), torch.rand(1, COMMANDS).double()
        memory = model.observe(memory, state, command, state + 0.05 * torch.rand(1, STATES))
    states, commands = torch.rand(1, 5, STATES).double(), torch.rand(1, 5, COMMANDS).double()
    inputs, graph = (states, commands, *memory.values()), Adapting(model).eval()
    names = ["from", "under", *memory]
    program = torch.onnx.export(graph, inputs, input_names=names, dynamo=True, verbose=False)
    assert program is not None
    session = open_session(Path("graph.onnx"), program.model_proto.SerializeToString())
    feed = {name: value.numpy() for name, value in zip(names, inputs, strict=True)}
    said = torch.from_numpy(session.run(None, feed)[0])
    torch.testing.assert_close(said, graph(*inputs).detach(), atol=1e-5, rtol=0.0)
    assert not torch.allclose(said, model.unadapted(1)(states, commands).detach(), atol=1e-4)
