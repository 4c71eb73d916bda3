"""A step of second-order MAML on a dynamics model: ours beside what others do, in one run.

    python benchmarks/adaptation/meta_gradient.py [--quick]

An MLP of 3 × 512 from 26 to 20 numbers, 32 tasks with 16 points to adapt to and 16 to predict, Adam
included, one thread. The loop is autograd's, as learn2learn's; torchopt and higher are left out
where they are not installed (`pip install torchopt==0.7.3 higher==0.2.1`). Writes
results/meta_gradient.json.
"""

import argparse
import importlib.util
import itertools
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.func import functional_call

from sim2real.meta.maml import MAML, InnerSettings, mean_squared_error
from sim2real.meta.stacked import StackedWeights

sys.path.insert(0, str(Path(__file__).parents[1]))
import _result

NTASK, K, NIN, NOUT, WIDTH, RATE = 32, 16, 26, 20, 512, 0.01
TARGET = 2.5
Data = tuple[Tensor, Tensor]
Step = Callable[[], int]


def main() -> None:
    """Compare gradients, then speeds; print, and write the numbers."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a few steps: a smoke test")
    chosen = parser.parse_args()
    warnings.simplefilter("ignore")  # the other libraries'
    torch.set_num_threads(1)
    results = {}
    for steps in (1, 3):
        parity = largest_difference(steps)
        contestants = {name: make(steps) for name, make in _contestants().items()}
        wall, cpu = _result.alternate(contestants, 2 if chosen.quick else 12)
        ratios = {name: _result.ratio(cpu, "ours", name) for name in cpu}
        results[str(steps)] = {
            "largest_gradient_difference": parity,
            "steps_per_second": _result.medians(wall),
            "ours_over_in_processor_time": ratios,
        }
        print(f"{steps} inner step(s): gradients differ by at most {parity:.1e} (float64)")
        for name, ratio in ratios.items():
            print(f"  ours / {name:12} {ratio:5.2f}", flush=True)
    settings = {
        "tasks": NTASK,
        "points": K,
        "width": WIDTH,
        "target": TARGET,
        "quick": chosen.quick,
    }
    print("written:", _result.save("meta_gradient", settings=settings, results=results))


def largest_difference(steps: int) -> float:
    """Return the largest difference of our meta-gradient and the loop's, in float64."""
    model, (support, query) = _model().double(), _data(torch.float64)
    parameters = list(model.parameters())
    maml = MAML(model, mean_squared_error, InnerSettings(steps=steps, rate=RATE)).double()
    ours = torch.autograd.grad(maml.query_loss(support, query).mean(), parameters)
    loop = torch.autograd.grad(_loop_loss(model, support, query, steps), parameters)
    return max(float((a - b).abs().max()) for a, b in zip(ours, loop, strict=True))


def _contestants() -> dict[str, Callable[[int], Step]]:
    found: dict[str, Callable[[int], Step]] = {"ours": _ours, "loop": _loop, "torch.func": _func}
    others = {"torchopt": _torchopt, "higher": _higher}
    return found | {
        name: make for name, make in others.items() if importlib.util.find_spec(name) is not None
    }


def _ours(steps: int) -> Step:
    maml = MAML(_model(), mean_squared_error, InnerSettings(steps=steps, rate=RATE))
    return _step(maml.model, lambda s, q: maml.query_loss(s, q).mean())


def _loop(steps: int) -> Step:
    model = _model()
    return _step(model, lambda s, q: _loop_loss(model, s, q, steps))


def _func(steps: int) -> Step:
    model = _model()
    rates = torch.full((NTASK, 4), RATE)

    def loss(support: Data, query: Data) -> Tensor:
        weights = StackedWeights.shared(model, NTASK)
        for _ in range(steps):
            gradient = weights.gradient(*support, mean_squared_error, differentiable=True)
            weights = weights.minus(gradient, rates)
        return mean_squared_error(weights(query[0]), query[1]).mean()

    return _step(model, loss)


def _torchopt(steps: int) -> Step:
    import torchopt

    model = _model()

    def loss(support: Data, query: Data) -> Tensor:
        losses, inner = [], torchopt.MetaSGD(model, lr=RATE)
        start = torchopt.extract_state_dict(model, by="reference", detach_buffers=True)
        start_inner = torchopt.extract_state_dict(inner)
        for x, y, xq, yq in zip(*support, *query, strict=True):
            for _ in range(steps):
                inner.step((model(x) - y).square().mean())
            losses.append((model(xq) - yq).square().mean())
            torchopt.recover_state_dict(model, start)
            torchopt.recover_state_dict(inner, start_inner)
        return torch.stack(losses).mean()

    return _step(model, loss)


def _higher(steps: int) -> Step:
    import higher

    model = _model()
    inner = torch.optim.SGD(model.parameters(), RATE)

    def loss(support: Data, query: Data) -> Tensor:
        losses = []
        for x, y, xq, yq in zip(*support, *query, strict=True):
            with higher.innerloop_ctx(model, inner, copy_initial_weights=False) as (fast, step):
                for _ in range(steps):
                    step.step((fast(x) - y).square().mean())
                losses.append((fast(xq) - yq).square().mean())
        return torch.stack(losses).mean()

    return _step(model, loss)


def _loop_loss(model: nn.Module, support: Data, query: Data, steps: int) -> Tensor:
    losses = []
    for x, y, xq, yq in zip(*support, *query, strict=True):
        parameters = dict(model.named_parameters())
        for _ in range(steps):
            error = (functional_call(model, parameters, (x,)) - y).square().mean()
            gradient = torch.autograd.grad(error, list(parameters.values()), create_graph=True)
            parameters = {
                name: value - RATE * g
                for (name, value), g in zip(parameters.items(), gradient, strict=True)
            }
        losses.append((functional_call(model, parameters, (xq,)) - yq).square().mean())
    return torch.stack(losses).mean()


def _step(model: nn.Module, loss: Callable[[Data, Data], Tensor]) -> Step:
    """Return a function that takes a meta-step."""
    optimizer, (support, query) = torch.optim.Adam(model.parameters(), 1e-3), _data(torch.float32)

    def step() -> int:
        optimizer.zero_grad(set_to_none=True)
        loss(support, query).backward()
        optimizer.step()
        return 1

    return step


def _model() -> nn.Sequential:
    torch.manual_seed(0)
    sizes, layers = [NIN, WIDTH, WIDTH, WIDTH], []
    for one, other in itertools.pairwise(sizes):
        layers += [nn.Linear(one, other), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(WIDTH, NOUT))


def _data(dtype: torch.dtype) -> tuple[Data, Data]:
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(NTASK, 2 * K, NIN, generator=generator).to(dtype)
    y = torch.randn(NTASK, 2 * K, NOUT, generator=generator).to(dtype)
    return (x[:, :K], y[:, :K]), (x[:, K:], y[:, K:])


if __name__ == "__main__":
    main()
