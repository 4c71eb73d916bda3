import numpy as np
import pytest
from scipy import stats

from sim2real import shipped
from sim2real.errors import ParameterError
from sim2real.parameters.correlation import Correlation
from sim2real.parameters.posterior import Posterior, Samples
from sim2real.parameters.ranges import Range
from sim2real.randomization.draws import Instant
from sim2real.randomization.engine import Randomizer
from sim2real.randomization.terms import TERMS
from sim2real.randomization.terms.term import Term
from sim2real.sim.mujoco_batch import MujocoSimulator

RANGES = {
    "body.bob.mass": Range.parse({"scale": [0.5, 1.5]}, ""),
    "joint.pivot.damping": Range.parse({"set": {"log_uniform": [0.01, 0.2]}}, ""),
}
IDS = np.arange(8)
EPISODE = np.full(8, 3)


@pytest.fixture(scope="module")
def sim():
    return MujocoSimulator(shipped.find_robot("pendulum"), 8)


def test_a_world_can_be_drawn_again_alone(sim):
    engine = Randomizer(sim, RANGES, seed=1)
    values, _ = engine.draw(IDS, EPISODE)
    alone, _ = engine.draw(IDS[5:6], EPISODE[5:6])
    np.testing.assert_array_equal(values[5:6], alone)


def test_other_parameters_and_their_order_change_nothing(sim):
    both, _ = Randomizer(sim, RANGES, seed=1).draw(IDS, EPISODE)
    turned, _ = Randomizer(sim, dict(reversed(RANGES.items())), seed=1).draw(IDS, EPISODE)
    one, _ = Randomizer(sim, {"body.bob.mass": RANGES["body.bob.mass"]}, seed=1).draw(IDS, EPISODE)
    np.testing.assert_array_equal(both, turned[:, ::-1])
    np.testing.assert_array_equal(both[:, :1], one)


def test_worlds_differ_between_episodes_and_seeds(sim):
    engine = Randomizer(sim, RANGES, seed=1)
    values, _ = engine.draw(IDS, EPISODE)
    assert (values != engine.draw(IDS, EPISODE + 1)[0]).all()
    assert (values != Randomizer(sim, RANGES, seed=2).draw(IDS, EPISODE)[0]).all()


def test_repeated_draws_do_not_accumulate(sim):
    engine = Randomizer(sim, RANGES, seed=1)
    for episode in range(50):
        values, _ = engine.draw(IDS, np.full(8, episode))
        engine.apply(IDS.astype(np.int32), values)
    mass = sim.fields.expand("body_mass")[:, 2]
    assert ((mass >= 0.273) & (mass <= 0.819)).all()


def test_normalized_values_lie_in_the_unit_box(sim):
    _, normalized = Randomizer(sim, RANGES, seed=1).draw(IDS, EPISODE)
    assert np.abs(normalized).max() <= 1.0


def test_a_posterior_is_drawn_instead_of_the_range_of_its_parameters(sim):
    posterior = Posterior(
        names=("body.bob.mass",), mean=(0.6,), covariance=((1e-6,),), lower=(0.1,), upper=(1.0,),
        origin={})  # fmt: skip
    engine = Randomizer(sim, RANGES, posterior, seed=1)
    assert engine.names == ("joint.pivot.damping", "body.bob.mass")
    values, _ = engine.draw(IDS, EPISODE)
    np.testing.assert_allclose(values[:, 1], 0.6, atol=5e-3)


@pytest.mark.parametrize(
    ("name", "data"),
    [("body.bob.mass", {"add": [-1.0, 0.0]}), ("joint.pivot.damping", {"set": [-0.1, 0.1]}),
     ("joint.pivot.damping", {"add": {"normal": [0.0, 1.0]}})],
)  # fmt: skip
def test_a_range_that_can_draw_the_impossible_is_refused(sim, name, data):
    with pytest.raises(ParameterError, match="physically possible"):
        Randomizer(sim, {name: Range.parse(data, name)}, seed=1)


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("joint.pivot.stiffness", {"scale": [0.5, 2.0]}, "nominal value is 0.*set or add"),
        ("joint.pivot.position_freeze_time", {"add": [0.0, 1.0]}, "nominal value is inf.*set"),
    ],
)
def test_a_range_that_changes_nothing_is_refused(sim, name, data, says):
    with pytest.raises(ParameterError, match=says):
        Randomizer(sim, {name: Range.parse(data, name)}, seed=1)


