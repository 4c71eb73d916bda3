"""Every dynamics model: learns, adapts to a robot it has not met, and never gets worse by it."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from sim2real.meta.context import ContextDynamics, HistoryEncoder, RecurrentEncoder
from sim2real.meta.dynamics import Dynamics, Window
from sim2real.meta.episodes import Episodes
from sim2real.meta.fit import FitSettings, fit
from sim2real.meta.gaussian import GaussianDynamics
from sim2real.meta.gradient import GradientDynamics
from sim2real.meta.last_layer import LastLayerDynamics
from sim2real.meta.maml import InnerSettings
from sim2real.meta.plain import PlainDynamics
from sim2real.meta.scaling import Scaling
from sim2real.meta.state import StateSpace

HIDDEN, M = (32, 32), 16
SPACE = StateSpace.plain(njoint=1, ncommand=1)
STEP = 0.1


def moved(states: Tensor, commands: Tensor, gain: Tensor) -> Tensor:
    """Return the states after a step of q'' = gain u − q, by semi-implicit Euler."""
    q, v = states[..., :1], states[..., 1:]
    v = v + STEP * (gain * commands - q)
    return torch.cat([q + STEP * v, v], dim=-1)


def episodes(gains: Tensor, steps: int, seed: int) -> Episodes:
    """Return what masses of these gains (n,) do under random forces."""
    generator = torch.Generator().manual_seed(seed)
    n, gain = len(gains), gains[:, None]
    state = torch.randn(n, 2, generator=generator)
    states, commands, after = [], [], []
    for _ in range(steps):
        command = torch.randn(n, 1, generator=generator)
        states.append(state)
        commands.append(command)
        state = moved(state, command, gain)
        after.append(state)
    return Episodes(
        states=torch.stack(states, dim=1),
        commands=torch.stack(commands, dim=1),
        next_states=torch.stack(after, dim=1),
        good=torch.ones(n, steps, dtype=torch.bool),
        episode=torch.zeros(n, steps, dtype=torch.int64),
    )


def scaling(data: Episodes) -> Scaling:
    """Return scales of all transitions."""
    scale = Scaling(SPACE)
    scale.fit(
        data.states.flatten(0, 1), data.commands.flatten(0, 1), data.next_states.flatten(0, 1)
    )
    return scale


DATA = episodes(torch.linspace(-1.0, 1.0, 40), steps=60, seed=0)
GAINS = torch.tensor([0.85, -0.85, 0.6, -0.6])
TEST = episodes(GAINS, steps=M + 16, seed=1)


def gradient(scaling: Scaling) -> Dynamics:
    inner = InnerSettings(rate=0.1, learn_rates=True)
    return GradientDynamics(scaling, HIDDEN, "silu", M, inner)


def recurrent(scaling: Scaling) -> Dynamics:
    encoder = RecurrentEncoder(scaling.nin + scaling.nchange, 8)
    return ContextDynamics(scaling, HIDDEN, "silu", M, encoder, 8)


def history(scaling: Scaling) -> Dynamics:
    encoder = HistoryEncoder(scaling.nin + scaling.nchange, M, 4, 32)
    return ContextDynamics(scaling, HIDDEN, "silu", M, encoder, 4, backward=0.5)


MODELS: dict[str, Callable[[Scaling], Dynamics]] = {
    "plain": lambda scaling: PlainDynamics(scaling, HIDDEN, "silu", M),
    "gradient": gradient,
    "gaussian": lambda scaling: GaussianDynamics(scaling, HIDDEN, "silu", M),
    "last_layer": lambda scaling: LastLayerDynamics(scaling, HIDDEN, "silu", M),
    "drives": lambda scaling: LastLayerDynamics(scaling, HIDDEN, "silu", M, drives=True),
    "recurrent": recurrent,
    "history": history,
}
ADAPTIVE = [name for name in MODELS if name not in ("plain", "gaussian")]


@pytest.fixture(scope="module")
def trained() -> dict[str, Dynamics]:
    found = {}
    for name, make in MODELS.items():
        torch.manual_seed(0)
        model = make(scaling(DATA))
        fit(model, DATA, FitSettings(steps=600, tasks=16, learning_rate=1e-2), seed=0)
        found[name] = model.eval()
    return found


def windows() -> tuple[Window, Window]:
    robot, step = torch.arange(len(TEST.good)), torch.full((len(TEST.good),), M)
    both = TEST.window(robot, step, M, 16)
    return both[slice(None, M)], both[slice(M, None)]


def step(window: Window, i: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return the first robot's transition number i."""
    return window.states[:1, i], window.commands[:1, i], window.next_states[:1, i]


