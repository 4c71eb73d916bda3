"""MAML against a plain loop of autograd, closed forms, and its own promises."""

import itertools

import pytest
import torch
from torch import Tensor, nn

from sim2real.errors import ConfigError, MetaError
from sim2real.meta.low_rank import LowRankWeights, is_mlp
from sim2real.meta.maml import MAML, InnerSettings, mean_squared_error
from sim2real.meta.stacked import StackedWeights

NTASK, K = 3, 4
Data = tuple[Tensor, Tensor]


def mlp(activation: type[nn.Module] = nn.Tanh, width: int = 5) -> nn.Sequential:
    torch.manual_seed(0)
    layers = [nn.Linear(2, width), activation(), nn.Linear(width, width), activation()]
    return nn.Sequential(*layers, nn.Linear(width, 2)).double()


class Residual(nn.Module):
    """No chain of layers: what it takes goes around one of them."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.inner, self.outer = nn.Linear(2, 2).double(), nn.Linear(2, 2).double()

    def forward(self, inputs: Tensor) -> Tensor:
        return self.outer(inputs + torch.tanh(self.inner(inputs)))


def tasks(seed: int, n: int = K) -> Data:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(NTASK, n, 2, generator=generator, dtype=torch.float64)
    return x, torch.randn(NTASK, n, 2, generator=generator, dtype=torch.float64)


def loop(maml: MAML, support: Data, query: Data) -> Tensor:
    """Return the query losses by a loop over tasks, steps and autograd: the slow truth."""
    names = [name for name, _ in maml.model.named_parameters()]
    layers = list(dict.fromkeys(name.rpartition(".")[0] for name in names))
    losses = []
    for x, y, xq, yq in zip(*support, *query, strict=True):
        parameters = dict(maml.model.named_parameters())
        for _ in range(maml.inner.steps):
            error = torch.func.functional_call(maml.model, parameters, (x,)) - y
            gradient = torch.autograd.grad(
                error.square().mean(),
                list(parameters.values()),
                create_graph=not maml.inner.first_order,
            )
            parameters = {
                name: value - maml.log_rates[layers.index(name.rpartition(".")[0])].exp() * g
                for (name, value), g in zip(parameters.items(), gradient, strict=True)
            }
        error = torch.func.functional_call(maml.model, parameters, (xq,)) - yq
        losses.append(error.square().mean())
    return torch.stack(losses)


@pytest.mark.parametrize("model", [mlp(nn.ReLU), mlp(nn.Tanh), mlp(nn.SiLU), Residual()])
@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize("first_order", [False, True])
def test_loss_and_meta_gradient_are_those_of_a_plain_loop(
    model: nn.Module, steps: int, first_order: bool
) -> None:
    inner = InnerSettings(steps=steps, rate=0.3, learn_rates=True, first_order=first_order)
    maml = MAML(model, mean_squared_error, inner).double()
    support, query = tasks(1), tasks(2, n=6)
    parameters = [*maml.model.parameters(), maml.log_rates]
    expected = loop(maml, support, query)
    found = maml.query_loss(support, query)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)
    for one, other in zip(
        torch.autograd.grad(found.sum(), parameters),
        torch.autograd.grad(expected.sum(), parameters),
        strict=True,
    ):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-10)


def test_low_rank_and_stacked_weights_predict_alike() -> None:
    model, (x, y) = mlp(), tasks(3)
    rates = torch.full((NTASK, 3), 0.2, dtype=torch.float64)
    both = LowRankWeights(model), StackedWeights.shared(model, NTASK)
    for _ in range(3):
        gradients = [w.gradient(x, y, mean_squared_error, differentiable=False) for w in both]
        both = tuple(w.minus(g, rates) for w, g in zip(both, gradients, strict=True))  # type: ignore[assignment]
    torch.testing.assert_close(both[0](x), both[1](x), rtol=0, atol=1e-12)


def test_a_step_on_a_linear_model_is_the_one_of_the_formula() -> None:
    model = nn.Sequential(nn.Linear(2, 1)).double()
    maml = MAML(model, mean_squared_error, InnerSettings(rate=0.1, safeguard=False)).double()
    x, y = tasks(4)
    y = y[..., :1]
    linear = model[0]
    assert isinstance(linear, nn.Linear)
    error = x @ linear.weight.T + linear.bias - y
    weight = linear.weight - 0.1 * 2.0 / K * error.mT @ x
    bias = linear.bias - 0.1 * 2.0 / K * error.sum(dim=1, keepdim=True)
    torch.testing.assert_close(maml.adapt(x, y)(x), x @ weight.mT + bias)


@pytest.mark.parametrize("model", [mlp(nn.ReLU), Residual()])
def test_the_safeguard_never_raises_a_support_loss_however_large_the_rate(model: nn.Module) -> None:
    maml = MAML(model, mean_squared_error, InnerSettings(rate=30.0)).double()
    x, y = tasks(5)
    before = mean_squared_error(maml.adapt(x, y, steps=0)(x), y)
    losses = [before, *(mean_squared_error(maml.adapt(x, y, steps=n)(x), y) for n in (1, 5, 20))]
    assert all((after <= first).all() for first, after in itertools.pairwise(losses))
    assert (losses[-1] < before).all()


def test_without_the_safeguard_such_a_rate_diverges() -> None:
    maml = MAML(mlp(nn.ReLU), mean_squared_error, InnerSettings(rate=30.0, safeguard=False))
    x, y = tasks(5)
    diverged = mean_squared_error(maml.double().adapt(x, y, steps=5)(x), y)
    assert not (diverged < 1e3).all()


def test_adapting_leaves_the_shared_weights_as_they_are() -> None:
    maml = MAML(mlp(), mean_squared_error).double()
    before = [parameter.clone() for parameter in maml.parameters()]
    maml.adapt(*tasks(6), steps=3)
    for one, other in zip(before, maml.parameters(), strict=True):
        assert torch.equal(one, other)


def test_it_learns_to_learn_lines() -> None:
    """One step on two points of a line through 0 cannot know its slope; after training it does."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(1, 16), nn.Tanh(), nn.Linear(16, 1))
    maml = MAML(model, mean_squared_error, InnerSettings(rate=0.1, learn_rates=True))
    optimizer = torch.optim.Adam(maml.parameters(), 3e-3)

    def lines(seed: int) -> tuple[Data, Data]:
        generator = torch.Generator().manual_seed(seed)
        slope = 2.0 * torch.rand(32, 1, 1, generator=generator) - 1.0
        x = 2.0 * torch.rand(32, 7, 1, generator=generator) - 1.0
        return (x[:, :2], slope * x[:, :2]), (x[:, 2:], slope * x[:, 2:])

    for step in range(400):
        optimizer.zero_grad()
        maml.query_loss(*lines(step)).mean().backward()
        optimizer.step()
    (x, y), (xq, yq) = lines(-1 % 2**31)
    adapted = mean_squared_error(maml.adapt(x, y)(xq), yq).mean()
    unadapted = mean_squared_error(maml.adapt(x, y, steps=0)(xq), yq).mean()
    assert adapted < 0.2 * unadapted


