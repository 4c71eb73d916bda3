import numpy as np
import pytest

from sim2real.errors import ConfigError
from sim2real.randomization.adaptive.bayrn import BayRn, BayRnSettings

NONE = np.empty((0, 1)), np.empty(0, bool)


def earned(source):
    """Return what a policy earns whose best range is [2.0, 6.0]: 0 there, less elsewhere."""
    low, high = source.ranges["body.link0.mass"].distribution.support
    return np.array([-((low - 2.0) ** 2) - (high - 6.0) ** 2])


def observe(bayrn):
    return bayrn.observe(NONE[0], earned(bayrn.source), NONE[1])


def test_it_finds_the_best_range_in_few_evaluations(box):
    bayrn = BayRn(box([5.0], [0.0, 10.0]), BayRnSettings(noise=0.01))
    for _ in range(16):
        observe(bayrn)
    low, high = bayrn.best.ranges["body.link0.mass"].distribution.support
    assert low == pytest.approx(2.0, abs=0.3)
    assert high == pytest.approx(6.0, abs=0.3)
    assert bayrn.metrics()["best_return"] == earned(bayrn.best)


def test_the_first_ranges_are_spread_over_the_declared_one(box):
    bayrn = BayRn(box([5.0], [0.0, 10.0]), BayRnSettings(initial=8, narrowest=0.1))
    supports = []
    for _ in range(8):
        supports.append(bayrn.source.ranges["body.link0.mass"].distribution.support)
        observe(bayrn)
    low, high = np.array(supports).T
    assert ((low >= 0) & (high <= 10) & (high - low >= 1 - 1e-9)).all()
    starts, lengths = low / 9.0, (high - low - 1.0) / (9.0 - low)
    for share in (starts, lengths):  # one in each eighth
        np.testing.assert_array_equal(np.sort((8 * share).astype(int)), np.arange(8))


def test_a_search_can_be_resumed(box):
    one, other = (BayRn(box([5.0], [0.0, 10.0]), BayRnSettings(initial=3)) for _ in range(2))
    for _ in range(5):
        observe(one)
    other.load_state_dict(one.state_dict())
    assert other.source == one.source
    assert other.best == one.best
    assert observe(one) == observe(other)


def test_returns_that_are_all_alike_stop_nothing(box):
    bayrn = BayRn(box([5.0], [0.0, 10.0]), BayRnSettings(initial=2))
    for _ in range(4):
        bayrn.observe(NONE[0], np.zeros(3), NONE[1])


@pytest.mark.parametrize(
    "wrong", [{"initial": 1}, {"narrowest": 0.0}, {"noise": 0.0}, {"improvement": -1.0}]
)
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(ConfigError, match="bayrn"):
        BayRnSettings(**wrong)
