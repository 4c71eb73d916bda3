import io
import json

import pytest
from rich.console import Console

from sim2real.deploy.envelope.verdict import Verdict
from sim2real.deploy.live.terminal import bar, table
from sim2real.deploy.live.view import Pulse, snapshot
from sim2real.deploy.supervisor import State

MS = 1_000_000
EVEN = range(0, 2000 * MS, 20 * MS)


def test_a_run_that_has_not_begun_is_off(run):
    assert snapshot(run.facts, run.ring)["state"] == "OFF"


def test_rate_jitter_and_age_are_those_of_the_rows(run):
    run.rows(EVEN)
    told = snapshot(run.facts, run.ring)
    assert told["rate"] == pytest.approx(50.0)
    assert told["jitter_ms"] == pytest.approx({"p50": 0.0, "p99": 0.0, "max": 0.0})
    assert told["age_ms"]["p50"] == pytest.approx(3.0)
    assert (told["state"], told["skipped"]) == ("RUNNING", 0)


def test_a_step_that_was_skipped_is_told(run):
    run.rows([tick for tick in EVEN if tick != 400 * MS])
    told = snapshot(run.facts, run.ring)
    assert told["skipped"] == 1
    assert told["jitter_ms"]["max"] == pytest.approx(20.0)


def test_the_joint_nearest_its_limit_is_first(run):
    # the envelope believes the servo's position from -1.1 to 1.6: 0.1 of a half range of 1.35
    run.rows(EVEN, position=(1.5, 0.0, 0.0))
    first = snapshot(run.facts, run.ring)["margins"][0]
    assert first["name"] == "position of 'servo'"
    assert first["margin"] == pytest.approx(0.1 / 1.35)


def test_what_training_never_met_is_told_in_widths_of_what_it_met(run):
    run.rows(EVEN, position=(1.5, 0.0, 0.0))
    outside = snapshot(run.facts, run.ring)["outside"]
    assert outside == {"name": "position of 'servo'", "by": pytest.approx(0.25)}


def test_the_share_of_changed_commands_is_that_of_the_running_steps(run):
    run.rows(range(0, 1000 * MS, 20 * MS), verdict=Verdict.CLIP)
    run.rows(range(1000 * MS, 2000 * MS, 20 * MS))
    assert snapshot(run.facts, run.ring)["intervention"] == pytest.approx(0.5)


def test_a_trip_says_why(run):
    run.rows(EVEN)
    run.rows([2000 * MS], verdict=Verdict.TRIP, state=State.DAMP)
    told = snapshot(run.facts, run.ring)
    assert (told["state"], told["reason"]) == ("DAMP", "because")


def test_a_trip_that_was_rearmed_is_no_longer_told(run):
    run.rows([0, 20 * MS], verdict=Verdict.TRIP, state=State.DAMP)
    run.rows([40 * MS], state=State.DAMP)
    assert snapshot(run.facts, run.ring)["reason"] == "because"
    run.rows([60 * MS], state=State.READY)
    assert snapshot(run.facts, run.ring)["reason"] == ""


def test_what_is_not_finite_is_still_json_and_beyond_all_limits(run):
    run.rows(EVEN, position=(float("nan"), 0.0, 0.0))
    told = json.loads(json.dumps(snapshot(run.facts, run.ring), allow_nan=False))
    assert told["margins"][0]["margin"] == -1.0


def test_the_terminal_shows_it_all(run):
    run.rows(EVEN, position=(1.5, 0.0, 0.0))
    run.ring.reason = "it fell"
    console = Console(width=100, file=io.StringIO())
    console.print(table(snapshot(run.facts, run.ring)))
    text = console.file.getvalue()
    for words in ("RUNNING", "it fell", "50.00 Hz", "position of 'servo'", "25% outside"):
        assert words in text


def test_a_run_that_hangs_is_not_shown_as_running(run):
    run.rows(EVEN)
    seconds = iter([0.0, 0.2, 2.4, 2.5])
    pulse = Pulse(run.ring, lambda: next(seconds))
    assert pulse.silent() == 0.2
    assert pulse.silent() == 2.4
    console = Console(width=100, file=io.StringIO())
    console.print(table(snapshot(run.facts, run.ring), 2.4))
    assert "no control step for 2 s: the run hangs" in console.file.getvalue()
    run.rows([2020 * MS])
    assert pulse.silent() == 0.0


def test_a_bar_is_as_long_as_its_share():
    assert [bar(share, 4) for share in (-1.0, 0.0, 0.5, 1.0, 2.0)] == [
        "····", "····", "━━··", "━━━━", "━━━━",
    ]  # fmt: skip
