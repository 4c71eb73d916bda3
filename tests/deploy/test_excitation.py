import numpy as np
import pytest

from sim2real.deploy.excitation import Excitation
from sim2real.errors import ConfigError
from sim2real.signals import Measured

KINDS = ["multisine", "chirp", "steps"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_motor_stays_within_its_amplitude_and_begins_and_ends_at_rest(pendulum, kind):
    signal = Excitation(pendulum, kind=kind, amplitude=0.6).signal
    assert signal.shape == (1000, 1)
    assert np.abs(signal).max() == pytest.approx(0.6 * 2.0)
    assert np.abs(signal[[0, -1]]).max() < 1e-9
    assert np.abs(np.diff(signal[:20], axis=0)).max() < 0.05


@pytest.mark.parametrize("kind", KINDS)
def test_a_servo_stays_within_its_limits_of_place_and_speed(arm, kind):
    signal = Excitation(arm, kind=kind, amplitude=1.0).signal
    assert np.abs(signal[:, 0] - 0.5).max() <= 0.5 * 1.0 + 1e-9
    assert np.abs(np.diff(signal[:, 0])).max() * 50 <= 0.5 * 2.0 + 1e-9
    assert signal[0, 0] == pytest.approx(0.5)


def test_the_seed_alone_decides_the_signal(pendulum):
    first, same, other = (Excitation(pendulum, seed=seed).signal for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, same)
    assert np.abs(first - other).max() > 0.5


def test_a_multisine_has_its_energy_in_the_band(pendulum):
    signal = Excitation(pendulum, seconds=40.0, band=(0.5, 2.0)).signal[:, 0]
    power = np.abs(np.fft.rfft(signal)) ** 2
    frequency = np.fft.rfftfreq(len(signal), 0.01)
    assert power[(frequency > 0.45) & (frequency < 2.05)].sum() > 0.98 * power.sum()


def test_joints_do_not_move_alike(arm):
    signal = Excitation(arm, seconds=30.0).signal
    assert abs(np.corrcoef(signal.T)[0, 1]) < 0.5


def test_after_its_end_it_rests(arm):
    source = Excitation(arm, seconds=5.0)
    nothing = Measured(position=np.zeros(3), velocity=np.zeros(3))
    played = [source.step(nothing, np.zeros(0)) for _ in range(260)]
    np.testing.assert_array_equal(played[255], [0.5, 0.0])
    source.reset(np.zeros(2))
    np.testing.assert_array_equal(source.step(nothing, np.zeros(0)), source.signal[0])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kind": "chrip"}, "did you mean 'chirp'"),
        ({"amplitude": 1.5}, r"must be in \(0, 1\]"),
        ({"band": (2.0, 1.0)}, r"\[low, high\]"),
        ({"band": (1.0, 60.0)}, "a quarter of control_hz"),
        ({"seconds": 0.5}, "play longer"),
    ],
)
def test_an_impossible_excitation_is_refused(pendulum, arguments, message):
    with pytest.raises(ConfigError, match=message):
        Excitation(pendulum, **arguments)


def test_the_default_swings_the_pendulum_far_without_saturating_or_tripping(pendulum):
    batch = pytest.importorskip("sim2real.sim.mujoco_batch")
    one, zero = np.zeros(1, np.int32), np.zeros((1, 1))
    far = []
    for seed in range(4):
        sim = batch.MujocoSimulator(pendulum, 1)
        sim.reset(one, zero, zero, zero)
        source = Excitation(pendulum, seconds=20.0, seed=seed)
        path = []
        for command in source.signal:
            sim.step(command[None])
            path.append([sim.position[0, 0], sim.velocity[0, 0]])
        far.append(np.abs(path).max(axis=0))
        assert np.mean(np.abs(source.signal) >= 1.99) == 0.0
    assert np.median(far, axis=0)[0] > 1.0
    assert np.max(far, axis=0)[1] < 0.7 * 20.0
