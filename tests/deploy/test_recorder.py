import contextlib
import json
import os
import signal
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest
from mcap.reader import make_reader

from sim2real.deploy.driver import Measurement
from sim2real.deploy.drivers.cdr import CdrReader
from sim2real.deploy.loop import run
from sim2real.deploy.recorder import Recorder
from sim2real.deploy.recording import STEPS, is_whole, read_recording
from sim2real.deploy.supervisor import Decision, State
from sim2real.errors import LogError
from sim2real.shipped import find_robot
from sim2real.signals import Measured

MS = 1_000_000


def measurement(i, joints=1):
    signals = Measured(position=np.full(joints, 0.1 * i), velocity=np.full(joints, -1.0 / (1 + i)))
    return Measurement(seq=i, stamp=5 * MS * i, received=0, signals=signals)


def running(command):
    return Decision(state=State.RUNNING, command=command, wanted=command)


def record(path, robot, count, **changes):
    with Recorder(path, robot, **changes) as recorder:
        for i in range(count):
            command = np.full(len(robot.driven), 0.01 * i)
            recorder.record(i, measurement(i, len(robot.joints)), running(command))
            if i % 200 == 199:
                time.sleep(0.005)
    return recorder


def test_what_is_recorded_is_read_back_exactly(tmp_path, arm):
    path = tmp_path / "logs" / "run.mcap"
    recorder = record(path, arm, 50, origin={"kind": "test", "seed": 3}, goal=(1, 2))
    trajectory, metadata = read_recording(path)
    assert recorder.dropped == 0
    assert trajectory.joints == ("servo", "free", "motor")
    assert trajectory.driven == ("servo", "motor")
    np.testing.assert_array_equal(trajectory.time, 5 * MS * np.arange(50))
    np.testing.assert_array_equal(trajectory.position[:, 2], 0.1 * np.arange(50))
    np.testing.assert_array_equal(trajectory.velocity[:, 0], -1.0 / (1 + np.arange(50)))
    np.testing.assert_array_equal(trajectory.command[:, 1], 0.01 * np.arange(50))
    assert metadata["origin"] == {"kind": "test", "seed": 3}
    assert metadata["goal"] == [1.0, 2.0]
    assert metadata["robot"] == "arm"


def test_a_recording_is_all_that_foxglove_and_plotjuggler_ask_of_a_file(tmp_path, pendulum):
    """Header, index, statistics, checksums; of each channel a schema and encodings that both know.

    Foxglove wants cdr with ros2msg, PlotJuggler 3 a schema of every channel, or it gives up.
    """
    record(tmp_path / "run.mcap", pendulum, 10)
    assert is_whole(tmp_path / "run.mcap")
    with (tmp_path / "run.mcap").open("rb") as file:
        reader = make_reader(file, validate_crcs=True)
        rows = list(reader.iter_messages())
        assert (reader.get_header().profile, reader.get_header().library) == ("ros2", "sim2real")
        summary = reader.get_summary()
    assert summary.statistics.message_count == len(rows)
    assert summary.statistics.message_start_time == rows[0][2].log_time
    assert len(summary.chunk_indexes) == summary.statistics.chunk_count > 0
    for channel in summary.channels.values():
        schema = summary.schemas[channel.schema_id]
        assert (channel.message_encoding, schema.encoding) == ("cdr", "ros2msg")
        assert schema.data
    assert {c.topic: summary.schemas[c.schema_id].name for c in summary.channels.values()} == {
        "/sim2real/measurement": "std_msgs/msg/String",
        "/sim2real/command": "std_msgs/msg/String",
        "/joint_states": "sensor_msgs/msg/JointState",
        "/joint_commands": "sensor_msgs/msg/JointState",
        "/wanted_commands": "sensor_msgs/msg/JointState",
    }
    (last,) = [m for _, channel, m in rows if channel.topic == "/sim2real/command"][-1:]
    assert json.loads(CdrReader(last.data).text()).keys() == {
        "stamp", "tick", "state", "verdict", "event", "stiffness", "command", "wanted", "goal",
    }  # fmt: skip


