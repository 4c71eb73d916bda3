"""Signals of plain arrays: no simulator is needed to see what a sensor does to the truth."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from sim2real.sim.clock import Clock
from sim2real.sim.sensors import Sensors, quantized

RATE = 100.0


class Plant:
    """Sensors of n simulations with one signal of two numbers, and what they measure."""

    def __init__(self, nsim=1, size=2, seed=0, **flaws):
        self.sensors, self.clock = Sensors(nsim, {"signal": size}), Clock(nsim, RATE)
        self.clock.identify(seed)
        self.shape = (nsim, size)
        for name, value in flaws.items():
            self.sensors["signal"].parameters.expand(name)[...] = value

    def reset(self, truth, rows=None):
        rows = np.arange(self.shape[0]) if rows is None else rows
        self.clock.step[rows] = 0
        self.sensors.reset(rows, {"signal": np.broadcast_to(truth, self.shape)}, self.clock)

    def advance(self, truth):
        self.clock.step += 1
        self.sensors.advance({"signal": np.broadcast_to(truth, self.shape)}, self.clock)
        return self.measure(truth)

    def measure(self, truth, rows=slice(None)):
        full = {"signal": np.broadcast_to(truth, self.shape)}
        return self.sensors.measure(full, self.clock, rows)["signal"]

    def play(self, truths):
        self.reset(truths[0])
        return np.array([self.measure(truths[0]), *(self.advance(truth) for truth in truths[1:])])


def ramp(steps, slope=1.0):
    return slope * np.arange(steps) / RATE


def test_perfect_sensors_report_the_truth_and_keep_nothing():
    plant = Plant()
    np.testing.assert_array_equal(plant.play(ramp(5))[:, 0, 0], ramp(5))
    assert plant.sensors["signal"].memory == {}


@pytest.mark.parametrize("delay", [0.0, 0.004, 0.01, 0.0237, 0.1])
def test_a_delayed_signal_is_that_of_a_while_ago(delay):
    measured = Plant(delay=delay).play(ramp(40))[:, 0, 0]
    np.testing.assert_allclose(measured, np.maximum(ramp(40) - delay, 0.0), atol=1e-12)


def test_before_the_start_a_delayed_signal_was_what_it_is_at_the_start():
    plant = Plant(delay=0.05)
    plant.play(5.0 + ramp(30))
    plant.reset(-3.0)
    np.testing.assert_array_equal(plant.measure(-3.0), np.full((1, 2), -3.0))
    np.testing.assert_array_equal(plant.advance(-2.0), np.full((1, 2), -3.0))


def test_a_longer_delay_in_a_later_episode_finds_a_longer_past():
    plant = Plant(nsim=2, delay=0.02)
    plant.play(ramp(30))
    plant.sensors["signal"].parameters.expand("delay")[0] = 0.2
    plant.reset(0.0, rows=np.array([0]))
    truths = ramp(60)[29:]
    for truth in truths:
        measured = plant.advance(truth)
    assert measured[0, 0] == pytest.approx(truths[-1] - 0.2)
    assert measured[1, 0] == pytest.approx(truths[-1] - 0.02)


def test_a_jittering_delay_lies_between_its_ends_and_reaches_both():
    age = ramp(2000)[100:] - Plant(delay=0.02, delay_jitter=0.05).play(ramp(2000))[100:, 0, 0]
    assert 0.02 - 1e-9 <= age.min() < 0.021
    assert 0.069 < age.max() <= 0.07 + 1e-9
    assert age.mean() == pytest.approx(0.045, abs=0.002)


def test_a_lost_sample_leaves_the_last_one():
    measured = Plant(dropout=0.3, seed=3).play(ramp(3000))[:, 0, 0]
    lost = measured[1:] == measured[:-1]
    assert lost.mean() == pytest.approx(0.3, abs=0.03)
    np.testing.assert_array_equal(measured[1:][~lost], ramp(3000)[1:][~lost])


def test_the_first_sample_of_an_episode_always_comes():
    plant = Plant(dropout=1.0)
    plant.play(ramp(5))
    plant.reset(7.0)
    np.testing.assert_array_equal(plant.measure(7.0), np.full((1, 2), 7.0))
    np.testing.assert_array_equal(plant.advance(8.0), np.full((1, 2), 7.0))


def test_a_frozen_signal_stays_from_its_time_on():
    measured = Plant(freeze_time=0.2).play(ramp(50))[:, 0, 0]
    np.testing.assert_array_equal(measured[:20], ramp(50)[:20])
    np.testing.assert_array_equal(measured[20:], ramp(50)[19])


def test_drift_grows_with_time():
    np.testing.assert_allclose(Plant(drift=0.4).play(np.zeros(51))[:, 0, 0], ramp(51, 0.4))


def test_the_deviation_of_a_random_walk_grows_with_the_root_of_time():
    measured = Plant(nsim=4000, walk=0.2).play(np.zeros(401))[:, :, 0]
    assert measured[0].std() == 0.0
    assert measured[100].std() == pytest.approx(0.2, rel=0.05)
    assert measured[400].std() == pytest.approx(0.4, rel=0.05)
    steps = np.diff(measured, axis=0)
    assert abs(np.corrcoef(steps[3], steps[4])[0, 1]) < 0.05


def test_noise_is_white_even_behind_a_delay():
    measured = Plant(nsim=1, noise=0.1, delay=0.035).play(np.zeros(4000))[:, 0, 0]
    assert measured.std() == pytest.approx(0.1, rel=0.05)
    assert abs(np.corrcoef(measured[1:], measured[:-1])[0, 1]) < 0.05


@given(st.floats(-1e3, 1e3), st.floats(1e-3, 10.0))
def test_a_quantized_value_is_the_nearest_multiple_of_its_step(value, step):
    result = quantized(np.array([value]), np.array([step]))[0]
    assert abs(result - value) <= 0.5 * step * (1 + 1e-9) + 1e-9
    assert result / step == pytest.approx(round(result / step), abs=1e-6)


def test_a_signal_without_resolution_is_not_quantized():
    value = np.array([0.123456789])
    np.testing.assert_array_equal(quantized(value, np.zeros(1)), value)


def test_the_resolution_is_the_last_thing_that_happens_to_a_value():
    measured = Plant(noise=0.3, bias=0.05, resolution=0.25, seed=1).play(ramp(200))
    np.testing.assert_allclose(measured / 0.25, np.round(measured / 0.25), atol=1e-9)
    assert len(np.unique(measured)) > 3


def test_an_offset_is_not_multiplied_by_the_gain():
    measured = Plant(gain=0.9, bias=0.05).play(ramp(20))
    np.testing.assert_allclose(measured, 0.9 * Plant().play(ramp(20)) + 0.05, atol=1e-12)


ALL = {"gain": 1.1, "bias": 0.1, "noise": 0.02, "drift": 0.1, "walk": 0.1, "resolution": 0.001,
       "dropout": 0.3, "freeze_time": 0.3, "delay": 0.013, "delay_jitter": 0.02}  # fmt: skip


def test_measuring_twice_is_measuring_once():
    once, twice = Plant(nsim=3, **ALL), Plant(nsim=3, **ALL)
    once.reset(0.0), twice.reset(0.0)
    for truth in ramp(40):
        twice.measure(truth), twice.measure(truth, np.array([1]))
        np.testing.assert_array_equal(once.measure(truth), twice.measure(truth))
        once.advance(truth), twice.advance(truth)


def test_more_simulations_and_resets_of_others_change_nothing():
    few, many = Plant(nsim=2, **ALL), Plant(nsim=7, **ALL)
    few.reset(0.0), many.reset(0.0)
    for step, truth in enumerate(ramp(40)):
        if step == 17:
            many.reset(truth, rows=np.array([3, 5]))
        np.testing.assert_array_equal(few.advance(truth), many.advance(truth)[:2])


def test_numbers_of_a_signal_differ_and_so_do_seeds_and_episodes():
    plant = Plant(nsim=2, noise=1.0)
    plant.reset(0.0)
    first = plant.measure(0.0).copy()
    assert len(np.unique(first)) == 4
    plant.clock.begin(1)
    assert (plant.measure(0.0) != first).all()
    assert (Plant(nsim=2, noise=1.0, seed=1).measure(0.0) != first).all()


def test_a_signal_of_a_tilted_imu_is_turned_before_anything_else():
    sensors, clock = Sensors(1, {"gyro": 3, "position": 2}, vectors=("gyro",)), Clock(1, RATE)
    sensors.mounting.expand("tilt")[...] = [0.0, 0.0, np.pi / 2]
    sensors["gyro"].parameters.expand("bias")[:, 0] = 0.5
    truth = {"gyro": np.array([[1.0, 0.0, 2.0]]), "position": np.array([[1.0, 2.0]])}
    sensors.reset(np.arange(1), truth, clock)
    measured = sensors.measure(truth, clock)
    np.testing.assert_allclose(measured["gyro"], [[0.5, -1.0, 2.0]], atol=1e-12)
    np.testing.assert_array_equal(measured["position"], truth["position"])


def orientations(nsim, **flaws):
    """Return sensors of an orientation, and their clock."""
    sensors = Sensors(nsim, {"orientation": 4}, orientations=("orientation",))
    for name, value in flaws.items():
        sensors["orientation"].parameters.expand(name)[...] = value
    return sensors, Clock(nsim, RATE)


def test_a_noisy_orientation_is_turned_about_the_bodys_axes_and_stays_a_rotation():
    sensors, clock = orientations(3000, noise=[0.1, 0.0, 0.02])
    truth = {"orientation": np.tile([0.6, 0.0, 0.8, 0.0], (3000, 1))}
    sensors.reset(np.arange(3000), truth, clock)
    values = sensors.measure(truth, clock)["orientation"]
    np.testing.assert_allclose(np.linalg.norm(values, axis=1), 1.0)
    measured = Rotation.from_quat(values, scalar_first=True)
    error = Rotation.from_quat([0.6, 0.0, 0.8, 0.0], scalar_first=True).inv() * measured
    np.testing.assert_allclose(
        error.as_rotvec().std(axis=0), [0.1, 0.0, 0.02], rtol=0.05, atol=1e-9
    )


@pytest.mark.parametrize("resolution", [0.01, 0.05])
def test_a_quantized_orientation_is_a_rotation_in_steps_of_its_resolution(resolution):
    angle = np.linspace(-0.2, 0.2, 401)
    sensors, clock = orientations(len(angle), resolution=resolution)
    turned = Rotation.from_rotvec(angle[:, None] * [0.0, 1.0, 0.0])
    truth = {"orientation": turned.as_quat(scalar_first=True)}
    sensors.reset(np.arange(len(angle)), truth, clock)
    values = sensors.measure(truth, clock)["orientation"]
    np.testing.assert_allclose(np.linalg.norm(values, axis=1), 1.0)
    seen = Rotation.from_quat(values, scalar_first=True).as_rotvec()[:, 1]
    assert np.abs(seen - angle).max() == pytest.approx(resolution / 2, rel=0.15)
    assert len(np.unique(seen.round(6))) <= 0.4 / resolution + 5


def test_a_delayed_orientation_is_that_of_a_while_ago():
    sensors, clock = orientations(1, delay=0.025)
    sensors.reset(np.arange(1), {"orientation": np.array([[1.0, 0, 0, 0]])}, clock)
    for step in range(1, 20):
        turn = Rotation.from_rotvec([0.0, 0.0, step / RATE])
        truth = {"orientation": turn.as_quat(scalar_first=True)[None]}
        clock.step += 1
        sensors.advance(truth, clock)
        measured = sensors.measure(truth, clock)["orientation"]
    late = Rotation.from_quat(measured[0], scalar_first=True).as_rotvec()
    np.testing.assert_allclose(late, [0.0, 0.0, 19 / RATE - 0.025], atol=1e-6)
    assert np.linalg.norm(measured) == pytest.approx(1.0)


def test_an_orientation_is_lost_as_a_whole():
    sensors, clock = orientations(1, dropout=0.5)
    sensors.reset(np.arange(1), {"orientation": np.ones((1, 4))}, clock)
    for value in range(2, 40):
        truth = {"orientation": np.full((1, 4), float(value))}
        clock.step += 1
        assert len(np.unique(sensors.measure(truth, clock)["orientation"])) == 1


def test_a_sample_of_a_fine_loop_is_lost_for_as_long_as_a_controller_waits_for_the_next():
    plant = Plant(dropout=0.5, seed=2)
    plant.clock.steps_per_sample = 10
    measured = plant.play(ramp(2000))[:, 0, 0]
    fresh = (measured == ramp(2000)).reshape(200, 10)[1:]
    assert (fresh.all(axis=1) | ~fresh.any(axis=1)).all()
    assert fresh.mean() == pytest.approx(0.5, abs=0.1)