def nowhere(window: Window) -> Window:
    return Window(window.states, window.commands, window.next_states, 0.0 * window.known)


@pytest.mark.parametrize("name", ADAPTIVE)
def test_adapting_halves_the_error_on_robots_that_were_not_met(trained, name: str) -> None:
    model, (window, query) = trained[name], windows()
    before = model.error(model.unadapted(4), query).mean()
    assert model.error(model.adapt(window), query).mean() < 0.5 * before


@pytest.mark.parametrize("name", MODELS)
def test_nothing_seen_is_nothing_adapted(trained, name: str) -> None:
    model, (window, query) = trained[name], windows()
    states, commands = query.states, query.commands
    found = model.adapt(nowhere(window))(states, commands)
    torch.testing.assert_close(found, model.unadapted(4)(states, commands))


@pytest.mark.parametrize("name", MODELS)
def test_memory_of_the_past_is_the_window(trained, name: str) -> None:
    model, (window, query) = trained[name], windows()
    memory = model.start(4)
    assert {key: value.shape[1] for key, value in memory.items()} == model.memory_sizes
    for i in range(M):
        memory = model.observe(
            memory, window.states[:, i], window.commands[:, i], window.next_states[:, i]
        )
    found = model.adapted(memory)(query.states, query.commands)
    torch.testing.assert_close(found, model.adapt(window)(query.states, query.commands))


@pytest.mark.parametrize("name", MODELS)
def test_what_is_not_finite_is_as_if_it_had_not_been_seen(trained, name: str) -> None:
    model, (window, query) = trained[name], windows()
    memory = model.start(4)
    broken = torch.full((4, 2), torch.nan)
    memory = model.observe(memory, broken, window.commands[:, 0], window.next_states[:, 0])
    found = model.adapted(memory)(query.states, query.commands)
    torch.testing.assert_close(found, model.unadapted(4)(query.states, query.commands))


def test_a_change_larger_than_any_in_training_is_a_glitch(trained) -> None:
    model, (window, _) = trained["last_layer"], windows()
    state, command, after = step(window, 0)
    memory = model.observe(model.start(1), state, command, after)
    assert memory["known"][0, -1] == 1.0
    memory = model.observe(model.start(1), state, command, after + torch.tensor([0.0, 50.0]))
    assert memory["known"][0, -1] == 0.0


@pytest.mark.parametrize("name", ADAPTIVE)
def test_adapting_to_noise_does_not_raise_the_error_on_what_follows(trained, name: str) -> None:
    """Next states that belong to other transitions tell nothing."""
    model, (window, query) = trained[name], windows()
    mixed = window.next_states[:, torch.randperm(M, generator=torch.Generator().manual_seed(0))]
    told = Window(window.states, window.commands, mixed, window.known)
    before = model.error(model.unadapted(4), window).mean()
    after = model.error(model.adapt(told), told).mean()
    assert after <= model.error(model.unadapted(4), told).mean() + 1e-6
    assert torch.isfinite(model.error(model.adapt(told), query)).all()
    assert torch.isfinite(before)


@pytest.mark.filterwarnings("ignore:The tensor attributes")  # of nn.LSTM, which keeps two lists
@pytest.mark.parametrize("name", MODELS)
def test_it_can_be_traced_and_answers_the_same(trained, name: str) -> None:
    class Step(torch.nn.Module):
        def __init__(self, model: Dynamics):
            super().__init__()
            self.model = model

        def forward(self, memory, state, command, after, states, commands):
            memory = self.model.observe(memory, state, command, after)
            return self.model.adapted(memory)(states, commands), memory

    model, (window, query) = trained[name], windows()
    memory = model.start(1)
    for i in range(M - 1):
        memory = model.observe(memory, *step(window, i))
    one = (memory, *step(window, M - 1), query.states[:1], query.commands[:1])
    with torch.no_grad():
        graph = torch.export.export(Step(model), one, strict=False).module()
        expected, found = Step(model)(*one)[0], graph(*one)[0]
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_a_prediction_stays_within_reach_of_what_was_seen_in_training(trained) -> None:
    model = trained["plain"]
    far = torch.full((1, 1, 2), 1e6)
    predicted = model.unadapted(1)(far, torch.full((1, 1, 1), 1e6))
    largest = (DATA.next_states - DATA.states).abs().amax(dim=(0, 1))
    assert ((predicted - far).abs() <= 2.0 * largest + 1.0).all()