def test_rosbags_reads_a_recording_without_being_told_its_types(tmp_path, arm):
    highlevel = pytest.importorskip("rosbags.highlevel")
    before = time.time_ns()
    record(tmp_path / "run.mcap", arm, 50)
    with highlevel.AnyReader([tmp_path / "run.mcap"]) as reader:
        texts = [c for c in reader.connections if c.topic == STEPS[0]]
        text = [reader.deserialize(data, c.msgtype).data for c, _, data in reader.messages(texts)]
        assert [json.loads(each)["seq"] for each in text] == list(range(50))
        read = {"/joint_states": [], "/joint_commands": []}
        for connection, at, data in reader.messages(
            [c for c in reader.connections if c.topic in read]
        ):
            read[connection.topic].append((at, reader.deserialize(data, connection.msgtype)))
    assert [len(rows) for rows in read.values()] == [50, 50]
    for i, ((at, state), (_, command)) in enumerate(zip(*read.values(), strict=True)):
        assert state.name == ["servo", "free", "motor"]
        np.testing.assert_array_equal(state.position, np.full(3, 0.1 * i))
        np.testing.assert_array_equal(state.velocity, np.full(3, -1.0 / (1 + i)))
        assert command.name == ["servo", "motor"]
        np.testing.assert_array_equal(command.position, [0.01 * i, np.nan])
        np.testing.assert_array_equal(command.effort, [np.nan, 0.01 * i])
        assert at + time.monotonic_ns() >= before  # `record` counts its ticks from 0


def test_the_imu_of_a_floating_base_is_one_of_ros_2(tmp_path):
    highlevel = pytest.importorskip("rosbags.highlevel")
    robot = find_robot("quadruped")
    signals = Measured(
        position=np.zeros(12), velocity=np.zeros(12), orientation=np.array([0.8, 0.6, 0.0, 0.0]),
        angular_velocity=np.array([1.0, 2.0, 3.0]),
    )  # fmt: skip
    with Recorder(tmp_path / "run.mcap", robot) as recorder:
        for i in range(3):
            measured = Measurement(seq=i, stamp=i, received=0, signals=signals)
            recorder.record(i, measured, Decision(state=State.DAMP))
    with highlevel.AnyReader([tmp_path / "run.mcap"]) as reader:
        rows = list(reader.messages([c for c in reader.connections if c.topic == "/imu"]))
        imu = reader.deserialize(rows[0][2], rows[0][0].msgtype)
        assert {c.topic: c.msgcount for c in reader.connections}["/joint_commands"] == 0
    assert len(rows) == 3
    assert (imu.orientation.w, imu.orientation.x, imu.orientation.z) == (0.8, 0.6, 0.0)
    assert (imu.angular_velocity.x, imu.angular_velocity.z) == (1.0, 3.0)
    assert imu.linear_acceleration_covariance[0] == -1.0  # not measured


def test_only_steps_in_which_the_source_commanded_are_read(tmp_path, pendulum):
    with Recorder(tmp_path / "run.mcap", pendulum) as recorder:
        recorder.record(0, measurement(0), Decision(state=State.DAMP))
        ready = Decision(state=State.READY, command=np.zeros(1))
        recorder.record(1, measurement(1), ready)
        for i in (2, 3, 3, 4):  # the third step acted on the measurement of the second
            recorder.record(i, measurement(i), running(np.array([0.5 * i])))
        recorder.record(6, measurement(6), Decision(state=State.RUNNING))
    trajectory, _ = read_recording(tmp_path / "run.mcap")
    np.testing.assert_array_equal(trajectory.command[:, 0], [1.0, 1.5, 2.0])


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9, 0.999])
def test_a_truncated_file_is_read_up_to_its_last_complete_chunk(tmp_path, pendulum, share):
    path = tmp_path / "run.mcap"
    record(path, pendulum, 1000)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    trajectory, metadata = read_recording(path)
    n = len(trajectory.time)
    assert n > 1000 * share - 400
    np.testing.assert_array_equal(trajectory.time, 5 * MS * np.arange(n))
    assert metadata["joints"] == ["pivot"]


