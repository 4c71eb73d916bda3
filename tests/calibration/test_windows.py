from dataclasses import replace

import numpy as np
import pytest

from sim2real.calibration.recipe import Cut, Logs
from sim2real.calibration.smoothing import local_state
from sim2real.calibration.windows import Grid, cut
from sim2real.trajectory import Trajectory

GRID = Grid(timestep=0.001, every=10, history=20, hinge=np.array([True]))


def trajectory(position: np.ndarray, hz: float = 100.0) -> Trajectory:
    rows = np.arange(len(position))
    return Trajectory(
        joints=("pivot",),
        driven=("pivot",),
        time=(rows * 1e9 / hz).astype(np.int64),
        position=position[:, None],
        velocity=np.zeros((len(position), 1)),
        command=rows[:, None].astype(float),
        source="logs/swing.csv",
    )


@pytest.fixture
def swing() -> Trajectory:
    return trajectory(np.sin(np.arange(500) * 0.03))


def test_a_state_is_exact_on_a_cubic():
    time = np.array([-0.04, -0.027, -0.01, 0.0, 0.011, 0.02, 0.04])
    state = local_state(time, (1 + 2 * time - 3 * time**2 + 40 * time**3)[:, None])
    np.testing.assert_allclose([state.position[0], state.velocity[0]], [1.0, 2.0])


def test_the_state_of_quantized_positions_is_as_sure_as_it_says():
    time = np.arange(-20, 21) * 0.0025
    rng = np.random.default_rng(0)
    truth = np.stack([rng.uniform(-1, 1, 400), rng.uniform(1, 6, 400)], axis=1)
    exact = truth[:, :1] + truth[:, 1:] * time - 5 * time**2
    lsb = 2.9e-3
    states = [local_state(time, (np.round(row / lsb) * lsb)[:, None]) for row in exact]
    errors = np.array([[s.position[0], s.velocity[0]] for s in states]) - truth
    said = np.sqrt(np.diag(states[0].covariance) * lsb**2 / 12)
    np.testing.assert_allclose(errors.std(axis=0), said, rtol=0.15)


def test_a_window_holds_commands_in_physics_steps_and_positions_on_the_grid(swing, recipe):
    windows = cut([swing], recipe("body.bob.mass", avoid={}), GRID, 0.5)
    start = round(windows.start[0] * 100)
    assert windows.command.shape[1:] == (500, 1)
    np.testing.assert_array_equal(windows.command[0, ::10, 0], np.arange(start, start + 50))
    np.testing.assert_array_equal(windows.command[0, 9::10, 0], np.arange(start, start + 50))
    np.testing.assert_array_equal(windows.before[0, ::10, 0], [start - 2, start - 1])
    expected = swing.position[start + 1 : start + 51]
    np.testing.assert_allclose(windows.measured[0], expected, atol=1e-12)
    np.testing.assert_allclose(windows.position[0], swing.position[start], atol=1e-6)


def test_a_log_at_another_rate_is_interpolated(recipe):
    log = trajectory(np.sin(np.arange(1500) * 0.01), hz=300.0)
    windows = cut([log], recipe("body.bob.mass", avoid={}), GRID, 0.5)
    times = windows.start[1] + np.arange(1, 51) * 0.01
    np.testing.assert_allclose(windows.measured[1, :, 0], np.sin(3 * times), atol=1e-4)


def test_what_is_left_out_is_counted_by_reason(swing, recipe):
    position = swing.position.copy()
    position[250:] = 0.3
    time = swing.time.copy()
    time[450:] += 200_000_000
    log = replace(swing, position=position, time=time)
    chosen = recipe(
        "body.bob.mass",
        avoid={"pivot": ((0.9, 1.1),)},
        logs=Logs(exclude={"sw*.csv": ((1.7, 1.8),)}),
        windows=Cut(seconds=0.2, stride=0.2),
    )
    windows = cut([log], chosen, GRID, 0.2)
    assert windows.dropped.keys() == {
        "at rest",
        "enters a stretch that pivot avoids",
        "excluded by the recipe",
        "gap in the time stamps",
    }
    assert windows.dropped["excluded by the recipe"] == 1
    assert len(windows) > 0


def test_a_pendulum_at_rest_is_at_rest_however_noisy(recipe):
    log = trajectory(np.random.default_rng(0).normal(0, 0.02, 500))
    windows = cut([log], recipe("body.bob.mass", avoid={}), GRID, 0.5)
    assert len(windows) == 0
    assert set(windows.dropped) == {"at rest"}


def test_avoided_stretches_are_modulo_a_turn(recipe):
    turning = trajectory(np.arange(500) * 0.05 - 12.0)
    windows = cut([turning], recipe("body.bob.mass", windows=Cut(stride=0.1)), GRID, 0.1)
    angle = np.mod(windows.measured, 2 * np.pi)
    assert len(windows) > 10
    assert not ((angle > 2.34) & (angle < 3.94)).any()


def test_a_wrapped_angle_is_unwrapped(recipe):
    turning = np.arange(500) * 0.05
    wrapped = np.mod(turning + np.pi, 2 * np.pi) - np.pi
    chosen = recipe("body.bob.mass", avoid={})
    a, b = (cut([trajectory(x)], chosen, GRID, 0.5) for x in (turning, wrapped))
    np.testing.assert_allclose(a.measured, b.measured)


def test_a_log_shorter_than_a_window_gives_none(recipe):
    log = trajectory(np.sin(np.arange(20) * 0.1))
    assert len(cut([log], recipe("body.bob.mass"), GRID, 0.5)) == 0
