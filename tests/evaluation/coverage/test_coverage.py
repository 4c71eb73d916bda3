"""Verdicts on robots whose truth is planted."""

import dataclasses

import numpy as np
import pytest

from sim2real.evaluation.coverage.explanation import explain, shares
from sim2real.evaluation.coverage.replay import Replay, Replayer
from sim2real.evaluation.coverage.verdict import judge

WORLDS = 120
INSIDE = {
    "body.bob.mass": 0.7, "joint.pivot.damping": 0.15, "joint.pivot.frictionloss": 0.05,
    "actuator.pivot.gain": 0.85, "actuator.pivot.delay": 0.04,
}  # fmt: skip


def replayed(robot, logs, *, horizon=0.2, **options):
    replayer = Replayer(robot, logs, **options)
    windows = replayer.windows(horizon)
    return replayer, replayer.replay(replayer.draw(WORLDS), windows, horizon), windows


def test_a_robot_that_is_a_draw_of_the_ranges_is_about_right(pendulum, record):
    _, replay, _ = replayed(pendulum, [record(pendulum, INSIDE, seconds=4.0)])
    coverage = judge(replay)
    assert coverage.verdict == "about right", (coverage.p_wide, coverage.p_narrow)
    assert all(signal.inside > 0.8 for signal in coverage.signals)


def test_damping_far_outside_is_too_narrow_and_is_named(pendulum, record):
    planted = INSIDE | {"joint.pivot.damping": 0.75}
    replayer, replay, windows = replayed(pendulum, [record(pendulum, planted, seconds=4.0)])
    coverage = judge(replay)
    assert coverage.verdict == "too narrow"
    assert any(signal.escapes for signal in coverage.signals)
    best = explain(replayer, replay, windows)[0]
    assert best.name == "joint.pivot.damping"
    assert best.value > 1.5 * best.high
    assert best.explained > 0.8


@pytest.mark.parametrize("joint", ["shoulder", "elbow"])
def test_the_joint_whose_damping_is_outside_is_named(arm, record, joint):
    nominal = {"shoulder": 0.1, "elbow": 0.05}[joint]
    log = record(arm, {f"joint.{joint}.damping": 4.5 * nominal}, seconds=4.0)
    replayer, replay, windows = replayed(arm, [log])
    assert judge(replay).verdict == "too narrow"
    best = explain(replayer, replay, windows)[0]
    assert best.name == f"joint.{joint}.damping"
    assert best.value == pytest.approx(4.5 * nominal, rel=0.3)


def test_what_no_randomized_parameter_explains_is_not_blamed_on_one(arm, record, ranged):
    narrow = ranged(arm, body__upper__mass={"scale": [0.95, 1.05]},
                    joint__elbow__damping={"scale": [0.9, 1.1]})  # fmt: skip
    log = record(arm, {"joint.shoulder.stiffness": 3.0}, seconds=4.0)
    replayer, replay, windows = replayed(narrow, [log])
    assert judge(replay).verdict == "too narrow"
    found = explain(replayer, replay, windows)
    assert all(item.name != "joint.elbow.damping" for item in found)


def test_ranges_far_beyond_what_several_logs_show_are_too_wide(pendulum, record, ranged):
    names = ("body.bob.mass", "joint.pivot.damping", "joint.pivot.frictionloss",
             "actuator.pivot.gain")  # fmt: skip
    wide = ranged(pendulum, **{name.replace(".", "__"): {"scale": [0.1, 1.9]} for name in names})
    nominal = dict(zip(names, (0.546, 0.05, 0.1, 1.0), strict=True))
    logs = [
        record(wide, {name: value * factor for name, value in nominal.items()}, seed=seed)
        for seed, factor in enumerate((0.98, 1.0, 1.02))
    ]
    _, replay, _ = replayed(wide, logs)
    coverage = judge(replay)
    assert coverage.verdict == "too wide", (coverage.p_wide, coverage.distance)
    assert coverage.distance < 0.5


def test_logs_of_robots_all_over_the_ranges_are_not_too_wide(arm, record):
    """Their mean is central, none of them is: each log is fitted for itself."""
    logs = [
        record(arm, {"joint.shoulder.damping": 0.1 * a, "joint.elbow.damping": 0.05 * b,
                     "body.upper.mass": 0.5 * c}, seed=seed, seconds=4.0)
        for seed, (a, b, c) in enumerate([(0.55, 1.4, 0.85), (1.45, 0.6, 1.15)])
    ]  # fmt: skip
    assert judge(replayed(arm, logs)[1]).verdict == "about right"


def test_worlds_that_differ_by_less_than_the_noise_tell_nothing(arm, record, ranged):
    alike = ranged(arm, joint__elbow__damping={"scale": [0.99, 1.01]})
    log = record(arm, {}, seconds=4.0, noise=(0.02, 0.5))
    assert judge(replayed(alike, [log])[1]).verdict == "cannot tell"


def test_the_true_world_replays_the_log(arm, record):
    planted = {"joint.shoulder.damping": 0.12, "joint.elbow.damping": 0.03}
    log = record(arm, planted, seconds=4.0, noise=(1e-5, 1e-5))
    replayer, replay, windows = replayed(arm, [log])
    nominal = dict(zip(replayer.names, replayer.parameters.nominal, strict=True))
    truth = np.array([[(nominal | planted)[name] for name in replayer.names]])
    error = replayer.smooth(truth, windows)[0] - replay.measured
    assert np.abs(error).max(axis=0)[:2] == pytest.approx(0.0, abs=2e-3)
    assert np.abs(error).max(axis=0)[2:] == pytest.approx(0.0, abs=2e-2)


