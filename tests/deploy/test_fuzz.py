"""What comes from outside is taken or refused: a short run of `benchmarks/deploy/fuzz.py`."""

import importlib.util
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sim2real.errors import Sim2RealError

PATH = Path(__file__).parents[2] / "benchmarks" / "deploy" / "fuzz.py"
INPUTS = 40  # of each of hypothesis's seeds


@pytest.fixture(scope="module")
def fuzz():
    spec = importlib.util.spec_from_file_location("fuzz", PATH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["udp", "cdr", "serial", "metadata", "recording", "toml"])
def test_no_input_crashes_hangs_or_eats_memory(fuzz, name):
    assert set(fuzz.TARGETS) == {"udp", "cdr", "serial", "metadata", "recording", "toml"}
    target = fuzz.TARGETS[name]()

    @settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.integers(0, 2**32))
    def check(seed):
        done = fuzz.fuzz(target, INPUTS, seed)
        assert done["crashes"] == done["hangs"] == 0, done["first"]
        assert done["memory_bounded"]

    check()


def test_a_crash_and_a_hang_would_be_noticed(fuzz):
    def take(data):
        if data == b"crash":
            raise KeyError(data)
        while data == b"hang":
            pass

    limit = fuzz.SECONDS
    fuzz.SECONDS = 0.05
    try:
        done = fuzz.fuzz(([b"crash", b"hang"], take, None), 40, seed=0)
    finally:
        fuzz.SECONDS = limit
    assert done["crashes"] > 0
    assert done["hangs"] > 0


@pytest.mark.parametrize("name", ["metadata", "toml"])
def test_nesting_without_end_is_refused(fuzz, name):
    corpus, take, _ = fuzz.TARGETS[name]()
    with pytest.raises(Sim2RealError):
        take(corpus[-1])


def test_a_recording_ends_before_a_message_that_is_nested_without_end(fuzz):
    corpus, take, _ = fuzz.TARGETS["recording"]()
    take(corpus[-1])  # its two rows are read
