import numpy as np
import pytest
import torch
from torch import nn

from sim2real.deploy.controller import Controller
from sim2real.errors import ConfigError
from sim2real.export.graph import ControllerGraph, random_inputs
from sim2real.export.onnx_file import export
from sim2real.meta.dynamics import Adapted
from sim2real.meta.ensemble import Ensemble
from sim2real.mpc.icem import ICEM
from sim2real.mpc.policy import AdaptivePolicy
from sim2real.mpc.run import simulate
from sim2real.signals import Measured

PLANNER = ICEM(horizon=3, candidates=12, iterations=2, elites=4, kept=2)


class Carried:
    """A policy with its states, asked step by step."""

    def __init__(self, policy):
        self.policy = policy.double()
        sizes = policy.state_sizes
        self.states = {name: torch.zeros(1, size).double() for name, size in sizes.items()}
        self.command = torch.zeros(1, 1).double()

    @torch.no_grad()
    def step(self, position, velocity):
        measured = Measured(
            position=torch.tensor([[position]]).double(),
            velocity=torch.tensor([[velocity]]).double(),
        )
        observation = self.policy.observe(measured, self.command, None)
        action, *states = self.policy(observation, *self.states.values())
        self.states = dict(zip(self.states, states, strict=True))
        self.command = 2.0 * action
        return float(action)

    def count(self, name):
        return float(self.states[f"count.{name}"])


@pytest.fixture
def policy(pendulum, dynamics, env):
    return AdaptivePolicy(pendulum, env.task, dynamics, PLANNER)


def drive(carried, env, steps):
    actions = []
    for _ in range(steps):
        actions.append(carried.step(float(env.sim.position[0, 0]), float(env.sim.velocity[0, 0])))
        env.step(np.array([[actions[-1]]]))
        carried.command = torch.from_numpy(env.command.copy())
    return actions


def test_every_step_is_learned_from_and_the_first_is_not(policy, env):
    carried = Carried(policy)
    drive(carried, env, 20)
    assert float(carried.states["past.known"].sum()) == policy.dynamics.window
    assert carried.count("unknown") == 0.0
    assert carried.count("kept_plan") == 0.0


def test_the_adapted_model_is_believed_once_it_predicts_better(policy, env):
    weak = env.sim.fields.expand("actuator_gainprm")
    weak[...] *= 0.5
    carried = Carried(policy)
    drive(carried, env, 60)
    unadapted, adapted = carried.states["errors"][0]
    assert adapted < unadapted
    assert 1.0 <= carried.count("unadapted") < 40.0


def test_a_policy_that_does_not_adapt_never_does(pendulum, dynamics, env):
    carried = Carried(AdaptivePolicy(pendulum, env.task, dynamics, PLANNER, adapts=False))
    drive(carried, env, 15)
    assert carried.count("unadapted") == 15.0


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), 1e6])
def test_a_wrong_measurement_is_counted_and_not_learned_from(policy, env, wrong):
    carried = Carried(policy)
    drive(carried, env, 14)
    action = carried.step(0.3, wrong)
    assert np.isfinite(action)
    assert all(bool(torch.isfinite(state).all()) for state in carried.states.values())
    assert carried.count("unknown") == 1.0
    drive(carried, env, 5)
    missing = policy.dynamics.window - float(carried.states["past.known"].sum())
    assert missing == carried.count("unknown") <= 2.0  # what led to it, and what came from it


def test_a_robot_that_stands_still_is_planned_for(policy):
    carried = Carried(policy)
    actions = [carried.step(0.0, 0.0) for _ in range(20)]
    assert np.isfinite(actions).all()
    assert np.abs(actions).max() <= 1.0
    assert all(bool(torch.isfinite(state).all()) for state in carried.states.values())


class Exploding(nn.Module):
    """A model whose predictions, all or the adapted ones, are not finite while it is broken."""

    def __init__(self, dynamics):
        super().__init__()
        self.inner, self.scaling, self.members = dynamics, dynamics.scaling, 1
        self.memory_sizes, self.observe = dynamics.memory_sizes, dynamics.observe
        self.broken = ""

    def _times(self, adapted, factor):
        return Adapted(adapted.scaling, lambda inputs: factor * adapted.network(inputs))

    def adapted(self, memory):
        hurt = self.broken == "all" or (self.broken == "adapted" and memory["known"].any())
        return self._times(self.inner.adapted(memory), torch.nan if hurt else 1.0)

    def unadapted(self, ntask):
        return self._times(self.inner.unadapted(ntask), torch.nan if self.broken == "all" else 1.0)