def test_worlds_are_a_function_of_the_seed(arm, record):
    log = record(arm, {}, seconds=3.0)
    first, again, other = (replayed(arm, [log], seed=seed)[1] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.predicted, again.predicted)
    assert not np.array_equal(first.values, other.values)


def test_noise_asks_for_a_longer_horizon(arm, record):
    quiet, loud = (
        Replayer(arm, [record(arm, {}, seconds=5.0, noise=noise)]).choose_horizon()
        for noise in ((1e-4, 1e-3), (0.02, 0.5))
    )
    assert quiet < loud


def test_noise_parameters_are_not_what_a_replay_tests(pendulum, record):
    replayer = Replayer(pendulum, [record(pendulum, INSIDE, seconds=3.0)])
    assert replayer.ignored == ("joint.pivot.position_noise", "joint.pivot.velocity_noise")


def test_what_makes_the_worlds_differ_is_named(arm, record, ranged):
    """Damping that varies by a thousandth makes nothing beside mass that varies by a fifth."""
    robot = ranged(arm, body__lower__mass={"scale": [0.8, 1.2]},
                   joint__elbow__damping={"scale": [0.999, 1.001]})  # fmt: skip
    _, replay, _ = replayed(robot, [record(arm, {}, seconds=3.0, noise=(1e-4, 1e-3))])
    found = shares(replay)
    assert next(iter(found)) == "body.lower.mass"
    assert found["body.lower.mass"] > 0.8
    assert found["joint.elbow.damping"] < 0.05


def linear_replay(rng, truth, worlds=102, samples=40):
    """Worlds whose samples are linear in one parameter, uniform in [-1, 1], and a robot."""
    values = rng.uniform(-1, 1, (worlds, 1))
    slope = rng.normal(size=(samples, 1))
    noise = np.full((samples, 1), 0.2)
    smooth = values[:, :, None] * slope
    return Replay(
        signals=("x",), units=("rad",),
        measured=truth * slope + noise * rng.normal(size=(samples, 1)),
        predicted=smooth + noise * rng.normal(size=smooth.shape), smooth=smooth, noise=noise,
        telling=np.full(1, 5.0), window=np.zeros(samples, np.int64),
        log=np.zeros(samples, np.int64),
        seconds=0.01 * np.arange(samples), horizon=0.4, parameters=("p",), values=values,
        ignored=(), dropped={},
    )  # fmt: skip


def six_signals(rng, truth, worlds=242, samples=30):
    """Six signals with a parameter each, uniform in [-1, 1], and a robot at `truth` (6,)."""
    values = rng.uniform(-1, 1, (worlds, 6))
    slope = rng.normal(size=(samples, 6))
    smooth = values[:, None, :] * slope
    return Replay(
        signals=tuple("abcdef"), units=("rad",) * 6,
        measured=truth * slope + 0.1 * rng.normal(size=slope.shape),
        predicted=smooth + 0.1 * rng.normal(size=smooth.shape), smooth=smooth,
        noise=np.full((samples, 6), 0.1), telling=np.full(6, 5.0),
        window=np.zeros(samples, np.int64), log=np.zeros(samples, np.int64),
        seconds=0.01 * np.arange(samples), horizon=0.3, parameters=tuple("pqrstu"), values=values,
        ignored=(), dropped={},
    )  # fmt: skip


def test_ranges_of_which_the_robot_needs_one_are_not_too_wide():
    """However central it is in all other signals: it would be told to narrow what it needs."""
    central = judge(six_signals(np.random.default_rng(0), np.full(6, 0.02)))
    assert central.verdict == "too wide"
    needed = judge(six_signals(np.random.default_rng(0), np.array([0.9, *[0.02] * 5])))
    assert needed.p_wide <= 0.05
    assert needed.distance < 0.5
    assert needed.signals[0].distance > 1.0
    assert needed.verdict == "about right"


def test_false_alarms_are_as_rare_as_the_criterion_says():
    rng = np.random.default_rng(0)
    found = [judge(linear_replay(rng, rng.uniform(-1, 1))) for _ in range(40)]
    assert sum(coverage.verdict == "too narrow" for coverage in found) <= 3
    assert sum(coverage.verdict == "too wide" for coverage in found) <= 6
    chances = np.array([coverage.p_narrow for coverage in found])
    assert 0.3 < chances.mean() < 0.7


def test_a_robot_just_beyond_the_ranges_is_noticed():
    """The band of 5 to 95 % would not: a world at the end of the range is as far out."""
    assert judge(linear_replay(np.random.default_rng(1), 1.4)).verdict == "too narrow"


def test_rank_histograms_are_shares_and_flat_for_the_worlds():
    coverage = judge(linear_replay(np.random.default_rng(2), 0.3))
    (signal,) = coverage.signals
    assert signal.histogram.sum() == pytest.approx(1.0)
    assert (signal.envelope[0] <= signal.envelope[1]).all()


def test_an_escape_says_when_and_on_which_side():
    replay = linear_replay(np.random.default_rng(3), 0.0)
    measured = replay.measured.copy()
    measured[10:16] = 20.0
    (signal,) = judge(dataclasses.replace(replay, measured=measured)).signals
    worst = signal.escapes[0]
    assert (worst.start, worst.end) == pytest.approx((0.10, 0.15))
    assert worst.side == "above"
