import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sim2real.sim import delay_line


@given(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=12), st.floats(0.0, 20.0))
def test_reading_is_linear_interpolation_and_ends_at_the_oldest(samples, lag):
    past = np.array(samples)[None, :, None]
    read = delay_line.read(past, np.array([[lag]]))[0, 0]
    np.testing.assert_allclose(read, np.interp(lag, np.arange(len(samples)), samples), atol=1e-9)


def test_a_deeper_past_reads_the_same():
    past = np.random.default_rng(0).normal(size=(3, 4, 2))
    lag = np.full((3, 2), 7.3)
    deeper = delay_line.deepened(past, 10)
    assert deeper.shape == (3, 10, 2)
    np.testing.assert_array_equal(delay_line.read(past, lag), delay_line.read(deeper, lag))


def test_pushing_makes_the_newest_the_oldest_in_as_many_steps_as_it_is_deep():
    past = np.zeros((1, 3, 1))
    for value in (1.0, 2.0, 3.0):
        delay_line.push(past, np.full((1, 1), value))
    np.testing.assert_array_equal(past[0, :, 0], [3.0, 2.0, 1.0])