# --- when a parameter is drawn ------------------------------------------------------------------

WITHIN = {
    "body.bob.mass": Range.parse({"scale": [0.5, 1.5], "every": 0.05}, ""),
    "joint.pivot.damping": Range.parse({"set": [0.01, 0.2], "when": "step"}, ""),
    "actuator.pivot.gain": Range.parse({"scale": [0.7, 1.3], "when": "start"}, ""),
    "joint.pivot.frictionloss": Range.parse({"set": [0.0, 0.4]}, ""),
}


def course(engine, nsteps, ids=IDS, episode=EPISODE):
    """Return the parameters (nsteps, n, p) at each control step of an episode."""
    worlds = engine.draw(ids, episode)
    engine.apply(ids.astype(np.int32), worlds[0])
    seen = [worlds[0].copy()]
    for step in range(1, nsteps):
        now = Instant(ids, episode, np.full(len(ids), step), np.ones(len(ids)))
        engine.vary(np.arange(len(ids), dtype=np.int32), now, worlds)
        seen.append(worlds[0].copy())
    return np.array(seen)


def test_each_parameter_is_drawn_when_it_is_said_to_be(sim):
    engine = Randomizer(sim, WITHIN, seed=1)
    assert engine.varies
    seen = course(engine, 16)  # control steps of 0.01 s
    changed = (np.diff(seen, axis=0) != 0).all(axis=1)
    assert (np.flatnonzero(changed[:, 0]) + 1).tolist() == [5, 10, 15]
    assert changed[:, 1].all()
    assert not changed[:, 2:].any()
    later = course(engine, 2, episode=EPISODE + 1)
    np.testing.assert_array_equal(later[0, :, 2], seen[0, :, 2])
    assert (later[0, :, [0, 1, 3]] != seen[0, :, [0, 1, 3]]).all()


def test_an_interval_that_is_no_multiple_of_a_control_step_is_kept_on_average(sim):
    item = Range.parse({"scale": [0.5, 1.5], "every": 0.025}, "")
    seen = course(Randomizer(sim, {"body.bob.mass": item}, seed=1), 101)
    assert (np.diff(seen[:, 0, 0]) != 0).sum() == 40


def test_what_varies_within_an_episode_does_not_depend_on_the_others(sim):
    seen = course(Randomizer(sim, WITHIN, seed=1), 12)
    turned = course(Randomizer(sim, dict(reversed(WITHIN.items())), seed=1), 12)
    np.testing.assert_array_equal(seen, turned[..., ::-1])
    alone = course(Randomizer(sim, WITHIN, seed=1), 12, IDS[5:6], EPISODE[5:6])
    np.testing.assert_array_equal(seen[:, 5:6], alone)


def test_what_is_not_due_keeps_its_value_in_the_middle_of_an_episode(sim):
    engine = Randomizer(sim, WITHIN, seed=1)
    worlds = engine.draw(IDS, EPISODE)
    engine.apply(IDS.astype(np.int32), worlds[0])
    before = sim.fields.expand("dof_frictionloss").copy()
    sim.fields.expand("body_mass")[:, 2] = 7.0  # inertia has a writer of its own: not called
    now = Instant(IDS, EPISODE, np.full(8, 1), np.ones(8))
    engine.vary(IDS.astype(np.int32), now, worlds)
    np.testing.assert_array_equal(sim.fields.expand("dof_frictionloss"), before)
    assert (sim.fields.expand("body_mass")[:, 2] == 7.0).all()
    np.testing.assert_array_equal(sim.fields.expand("dof_damping")[:, 0], worlds[0][:, 1])


