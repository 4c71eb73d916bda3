"""Experiment C2 of the benchmarks, with fewer sequences."""

import importlib.util
import sys
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

_PATH = Path(__file__).parents[2] / "benchmarks/deploy/fault_sequences.py"
_SPEC = importlib.util.spec_from_file_location("fault_sequences", _PATH)
fault_sequences = importlib.util.module_from_spec(_SPEC)
sys.modules["fault_sequences"] = fault_sequences
_before = sys.path.copy()
_SPEC.loader.exec_module(fault_sequences)
sys.path[:] = _before


@settings(max_examples=100, deadline=None)
@given(fault_sequences.sequences)
def test_no_command_that_is_not_finite_or_beyond_the_envelope_ever_leaves(sequence):
    assert fault_sequences.play(sequence).bad == []


@settings(max_examples=30, deadline=None)
@given(name=st.sampled_from(fault_sequences.AT_ONCE), first=st.integers(0, 60))
def test_what_one_measurement_betrays_is_never_acted_on(name, first):
    witness = fault_sequences.Witness(faults=[(first, 5, name)])
    policy = fault_sequences.Policy("sines", 0, 0)
    fault_sequences.run(policy, witness, seconds=2.0, clock=witness.arm)
    assert witness.faulty_steps == 0


def test_a_fault_free_run_does_not_trip():
    assert fault_sequences._nominal(0.02)["false_trips"] == 0