def test_where_plans_blow_up_the_last_one_is_followed_and_counted(pendulum, dynamics, env):
    exploding = Exploding(dynamics)
    carried = Carried(AdaptivePolicy(pendulum, env.task, exploding, PLANNER))
    drive(carried, env, 10)
    plan = carried.states["plan"].reshape(PLANNER.nmemory, PLANNER.horizon)[0]
    exploding.broken = "all"
    actions = [carried.step(0.3, 0.1) for _ in range(3)]
    assert actions == pytest.approx(plan[:3].tolist())
    assert carried.count("kept_plan") == 3.0
    exploding.broken = ""
    carried.step(0.3, 0.1)
    assert carried.count("kept_plan") == 3.0


def test_an_adapted_model_that_blows_up_is_left_for_the_unadapted_one(pendulum, dynamics, env):
    exploding = Exploding(dynamics)
    carried = Carried(AdaptivePolicy(pendulum, env.task, exploding, PLANNER))
    weak = env.sim.fields.expand("actuator_gainprm")
    weak[...] *= 0.5
    drive(carried, env, 60)
    before = carried.count("unadapted")
    assert carried.states["errors"][0, 1] < carried.states["errors"][0, 0]
    exploding.broken = "adapted"
    drive(carried, env, 5)
    assert carried.count("unadapted") == before + 5.0
    assert carried.count("kept_plan") == 0.0


def test_what_is_likely_to_be_measured_is_learned_from(policy, env, pendulum):
    graph = ControllerGraph(pendulum, env.task, policy)
    rng = np.random.default_rng(0)
    states = [100.0 * state for state in random_inputs(graph, rng)[len(graph.input_sizes) :]]
    states[list(graph.state_sizes).index("state.past.known")][:] = 0.0
    for _ in range(10):
        with torch.inference_mode():
            _, *states = graph(*graph.likely_inputs(rng, states), *states)
    known = dict(zip(graph.state_sizes, states, strict=True))["state.past.known"]
    assert known[0, -10:].sum() >= 8.0


def test_an_ensemble_is_refused(pendulum, dynamics, env):
    with pytest.raises(ConfigError, match="ensemble"):
        AdaptivePolicy(pendulum, env.task, Ensemble([dynamics, dynamics]), PLANNER)


@pytest.fixture(scope="module")
def file(pendulum, dynamics, tmp_path_factory):
    from sim2real.envs.vector_env import RobotVectorEnv

    task = RobotVectorEnv(pendulum, 1, randomized=False).task
    path = tmp_path_factory.mktemp("mpc") / "controller.onnx"
    policy = AdaptivePolicy(pendulum, task, dynamics, PLANNER)
    deviation = export(policy, pendulum, task, path, trained_on={}, origin={})
    return path, deviation


def test_adaptation_and_planner_are_one_file_that_does_what_torch_does(file, policy, env, pendulum):
    path, deviation = file
    assert deviation < 1e-5
    controller, carried = Controller.load(path, pendulum), Carried(policy)
    controller.reset(env.command[0])
    for _ in range(30):
        measured = env.sim.measure().of(0)
        command = controller.step(measured, np.zeros(0))
        action = carried.step(float(measured.position[0]), float(measured.velocity[0]))
        assert command[0] == pytest.approx(2.0 * action, abs=1e-4)
        env.step(np.array([[action]]))
        carried.command = torch.from_numpy(env.command.copy())
    assert controller.counts() == {
        name: carried.count(name) for name in ("unadapted", "unknown", "kept_plan")
    }


def test_a_file_says_in_a_run_how_often_it_fell_back(file, env, pendulum):
    controller = Controller.load(file[0], pendulum)
    outcome = simulate(controller, env, 12, seed=0)
    assert outcome.steps == 12
    assert outcome.counts["unknown"] == 0
    assert 1 <= outcome.counts["unadapted"] <= 12
    controller.reset(env.command[0])
    assert set(controller.counts().values()) == {0}
