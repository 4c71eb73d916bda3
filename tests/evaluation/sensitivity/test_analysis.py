"""Weak spots that are planted must be found."""

import dataclasses

import numpy as np
import pytest

from sim2real.envs.rollout import Evaluation
from sim2real.envs.vector_env import RobotVectorEnv
from sim2real.errors import ConfigError
from sim2real.evaluation.sensitivity.analysis import Settings, analyse
from sim2real.evaluation.sensitivity.policy import Examined
from sim2real.evaluation.sensitivity.report import write_sensitivity
from sim2real.evaluation.sensitivity.suite import HardWorld, Suite, rerun, run_worlds
from sim2real.evaluation.sensitivity.sweep import sweep, swept_robot
from sim2real.parameters.posterior import Posterior
from sim2real.parameters.ranges import Range

FAST = Settings(episodes=600, generations=12, starts=4, seed=1)
MASS, GAIN = "body.bob.mass", "actuator.pivot.gain"


class Planted:
    """A policy that fails where a heavy bob meets a weak motor; nothing is simulated."""

    name = "planted"

    def __init__(self, robot):
        self.robot = robot

    def environment(self, robot, num_envs, nthread):
        return RobotVectorEnv(robot, num_envs)

    def evaluate(self, env, worlds, *, seed):
        mass, gain = (worlds[:, env.randomizer.names.index(name)] for name in (MASS, GAIN))
        luck = np.random.default_rng(seed).normal(size=len(worlds))
        returns = 100.0 * (gain - 0.7) / 0.6 - 100.0 * (mass - 0.2184) / 0.6552 + luck
        none = np.zeros(len(worlds), bool)
        return Evaluation(returns, returns > -30.0, np.full(len(worlds), 600), none)


@pytest.fixture(scope="module")
def short(pendulum):
    """The pendulum with episodes of a tenth of a second."""
    from dataclasses import replace

    return replace(pendulum, task=pendulum.task | {"episode_seconds": 0.1, "hold_seconds": 0.05})


@pytest.fixture(scope="module")
def analysis(pendulum):
    return analyse(Planted(pendulum), FAST)  # type: ignore[arg-type]


def test_the_parameters_that_decide_are_ranked_first(analysis):
    effects = analysis.sweep.effects
    assert analysis.sweep.outcome == "success"
    assert {effects[0].name, effects[1].name} == {MASS, GAIN}
    assert effects[2].total < 0.1 < effects[1].total
    sides = {effect.name: effect.correlation for effect in effects}
    assert sides[MASS] < -0.2
    assert sides[GAIN] > 0.2


def test_the_most_telling_pair_is_theirs(analysis):
    assert set(analysis.sweep.pairs[0]) == {MASS, GAIN}


def test_success_along_a_parameter_falls_where_it_is_hard(analysis):
    mass = next(effect for effect in analysis.sweep.effects if effect.name == MASS)
    assert (np.diff(mass.centres) > 0).all()
    assert mass.success[0] == 1.0
    assert mass.success[-1] < 0.6
    assert ((mass.low <= mass.success) & (mass.success <= mass.high)).all()


def test_the_worst_corner_is_found(analysis):
    worst = analysis.worst
    assert worst.parameters[MASS] == pytest.approx(0.8736, rel=0.03)
    assert worst.parameters[GAIN] == pytest.approx(0.7, rel=0.03)
    assert worst.success == 0.0
    assert worst.mean_return <= analysis.sweep.returns.min() + 5.0


def test_the_suite_holds_the_worst_the_nominal_failed_and_borderline_worlds(analysis):
    names = [world.name for world in analysis.suite.worlds]
    assert names[0].startswith("worst: ")
    assert names[1] == "nominal"
    assert sum("failed" in name for name in names) == 6
    assert sum("borderline" in name for name in names) == 4
    assert len(set(names)) == len(names)


class Lucky(Planted):
    """Its returns are its starts' alone."""

    def evaluate(self, env, worlds, *, seed):
        found = super().evaluate(env, worlds, seed=seed)
        luck = np.random.default_rng(seed).normal(size=len(worlds))
        return Evaluation(luck, found.success & False, found.steps, found.diverged)


def test_the_page_names_the_parameter_that_decides_only_where_episodes_tell(
    analysis, pendulum, tmp_path
):
    write_sensitivity(analysis, tmp_path / "planted.html")
    page = (tmp_path / "planted.html").read_text()
    assert f"{analysis.sweep.effects[0].name} decides the most" in page
    few = Settings(episodes=144, generations=1, starts=1)
    write_sensitivity(analyse(Lucky(pendulum), few), tmp_path / "few.html")  # type: ignore[arg-type]
    page = (tmp_path / "few.html").read_text()
    assert "so few episodes do not tell" in page
    assert "decides the most" not in page


class Unstable(Planted):
    """Its simulation blows up where the bob is light, with the lowest returns of all."""

    def evaluate(self, env, worlds, *, seed):
        found = super().evaluate(env, worlds, seed=seed)
        light = worlds[:, env.randomizer.names.index(MASS)] < 0.35
        returns = np.where(light, -1000.0, found.returns)
        return Evaluation(returns, found.success & ~light, found.steps, light)


def test_a_world_in_which_the_simulation_diverges_is_not_a_hard_one(pendulum):
    found = analyse(Unstable(pendulum), FAST)  # type: ignore[arg-type]
    assert found.facts()["diverged"] == found.sweep.diverged.sum() > 50
    assert found.worst.parameters[MASS] > 0.8
    assert all(world.parameters[MASS] >= 0.35 for world in found.suite.worlds)