def test_an_interval_shorter_than_a_control_step_is_refused(sim):
    item = Range.parse({"scale": [0.5, 1.5], "every": 0.005}, "")
    with pytest.raises(ParameterError, match='when = "step"'):
        Randomizer(sim, {"body.bob.mass": item}, seed=1)


# --- what is drawn together ---------------------------------------------------------------------

GROUP = (Correlation(parameters=("joint.pivot.damping", "body.bob.mass"), coefficient=0.9),)
MANY = np.arange(4000)
ZERO = np.zeros(4000, np.int64)


def test_correlated_ranges_keep_their_distributions(sim):
    engine = Randomizer(sim, RANGES, seed=1, correlations=GROUP)
    mass, damping = engine.draw(MANY, ZERO)[0].T
    assert stats.spearmanr(mass, damping).statistic == pytest.approx(0.89, abs=0.02)
    nominal = engine.parameters.nominal[0]
    assert stats.kstest(mass / nominal, stats.uniform(0.5, 1.0).cdf).pvalue > 0.01
    assert stats.kstest(damping, stats.loguniform(0.01, 0.2).cdf).pvalue > 0.01


def test_the_order_of_correlated_ranges_changes_nothing(sim):
    turned = (Correlation(parameters=GROUP[0].parameters[::-1], coefficient=0.9),)
    one = Randomizer(sim, RANGES, seed=1, correlations=GROUP).draw(IDS, EPISODE)[0]
    other = Randomizer(sim, dict(reversed(RANGES.items())), seed=1, correlations=turned)
    np.testing.assert_array_equal(one, other.draw(IDS, EPISODE)[0][:, ::-1])


def test_correlation_holds_within_an_episode(sim):
    ranges = {
        name: Range.parse(item.to_toml() | {"when": "step"}, name) for name, item in RANGES.items()
    }
    seen = course(Randomizer(sim, ranges, seed=1, correlations=GROUP), 200)
    assert stats.spearmanr(*seen.reshape(-1, 2).T).statistic == pytest.approx(0.89, abs=0.03)


def known(**changes):
    values = {
        "names": ("body.bob.mass", "joint.pivot.armature"), "mean": (0.6, 0.01),
        "covariance": ((1e-4, 8e-6), (8e-6, 1e-6)), "lower": (0.1, 0.0), "upper": (1.0, 0.1),
        "origin": {}}  # fmt: skip
    return Posterior(**(values | changes))


def test_a_share_of_the_worlds_is_the_posteriors_and_the_rest_the_ranges(sim):
    engine = Randomizer(sim, RANGES, known(), seed=1, posterior_share=0.8)
    values, normalized = engine.draw(MANY, ZERO)
    wide = Randomizer(sim, RANGES, seed=1).draw(MANY, ZERO)[0]
    assert engine.names == ("joint.pivot.damping", "body.bob.mass", "joint.pivot.armature")
    from_ranges = values[:, 1] == wide[:, 0]
    assert from_ranges.mean() == pytest.approx(0.2, abs=0.02)
    # whole worlds: the armature, which has no range, is nominal exactly there
    np.testing.assert_array_equal(values[:, 2] == engine.parameters.nominal[2], from_ranges)
    np.testing.assert_array_equal(values[:, 0], wide[:, 1])
    inside = values[~from_ranges]
    assert np.corrcoef(inside[:, 1:].T)[0, 1] == pytest.approx(0.8, abs=0.03)
    np.testing.assert_allclose(normalized[:, 1:].mean(axis=0), 0.0, atol=0.03)
    np.testing.assert_allclose(normalized[:, 1:].std(axis=0), 0.5, atol=0.03)


def test_normalized_posterior_values_belong_to_their_parameters(sim):
    values, normalized = Randomizer(sim, RANGES, known(), seed=1).draw(MANY, ZERO)
    np.testing.assert_allclose(normalized[:, 1], (values[:, 1] - 0.6) / 0.02, atol=1e-9)
    np.testing.assert_allclose(normalized[:, 2], (values[:, 2] - 0.01) / 0.002, atol=1e-9)


