import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sim2real import spool
from sim2real.spool import Spool, blocks


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sizes=st.lists(st.integers(0, 40)), memory=st.sampled_from([0, 100, 10**6]))
def test_what_is_spooled_is_what_was_appended(monkeypatch, sizes, memory):
    monkeypatch.setattr(spool, "MEMORY", memory)
    rng = np.random.default_rng(len(sizes))
    parts = [rng.standard_normal((size, 3)) for size in sizes]
    grown = Spool(3)
    for part in parts:
        grown.append(part)
    assert len(grown) == sum(sizes)
    np.testing.assert_array_equal(grown.array(), np.concatenate([np.empty((0, 3)), *parts]))


def test_rows_appended_do_not_change_with_the_block_they_came_from():
    block, grown = np.zeros(4), Spool()
    grown.append(block)
    block[:] = 1.0
    assert not grown.array().any()


def test_beyond_its_memory_it_is_mapped_from_a_file_that_has_no_name(monkeypatch, tmp_path):
    monkeypatch.setattr(spool, "MEMORY", 100)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    grown = Spool(dtype=np.int64)
    grown.append(np.arange(1000))
    array = grown.array()
    assert isinstance(array, np.memmap)
    assert list(tmp_path.iterdir()) == []
    del grown
    np.testing.assert_array_equal(array, np.arange(1000))


def test_rows_of_another_shape_are_refused():
    with pytest.raises(ValueError, match="reshape"):
        Spool(3).append(np.zeros((5, 2)))


def test_blocks_are_all_rows_once():
    assert [(part.start, part.stop) for part in blocks(10, 4)] == [(0, 4), (4, 8), (8, 10)]
    assert list(blocks(0)) == []