def test_a_policy_that_always_succeeds_is_ranked_by_its_return(pendulum):
    class Good(Planted):
        def evaluate(self, env, worlds, *, seed):
            found = super().evaluate(env, worlds, seed=seed)
            return Evaluation(
                found.returns, np.ones(len(worlds), bool), found.steps, found.diverged
            )

    found = sweep(Good(pendulum), episodes=300)  # type: ignore[arg-type]
    assert found.outcome == "return"
    assert {found.effects[0].name, found.effects[1].name} == {MASS, GAIN}


def test_a_sweep_stays_within_the_ranges_and_fills_them(analysis, pendulum):
    for name, values in zip(analysis.sweep.space.names, analysis.sweep.values.T, strict=True):
        nominal = analysis.sweep.space.nominal[analysis.sweep.space.names.index(name)]
        low, high = pendulum.ranges[name].bounds(float(nominal))
        assert low <= values.min() < low + 0.05 * (high - low)
        assert high - 0.05 * (high - low) < values.max() <= high


def test_a_posterior_is_swept_by_its_marginals(pendulum):
    posterior = Posterior(
        names=(MASS,), mean=(0.5,), covariance=((1e-4,),), lower=(0.1,), upper=(1.0,),
        origin={})  # fmt: skip
    found = sweep(Planted(pendulum), episodes=1200, posterior=posterior)  # type: ignore[arg-type]
    mass = found.values[:, found.space.names.index(MASS)]
    assert mass.mean() == pytest.approx(0.5, abs=1e-3)
    assert mass.std() == pytest.approx(0.01, rel=0.05)


def test_what_is_drawn_within_an_episode_is_held_while_it_is_swept(pendulum):
    """Else the world that is judged would not be the one that was simulated."""
    restless = {name: item.to_toml() for name, item in pendulum.ranges.items()}
    restless[GAIN] |= {"when": "step"}
    restless[MASS] |= {"every": 0.1, "curriculum": {"first": [1.0, 1.0]}}
    examined = Planted(dataclasses.replace(pendulum, randomize=restless))
    robot = swept_robot(examined, None)  # type: ignore[arg-type]
    env = examined.environment(robot, 2, 1)
    assert env.randomizer.names == tuple(pendulum.ranges)
    assert not env.randomizer.varies
    still = swept_robot(Planted(pendulum), None).ranges  # type: ignore[arg-type]
    assert robot.ranges == still == pendulum.ranges


def test_a_sweep_keeps_to_what_is_physical(pendulum):
    ranges = pendulum.ranges | {
        "joint.pivot.damping": Range.parse({"set": {"normal": [0.05, 0.05]}}, "")
    }
    robot = dataclasses.replace(pendulum.with_ranges(ranges), impossible="redraw")
    found = sweep(Planted(robot), episodes=200)  # type: ignore[arg-type]
    damping = found.values[:, found.space.names.index("joint.pivot.damping")]
    assert damping.min() == 0.0 < damping.max()


def test_too_few_episodes_are_refused(pendulum):
    with pytest.raises(ConfigError, match="7 parameters need at least 144"):
        sweep(Planted(pendulum), episodes=100)  # type: ignore[arg-type]


def test_a_robot_that_randomizes_nothing_is_refused(pendulum):
    with pytest.raises(ConfigError, match="randomizes nothing"):
        sweep(Planted(pendulum.with_ranges({})), episodes=100)  # type: ignore[arg-type]


# ------------------------------------------------------------------------- suites, simulated


@pytest.fixture
def examined(short):
    """A policy that pushes with a torque that falls with speed."""
    return Examined("damped", short, lambda env: lambda seen: 0.5 - seen[:, 2:3], raw=False)


def suite_of(worlds, **fields):
    given = {"robot": "pendulum", "policy": "p", "seed": 4, "starts": 3, "required": 0.5}
    return Suite(**(given | fields), worlds=tuple(worlds))


def hard(name="w", mass=0.8, gain=0.8, success=0.0):
    return HardWorld(
        name=name, parameters={MASS: mass, GAIN: gain}, mean_return=0.0, success=success
    )


def test_a_suite_reads_as_it_was_written(tmp_path, analysis):
    analysis.suite.save(tmp_path / "suite.toml")
    assert Suite.load(tmp_path / "suite.toml") == analysis.suite


def test_the_same_policy_does_the_same_again_whatever_worlds_are_beside(examined):
    names, values = (MASS, GAIN), np.array([[0.8, 0.8], [0.4, 1.2], [0.6, 1.0]])
    returns, success = run_worlds(examined, names, values, starts=3, seed=4)
    again, _ = run_worlds(examined, names, values, starts=3, seed=4)
    alone, _ = run_worlds(examined, names, values[1:2], starts=3, seed=4)
    np.testing.assert_array_equal(returns, again)
    assert alone[0] == returns[1]
    assert len(set(returns)) == 3
    assert success.shape == (3,)


def test_a_rerun_tells_what_is_fixed_and_what_is_broken(pendulum):
    worlds = [hard("easy", 0.3, 1.2, success=0.0), hard("hard", 0.87, 0.7, success=1.0)]
    planted = Planted(pendulum)
    rows = rerun(suite_of(worlds), planted)  # type: ignore[arg-type]
    assert [row.change for row in rows] == ["fixed", "broken"]
    assert [row.passed for row in rows] == [True, False]


def test_a_suite_of_another_robot_is_refused(examined):
    with pytest.raises(ConfigError, match="of robot 'hopper'"):
        rerun(suite_of([hard()], robot="hopper"), examined)


def test_a_suite_that_names_different_parameters_is_refused():
    other = HardWorld(name="x", parameters={MASS: 0.5}, mean_return=0.0, success=0.0)
    with pytest.raises(ConfigError, match="other parameters"):
        suite_of([hard(), other])