def test_a_damaged_chunk_ends_the_reading(tmp_path, pendulum):
    path = tmp_path / "run.mcap"
    record(path, pendulum, 1000)
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 6000] = bytes(6000)  # a chunk and the index that follows it
    path.write_bytes(content)
    assert 2 <= len(read_recording(path)[0].time) < 1000


def test_damage_anywhere_is_read_around_or_refused(tmp_path, pendulum):
    path = tmp_path / "run.mcap"
    record(path, pendulum, 400)
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    for place in rng.integers(0, len(whole), 100):
        content = bytearray(whole)
        content[place : place + 4] = rng.bytes(4)
        path.write_bytes(content[: rng.integers(place, len(whole)) + 4])
        with contextlib.suppress(LogError):
            assert 2 <= len(read_recording(path)[0].time) <= 400


def test_what_is_no_recording_is_refused(tmp_path):
    with pytest.raises(LogError, match="cannot be read"):
        read_recording(tmp_path / "nothing.mcap")
    (tmp_path / "text.mcap").write_text("no recording at all")
    with pytest.raises(LogError, match="not an MCAP file"):
        read_recording(tmp_path / "text.mcap")
    (tmp_path / "empty.mcap").write_bytes(b"")
    with pytest.raises(LogError, match="not an MCAP file"):
        read_recording(tmp_path / "empty.mcap")


def test_a_recording_of_no_motion_is_refused(tmp_path, pendulum):
    with Recorder(tmp_path / "run.mcap", pendulum):
        pass
    with pytest.raises(LogError, match="0 rows are no motion"):
        read_recording(tmp_path / "run.mcap")


def test_a_black_box_that_could_not_be_written_is_refused_before_the_run(tmp_path, pendulum):
    (tmp_path / "file").write_text("no folder")
    for place in (tmp_path / "file", tmp_path / "file" / "deeper"):
        with (
            pytest.raises(LogError, match=r"run\.mcap cannot be written"),
            Recorder(place / "run.mcap", pendulum, black_box=True),
        ):
            pass


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_black_box_where_nothing_may_be_written_is_refused(tmp_path, pendulum):
    tmp_path.chmod(0o555)
    with (
        pytest.raises(LogError, match=r"cannot be written: you may not write to .* another folder"),
        Recorder(tmp_path / "trips" / "run.mcap", pendulum, black_box=True),
    ):
        pass