def test_a_posterior_of_samples_gives_its_rows(sim):
    rows = ((0.5, 0.01), (0.7, 0.02))
    samples = Posterior.of_samples(
        known().names, Samples(values=rows), lower=(0.1, 0.0), upper=(1.0, 0.1), origin={}
    )
    values, _ = Randomizer(sim, RANGES, samples, seed=1).draw(MANY, ZERO)
    np.testing.assert_array_equal(np.unique(values[:, 1:], axis=0), rows)


def test_a_posterior_and_a_range_within_the_episode_do_not_mix(sim):
    ranges = {"body.bob.mass": WITHIN["body.bob.mass"]}
    with pytest.raises(ParameterError, match="one value for an episode"):
        Randomizer(sim, ranges, known(), seed=1, posterior_share=0.5)
    assert not Randomizer(sim, ranges, known(), seed=1).varies


# --- what is not possible -----------------------------------------------------------------------

UNBOUNDED = {
    "joint.pivot.damping": Range.parse({"set": {"normal": [0.05, 0.05]}}, ""),
    "body.bob.mass": RANGES["body.bob.mass"],
    "joint.pivot.frictionloss": Range.parse({"set": {"normal": [0.0, 1.0]}}, ""),
}


def test_redrawing_gives_the_distribution_of_what_is_possible(sim):
    engine = Randomizer(sim, UNBOUNDED, seed=1, impossible="redraw")
    values = engine.draw(MANY, ZERO)[0]
    truth = stats.truncnorm(-1.0, np.inf, 0.05, 0.05)
    assert stats.kstest(values[:, 0], truth.cdf).pvalue > 0.01
    assert stats.kstest(values[:, 2], stats.halfnorm.cdf).pvalue > 0.01
    expected = 1 - stats.norm.cdf(1.0) * 0.5
    assert engine.mender.count / 4000 == pytest.approx(expected, abs=0.03)


def test_redrawing_one_parameter_leaves_the_others_as_they_were(sim):
    mended = Randomizer(sim, UNBOUNDED, seed=1, impossible="redraw").draw(MANY, ZERO)[0]
    plain = Randomizer(sim, {"body.bob.mass": RANGES["body.bob.mass"]}, seed=1)
    np.testing.assert_array_equal(mended[:, 1:2], plain.draw(MANY, ZERO)[0])
    alone = Randomizer(sim, UNBOUNDED, seed=1, impossible="redraw").draw(MANY[7:8], ZERO[:1])[0]
    np.testing.assert_array_equal(mended[7:8], alone)


def test_correlated_parameters_are_drawn_again_together(sim):
    group = Correlation(
        parameters=("joint.pivot.damping", "joint.pivot.frictionloss"), coefficient=-0.8
    )
    engine = Randomizer(sim, UNBOUNDED, seed=1, impossible="redraw", correlations=(group,))
    values = engine.draw(MANY, ZERO)[0]
    z = np.random.default_rng(0).multivariate_normal([0, 0], [[1, -0.8], [-0.8, 1]], 200_000)
    truth = z * (0.05, 1.0) + (0.05, 0.0)
    truth = truth[(truth >= 0).all(axis=1)]
    np.testing.assert_allclose(values[:, [0, 2]].mean(axis=0), truth.mean(axis=0), rtol=0.05)
    ours, expected = np.corrcoef(values[:, [0, 2]].T)[0, 1], np.corrcoef(truth.T)[0, 1]
    assert ours == pytest.approx(expected, abs=0.05)


def test_clipping_moves_values_to_the_boundary(sim):
    engine = Randomizer(sim, UNBOUNDED, seed=1, impossible="clip")
    values = engine.draw(MANY, ZERO)[0]
    assert (values[:, 2] == 0).mean() == pytest.approx(0.5, abs=0.03)
    assert engine.mender.count > 2000


def test_a_range_that_is_hardly_ever_possible_is_refused(sim):
    item = Range.parse({"set": {"normal": [-3.0, 1.0]}}, "")
    with pytest.raises(ParameterError, match="hardly ever"):
        Randomizer(sim, {"joint.pivot.damping": item}, seed=1, impossible="redraw")