@pytest.mark.parametrize("model", [Residual(), nn.Sequential(nn.Linear(2, 2, bias=False))])
def test_what_is_no_plain_mlp_is_told_apart(model: nn.Module) -> None:
    assert not is_mlp(model)
    assert is_mlp(mlp())


@pytest.mark.parametrize(
    ("inputs", "targets", "says"),
    [
        (torch.zeros(2, 3), torch.zeros(2, 3, 1), "must be"),
        (torch.zeros(2, 3, 1), torch.zeros(2, 4, 1), "must be"),
        (torch.zeros(2, 0, 1), torch.zeros(2, 0, 1), "at least one"),
        (torch.zeros(2, 3, 1), torch.full((2, 3, 1), torch.nan), "not finite"),
    ],
)
def test_data_that_cannot_be_adapted_to_are_refused(
    inputs: Tensor, targets: Tensor, says: str
) -> None:
    maml = MAML(nn.Sequential(nn.Linear(1, 1)), mean_squared_error)
    with pytest.raises(MetaError, match=says):
        maml.adapt(inputs, targets)


@pytest.mark.parametrize("settings", [{"steps": 0}, {"rate": 0.0}, {"rate": float("nan")}])
def test_settings_that_mean_nothing_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="maml"):
        InnerSettings(**settings)  # type: ignore[arg-type]


def test_a_model_without_parameters_is_refused() -> None:
    with pytest.raises(ConfigError, match="nothing to adapt"):
        MAML(nn.Tanh(), mean_squared_error)


class Exploding(nn.Module):
    """Its gradient is infinite where its prediction is not."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1, dtype=torch.float64))

    def forward(self, inputs: Tensor) -> Tensor:
        return inputs + (self.weight - 1.0).abs().sqrt()


def test_a_task_whose_gradient_is_not_finite_keeps_the_shared_weights() -> None:
    maml = MAML(Exploding(), mean_squared_error, InnerSettings(rate=0.1)).double()
    x = torch.ones(1, 3, 1, dtype=torch.float64)
    adapted = maml.adapt(x, x + 1.0, steps=2)
    assert torch.equal(adapted(x), x)


def test_an_mlp_whose_gradient_is_not_finite_keeps_the_shared_weights() -> None:
    model = mlp(nn.ReLU)
    maml = MAML(model, mean_squared_error, InnerSettings(rate=0.1)).double()
    x, y = tasks(3)
    y[1] *= 1e200  # its squared error is infinite; the others' are not
    adapted = maml.adapt(x, y)
    assert torch.equal(adapted(x)[1], model(x)[1])
    assert (adapted(x)[0] != model(x)[0]).any()