def test_a_recording_is_whole_only_with_its_end(tmp_path, pendulum):
    path = tmp_path / "run.mcap"
    record(path, pendulum, 400)
    whole = path.read_bytes()
    assert is_whole(path)
    for content in (whole[:-100], whole[: len(whole) // 2]):
        path.write_bytes(content)
        assert not is_whole(path)


def test_a_recording_is_not_overwritten(tmp_path, pendulum):
    record(tmp_path / "run.mcap", pendulum, 10)
    with pytest.raises(LogError, match="not overwritten"):
        record(tmp_path / "run.mcap", pendulum, 10)


def test_a_ring_that_runs_over_counts_the_rows_and_never_waits(tmp_path, pendulum):
    with Recorder(tmp_path / "run.mcap", pendulum) as recorder:
        writer = recorder._process
        assert writer is not None
        os.kill(writer.pid, signal.SIGSTOP)
        for i in range(5000):
            recorder.record(i, measurement(i), running(np.zeros(1)))
        os.kill(writer.pid, signal.SIGCONT)
    assert 0 < recorder.dropped < 5000
    assert len(read_recording(tmp_path / "run.mcap")[0].time) == 5000 - recorder.dropped


def test_a_writer_that_died_is_an_error_after_the_run_not_in_it(tmp_path, pendulum):
    def play():
        with Recorder(tmp_path / "run.mcap", pendulum) as recorder:
            assert recorder._process is not None
            recorder._process.kill()
            recorder._process.wait()
            for i in range(100):
                recorder.record(i, measurement(i), running(np.zeros(1)))

    with pytest.raises(LogError, match="last rows are missing"):
        play()


def test_a_recording_is_complete_although_the_control_process_was_killed(tmp_path, pendulum):
    code = """
        import os, signal, sys, time
        from pathlib import Path
        import numpy as np
        from sim2real.deploy.driver import Measurement
        from sim2real.deploy.recorder import Recorder
        from sim2real.deploy.supervisor import Decision, State
        from sim2real.shipped import find_robot
        from sim2real.signals import Measured

        with Recorder(Path(sys.argv[1]), find_robot("pendulum")) as recorder:
            for i in range(300):
                still = Measured(position=np.zeros(1), velocity=np.zeros(1))
                row = Measurement(seq=i, stamp=i, received=0, signals=still)
                recorder.record(i, row, Decision(state=State.RUNNING, command=np.zeros(1)))
            os.kill(os.getpid(), signal.SIGKILL)
    """
    path = tmp_path / "run.mcap"
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code), str(path)], check=False)
    assert done.returncode == -signal.SIGKILL
    end = time.monotonic() + 10.0
    while not path.read_bytes().endswith(b"MCAP0\r\n"):  # the writer finishes by itself
        assert time.monotonic() < end
        time.sleep(0.01)
    assert len(read_recording(path)[0].time) == 300


def test_a_run_is_recorded(tmp_path, rig, pendulum, fakes):
    clock, driver = rig
    source = fakes[2](lambda i: [0.001 * i])
    with Recorder(tmp_path / "run.mcap", pendulum, origin=source.origin) as recorder:
        summary = run(source, driver, seconds=1.0, recorder=recorder, clock=clock)
    trajectory, metadata = read_recording(tmp_path / "run.mcap")
    assert summary.dropped_rows == recorder.dropped == 0
    assert metadata["origin"] == {"kind": "fake"}
    assert trajectory.rate == pytest.approx(100.0)
    np.testing.assert_array_equal(trajectory.command[:, 0], 0.001 * np.arange(100))


def test_a_black_box_writes_its_last_half_minute_when_told_and_else_nothing(tmp_path, pendulum):
    for told in (False, True):
        path = tmp_path / "trips" / f"{told}.mcap"
        with Recorder(path, pendulum, black_box=True) as recorder:
            for i in range(5000):
                recorder.record(i, measurement(i), running(np.full(1, 0.1 * i)))
            if told:
                recorder.keep()
        assert path.exists() == told
    trajectory, _ = read_recording(path)
    assert len(trajectory.time) == 30 * 100 - 1
    assert trajectory.command[-1] == pytest.approx(0.1 * 4999)


def test_a_black_box_survives_a_process_that_is_killed(tmp_path, pendulum):
    code = """
        import os, signal, sys
        from pathlib import Path
        import numpy as np
        from sim2real.deploy.driver import Measurement
        from sim2real.deploy.recorder import Recorder
        from sim2real.deploy.supervisor import Decision, State
        from sim2real.shipped import find_robot
        from sim2real.signals import Measured

        with Recorder(Path(sys.argv[1]), find_robot("pendulum"), black_box=True) as recorder:
            for i in range(300):
                still = Measured(position=np.zeros(1), velocity=np.zeros(1))
                row = Measurement(seq=i, stamp=i, received=0, signals=still)
                recorder.record(i, row, Decision(state=State.RUNNING, command=np.zeros(1)))
            os.kill(os.getpid(), signal.SIGKILL)
    """
    path = tmp_path / "run.mcap"
    subprocess.run([sys.executable, "-c", textwrap.dedent(code), str(path)], check=False)
    end = time.monotonic() + 20.0
    while not (path.exists() and path.read_bytes().endswith(b"MCAP0\r\n")):
        assert time.monotonic() < end
        time.sleep(0.01)
    assert len(read_recording(path)[0].time) == 300