class LightOrSlow(Term):
    """damping must not exceed a tenth of the mass."""

    summary, unit, bounds, fields = "a damping", "Nm s/rad", (0.0, np.inf), ("dof_damping",)
    together = ("body.bob.mass", "joint.pivot.slow")

    def resolve(self, model, joints):
        self.nominal = 0.01

    def possible(self, values):
        """Damping must not exceed a tenth of the mass."""
        return values[:, 1] <= 0.1 * values[:, 0]

    def write(self, sim, ids, values):
        sim.fields.expand("dof_damping")[ids, 0] = values


@pytest.fixture
def conditional(monkeypatch):
    monkeypatch.setitem(TERMS, "joint.slow", LightOrSlow)
    return RANGES | {"joint.pivot.slow": Range.parse({"set": [0.0, 0.1]}, "")}


def test_what_is_only_impossible_together_is_drawn_again_together(sim, conditional):
    engine = Randomizer(sim, conditional, seed=1, impossible="redraw")
    values = engine.draw(MANY, ZERO)[0]
    assert (values[:, 2] <= 0.1 * values[:, 0]).all()
    u = np.random.default_rng(0).uniform(size=(400_000, 2))
    truth = np.stack([0.546 * (0.5 + u[:, 0]), 0.1 * u[:, 1]], axis=1)
    truth = truth[truth[:, 1] <= 0.1 * truth[:, 0]]
    np.testing.assert_allclose(values[:, [0, 2]].mean(axis=0), truth.mean(axis=0), rtol=0.02)
    assert engine.mender.count / 4000 == pytest.approx(1 - len(truth) / 400_000, abs=0.03)
    plain = Randomizer(sim, RANGES, seed=1).draw(MANY, ZERO)[0]
    np.testing.assert_array_equal(values[:, 1], plain[:, 1])


def test_what_is_only_impossible_together_is_clipped_to_the_boundary(sim, conditional):
    engine = Randomizer(sim, conditional, seed=1, impossible="clip")
    values = engine.draw(MANY, ZERO)[0]
    assert (values[:, 2] <= 0.1 * values[:, 0]).all()
    touching = np.isclose(values[:, 2], 0.1 * values[:, 0], rtol=1e-9)
    assert touching.sum() == engine.mender.count > 1000


def test_ranges_that_are_impossible_together_are_refused_when_declared(sim, conditional):
    says = 'impossible together: Damping must not exceed.* or say impossible = "redraw"'
    with pytest.raises(ParameterError, match=says):
        Randomizer(sim, conditional, seed=1)


def test_a_condition_holds_within_an_episode_given_the_rest_of_the_world(sim, conditional):
    slow = Range.parse({"set": [0.0, 0.1], "when": "step"}, "")
    for choice in ("redraw", "clip"):
        engine = Randomizer(
            sim, conditional | {"joint.pivot.slow": slow}, seed=1, impossible=choice
        )
        seen = course(engine, 60)
        assert (seen[..., 2] <= 0.1 * seen[..., 0] * (1 + 1e-12)).all()
        assert (seen[..., 0] == seen[0, :, 0]).all()
        assert engine.mender.count > 50


# --- curricula ----------------------------------------------------------------------------------


def test_a_curriculum_follows_the_progress_of_each_world(sim):
    item = Range.parse({"scale": [0.5, 1.5], "curriculum": {"first": [1.0, 1.0]}}, "")
    engine = Randomizer(sim, {"body.bob.mass": item}, seed=1)
    values, normalized = engine.draw(MANY, ZERO, np.linspace(0.0, 1.0, 4000))
    reach = np.abs(values[:, 0] / 0.546 - 1)
    assert (reach <= 0.5 * np.linspace(0.0, 1.0, 4000) + 1e-12).all()
    np.testing.assert_array_equal(normalized[0], 0.0)
    wide = Randomizer(sim, RANGES, seed=1).draw(MANY[-1:], ZERO[-1:])[0]
    assert values[-1, 0] == wide[0, 0]