@pytest.mark.parametrize("name", ["gaussian", "last_layer"])
def test_what_it_says_of_its_errors_is_about_their_size(trained, name: str) -> None:
    model, (window, query) = trained[name], windows()
    adapted = model.adapt(window)
    inputs = model.scaling.inputs(query.states, query.commands)
    assert adapted.uncertainty is not None
    wrong = adapted.network(inputs) - model.scaling.changes(query.states, query.next_states)
    ratio = (wrong / adapted.uncertainty(inputs)).square().mean().sqrt()
    assert 0.05 < ratio < 2.0


def test_a_last_layer_is_less_sure_of_what_it_has_not_seen(trained) -> None:
    model, (window, query) = trained["last_layer"], windows()
    uncertainty = model.adapt(window).uncertainty
    near = uncertainty(model.scaling.inputs(query.states, query.commands)).mean()
    far = uncertainty(model.scaling.inputs(10.0 + query.states, query.commands)).mean()
    assert far > 1.5 * near


def test_samples_scatter_as_the_model_says(trained) -> None:
    model = trained["gaussian"].unadapted(1)
    state, command = torch.zeros(1, 4000, 2), torch.zeros(1, 4000, 1)
    normal = torch.randn(1, 4000, 2, generator=torch.Generator().manual_seed(0))
    found = model.scaling.changes(state, model.sampled(state, command, normal))
    said = model.uncertainty(model.scaling.inputs(state[:, :1], command[:, :1]))[0, 0]
    torch.testing.assert_close(found[0].std(dim=0), said, rtol=0.05, atol=0.0)


def test_a_drive_that_fails_within_the_window_is_believed_the_sooner_the_more_is_forgotten(
    trained,
) -> None:
    model, (window, query) = trained["last_layer"], windows()
    half = M // 2
    before = moved(window.states, window.commands, -GAINS[:, None, None])
    after = torch.cat([before[:, :half], window.next_states[:, half:]], dim=1)
    failed = Window(window.states, window.commands, after, window.known)
    errors = {}
    kept = model.log_forgetting.data.clone()
    for rate in (1e-4, 0.5):
        model.log_forgetting.data.fill_(math.log(rate))
        errors[rate] = float(model.error(model.adapt(failed), query).detach().mean())
    model.log_forgetting.data.copy_(kept)
    assert errors[0.5] < 0.5 * errors[1e-4]


@pytest.mark.parametrize("name", MODELS)
def test_many_robots_at_once_are_each_adapted_to(trained, name: str) -> None:
    """What plans for many robots maps a model over them."""
    model, (window, query) = trained[name], windows()
    asked = query.states[:, None, :3], query.commands[:, None, :3]

    def predicted(states, commands, next_states, known, state, command):
        found = model.adapt(Window(states[None], commands[None], next_states[None], known[None]))
        return found(state, command)

    with torch.no_grad():
        together = torch.vmap(predicted)(*vars(window).values(), *asked)
        alone = model.adapt(window)(asked[0][:, 0], asked[1][:, 0])
    torch.testing.assert_close(together[:, 0], alone, rtol=1e-4, atol=1e-5)


def test_the_recurrent_encoder_is_an_lstm() -> None:
    encoder, transitions = RecurrentEncoder(3, 4), torch.randn(2, 7, 3)
    seen = torch.cat([transitions, torch.ones(2, 7, 1)], dim=-1)
    expected = encoder.lstm(seen)[0][:, -1]
    torch.testing.assert_close(encoder(transitions, torch.ones(2, 7)), expected)
