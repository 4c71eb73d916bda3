import io
from itertools import pairwise

from rich.console import Console

from sim2real.calibration.calibrate import calibrate
from sim2real.calibration.progress import Progress
from sim2real.calibration.recipe import Choice, Cut
from sim2real.commands import console

MASS, DRY = "body.bob.mass", "joint.pivot.frictionloss"


def test_parts_lie_in_their_whole_and_steps_never_reach_its_end():
    told = []
    part = Progress(lambda *what: told.append(what)).span(0.2, 0.6, "fit").part(1, 2)
    part.start()
    for number in range(40):
        part.step(number)
    shares = [share for _, share in told]
    assert shares[0] == shares[1] == 0.4
    assert all(a < b < 0.6 for a, b in pairwise(shares[1:]))
    assert [message for message, _ in told[:2]] == ["fit", "fit, step 1"]


def test_the_bar_is_drawn_on_a_terminal_and_written_to_no_file(monkeypatch):
    for terminal in (True, False):
        drawn = io.StringIO()
        notes = Console(file=drawn, force_terminal=terminal, width=100)
        monkeypatch.setattr(console, "notes", notes)
        with console.passing_bar() as draw:
            draw("fitting 5 parameters to 2 logs, step 3", 0.4)
        assert ("step 3" in drawn.getvalue()) == ("40/100 %" in drawn.getvalue()) == terminal
        assert bool(drawn.getvalue()) == terminal


def test_a_calibration_tells_each_stage_and_how_far_it_is(pendulum, recipe, record):
    told = []
    logs = [record({MASS: 0.6}, seconds=3.0, seed=seed) for seed in (0, 1)]
    chosen = recipe(
        MASS, DRY, windows=Cut(horizons=(0.5,)), choose=Choice(classes={"a": (), "b": (DRY,)})
    )
    calibrate(pendulum, chosen, logs, on_progress=lambda *what: told.append(what))
    shares = [share for _, share in told]
    assert shares[0] == 0.0
    assert shares == sorted(shares)
    assert 0.85 < shares[-1] < 1.0
    messages = " | ".join(message for message, _ in told)
    stages = ("reading twin-1", "choosing a model: b, step 1", "parameters to 2 logs, step", "pred")
    places = [messages.index(stage) for stage in stages]
    assert places == sorted(places)
