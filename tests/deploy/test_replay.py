import dataclasses
import json

import numpy as np
import pytest
from mcap.reader import make_reader
from mcap.writer import Writer

from sim2real.deploy.drivers.cdr import CdrReader
from sim2real.deploy.loop import run
from sim2real.deploy.recorder import Recorder
from sim2real.deploy.recording import STEPS
from sim2real.deploy.replay import replay
from sim2real.errors import LogError


@pytest.fixture
def recorded(tmp_path, arm, fakes):
    """A run of one second on an arm, and a source that does the same again."""

    def source():
        made = fakes[2](lambda i: [0.5 + 0.1 * np.sin(0.1 * i), 5.0 if i == 110 else 1.0 / (1 + i)])
        made.warms_up = made.blended = True
        return made

    clock = fakes[0]({90: 0.05, 97: 0.007})
    driver, path = fakes[1](arm, clock), tmp_path / "run.mcap"
    driver.position[0] = 0.1
    with Recorder(path, arm) as recorder:
        summary = run(source(), driver, seconds=1.0, clock=clock, recorder=recorder)
    assert (summary.ended, summary.clips) == ("done", 1)
    return path, source


def edited(path, number, topic, edit):
    """Write the recording again, with one message changed; return its path."""
    other = path.with_name(f"edited-{number}.mcap")
    with path.open("rb") as source, other.open("wb") as target:
        reader, writer = make_reader(source), Writer(target)
        writer.start(profile="", library="test")
        for metadata in reader.iter_metadata():
            writer.add_metadata(metadata.name, metadata.metadata)
        counts = dict.fromkeys(("measurement", "command"), -1)
        # JSON without a schema, as earlier versions recorded it
        ids = {kind: writer.register_channel(kind, "json", 0) for kind in counts}
        for _, channel, message in reader.iter_messages(topics=STEPS):
            kind = channel.topic.rpartition("/")[2]
            content = json.loads(CdrReader(message.data).text())
            counts[kind] += 1
            if (kind, counts[kind]) == (topic, number):
                edit(content)
            writer.add_message(ids[kind], message.log_time, json.dumps(content).encode(),
                               message.publish_time)  # fmt: skip
        writer.finish()
    return other


def test_a_run_replays_bit_for_bit(recorded, arm):
    path, source = recorded
    found = replay(path, source(), arm)
    assert found.difference is None
    assert found.steps > 100


def test_a_robot_that_damped_by_itself_ends_the_replay_as_it_ended_the_run(tmp_path, arm, fakes):
    clock = fakes[0]()
    driver, path = fakes[1](arm, clock), tmp_path / "run.mcap"
    driver.reading = lambda measured: dataclasses.replace(measured, acting=measured.seq < 60)
    with Recorder(path, arm) as recorder:
        summary = run(fakes[2](lambda i: [0.5, 0.0]), driver, seconds=1.0, clock=clock,
                      recorder=recorder)  # fmt: skip
    assert "the robot damped" in summary.reason
    found = replay(path, fakes[2](lambda i: [0.5, 0.0]), arm)
    assert (found.steps, found.difference) == (60, None)


@pytest.mark.parametrize("number", [60, 85, 110])
@pytest.mark.parametrize("joint", [0, 1])
def test_a_command_that_was_edited_is_named_with_its_step(recorded, arm, number, joint):
    path, source = recorded

    def edit(content):
        content["command"][joint] = float(np.nextafter(content["command"][joint], 9.0))

    found = replay(edited(path, number, "command", edit), source(), arm)
    assert found.steps == number + 1
    assert found.difference.step == number
    assert found.difference.signal == f"command of {('servo', 'motor')[joint]!r}"
    assert found.difference.recorded == np.nextafter(found.difference.replayed, 9.0)


def test_a_measurement_that_was_edited_changes_what_is_decided_there(recorded, arm):
    path, source = recorded
    far = edited(path, 100, "measurement", lambda content: content.update(position=[9.0, 0, 0]))
    found = replay(far, source(), arm)
    assert found.difference.step == 100
    assert found.difference.signal == "wanted"  # it trips: the source is not asked


@pytest.mark.parametrize(("field", "value"), [("state", 1), ("verdict", 1), ("stiffness", 0.5)])
def test_an_edited_decision_is_named(recorded, arm, field, value):
    path, source = recorded
    found = replay(edited(path, 100, "command", lambda c: c.update({field: value})), source(), arm)
    assert (found.difference.step, found.difference.signal) == (100, field)


def test_another_source_is_told_by_the_first_command_it_wants_otherwise(recorded, arm):
    path, source = recorded
    other = source()
    function = other.function
    other.function = lambda i: function(i) + np.array([0.0, 1e-15 if i == 115 else 0.0])
    found = replay(path, other, arm)
    assert found.difference.signal == "wanted of 'motor'"


def test_the_envelope_of_the_recording_holds_not_that_of_today(recorded, arm):
    path, source = recorded
    options = dataclasses.replace(arm.envelope, lag=1e-6)
    assert replay(path, source(), dataclasses.replace(arm, envelope=options)).difference is None


def test_what_was_recorded_by_an_older_version_is_refused(recorded, arm, tmp_path):
    path = tmp_path / "old.mcap"
    with path.open("wb") as file:
        writer = Writer(file)
        writer.start(profile="", library="test")
        writer.add_metadata("sim2real", {"robot": '"arm"'})
        writer.finish()
    with pytest.raises(LogError, match="older version"):
        replay(path, recorded[1](), arm)
