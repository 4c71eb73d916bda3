"""The verbs that drive: preflight, deploy, replay, against a virtual robot in its own process."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time

import pytest
import torch
from mcap.reader import make_reader
from mcap.writer import Writer

from sim2real.deploy.driver import connected
from sim2real.deploy.drivers.cdr import CdrReader
from sim2real.deploy.drivers.ros2_messages import text_message
from sim2real.deploy.drivers.udp import UdpDriver
from sim2real.deploy.recording import STEPS
from sim2real.export.onnx_file import export
from sim2real.robot import Robot
from sim2real.shipped import find_robot
from sim2real.sim.kinematics import Kinematics
from sim2real.sim.model import compile_model
from sim2real.tasks import make_task
from sim2real.training.policy import Policy


@pytest.fixture(scope="module")
def slow(tmp_path_factory):
    """The folder of a pendulum that is controlled ten times a second, so that time is no matter."""
    folder = tmp_path_factory.mktemp("robots") / "slow"
    shutil.copytree(find_robot("pendulum").folder, folder)
    text = (folder / "robot.toml").read_text()
    (folder / "robot.toml").write_text(text.replace("control_hz = 100", "control_hz = 10"))
    return folder


@pytest.fixture(scope="module")
def controller(slow):
    """A controller for it, of a policy that has learned nothing."""
    torch.manual_seed(0)
    robot, path = Robot.load(slow), slow / "controller.onnx"
    task = make_task(robot, Kinematics(robot, compile_model(robot)))
    policy = Policy((task.nobs, 8, 1), "tanh")
    seen = {"position": ((-1e9,), (1e9,)), "velocity": ((-0.01,), (0.01,))}
    export(policy, robot, task, path, seen=seen, trained_on={}, origin={})
    return path


@pytest.fixture(scope="module")
def address(slow, tmp_path_factory):
    """Where its virtual robot listens."""
    log = tmp_path_factory.mktemp("robot") / "log"
    command = [sys.executable, "-m", "sim2real", "robot", slow, "--nominal", "--engine", "mujoco"]
    command += ["--rate", "50", "--address", "127.0.0.1:0"]
    with log.open("w") as output:
        process = subprocess.Popen(command, stderr=output)
        try:
            found, end = None, time.monotonic() + 60.0
            while found is None:
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < end, log.read_text()
                time.sleep(0.05)
                found = re.search(r"listens at (\S+:\d+)", log.read_text())
            yield found[1]
        finally:
            process.terminate()
            process.wait(timeout=20)


@contextlib.contextmanager
def watched(slow, address):
    """Yield what a client that only watches hears meanwhile."""
    heard, done = [], threading.Event()

    def watch():
        with connected(UdpDriver(Robot.load(slow), address, watch=True)) as driver:
            while not done.wait(0.05):
                heard.append(driver.read())

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield heard
    finally:
        done.set()
        thread.join()


def test_in_shadow_the_robot_hears_nothing_and_all_is_recorded(sim2real, slow, controller, address):
    with watched(slow, address) as heard:
        outcome = sim2real("deploy", controller, "--robot", slow, "--address", address, "--shadow",
                           "--seconds", 1, "--record", "shadow", "--json")  # fmt: skip
    assert outcome.code == 0, outcome.err
    (summary,) = outcome.json
    assert summary["ended"] == "done"
    assert summary["ticks"] >= 9
    assert len(heard) > 10
    assert not any(measured.acting for measured in heard)
    again = sim2real("replay", "shadow/episode-1.mcap", "--robot", slow, "--controller", controller)
    assert again.code == 0, again.err
    assert "all the same bit for bit" in again.out


@pytest.fixture
def recording(sim2real, slow, controller, address, tmp_path):
    """A run of a second, and what `deploy` said of it."""
    with watched(slow, address) as heard:
        outcome = sim2real("deploy", controller, "--robot", slow, "--address", address,
                           "--seconds", 1, "--record", "run")  # fmt: skip
    assert outcome.code == 0, outcome.err
    assert any(measured.acting for measured in heard)
    return tmp_path / "run" / "episode-1.mcap", outcome


def test_a_run_replays_bit_for_bit_and_tells_how_far_from_training_it_went(
    sim2real, slow, controller, recording
):
    path, outcome = recording
    assert "outside of what training met: velocity of 'pivot'" in " ".join(outcome.err.split())
    again = sim2real("replay", path, "--robot", slow, "--controller", controller, "--json")
    assert again.code == 0, again.err
    assert again.json["difference"] is None
    assert again.json["steps"] >= 10


def test_a_changed_recording_is_named_by_step_and_signal(
    sim2real, slow, controller, recording, tmp_path
):
    path, edited, step = recording[0], tmp_path / "edited.mcap", 0
    with path.open("rb") as source, edited.open("wb") as target:
        reader, writer = make_reader(source), Writer(target)
        writer.start()
        for metadata in reader.iter_metadata():
            writer.add_metadata(metadata.name, metadata.metadata)
        channels = {topic: writer.register_channel(topic, "cdr", 0) for topic in STEPS}
        for _, channel, message in reader.iter_messages(topics=STEPS):
            content = json.loads(CdrReader(message.data).text())
            if channel.topic == "/sim2real/command":
                if content["command"] and step >= 8:
                    content["command"][0] += 1e-9
                step += 1
            writer.add_message(channels[channel.topic], message.log_time,
                               text_message(json.dumps(content)), message.publish_time)  # fmt: skip
        writer.finish()
    outcome = sim2real("replay", edited, "--robot", slow, "--controller", controller, "--json")
    assert outcome.code == 1
    assert outcome.json["difference"]["step"] == 8
    assert outcome.json["difference"]["signal"] == "command of 'pivot'"


def test_a_recording_is_not_replayed_with_another_controller(
    sim2real, slow, controller, recording, tmp_path
):
    outcome = sim2real("replay", recording[0], "--robot", slow)
    assert outcome.code == 2
    assert "give it with --controller" in " ".join(outcome.err.split())
    robot, other = Robot.load(slow), tmp_path / "other.onnx"
    task = make_task(robot, Kinematics(robot, compile_model(robot)))
    export(Policy((task.nobs, 1), "tanh"), robot, task, other, trained_on={}, origin={})
    outcome = sim2real("replay", recording[0], "--robot", slow, "--controller", other)
    assert outcome.code == 2
    assert "another file than the one that commanded" in " ".join(outcome.err.split())


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_a_signal_between_two_episodes_ends_it_all(
    sim2real, slow, controller, address, monkeypatch, number, code
):
    monkeypatch.setattr(UdpDriver, "reset", lambda self: os.kill(os.getpid(), number))
    outcome = sim2real("deploy", controller, "--robot", slow, "--address", address,
                       "--episodes", 3, "--json")  # fmt: skip
    assert (outcome.code, outcome.json) == (code, [])


def deploying(slow, controller, address, *options):
    """Return a run in a process of its own, once it has begun to command."""
    command = ["deploy", controller, "--robot", slow, "--address", address, "--seconds", "60"]
    process = subprocess.Popen(
        [sys.executable, "-m", "sim2real", *command, "--json", *options],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)  # fmt: skip
    with connected(UdpDriver(Robot.load(slow), address, watch=True)) as watching:
        end = time.monotonic() + 60.0
        while not watching.read().acting:
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < end
            time.sleep(0.02)
    return process


def test_ctrl_c_damps_and_lets_no_script_go_on(slow, controller, address, tmp_path):
    process = deploying(slow, controller, address, "--trips", tmp_path)
    process.send_signal(signal.SIGINT)
    told, said = process.communicate(timeout=30.0)
    assert process.returncode == 130
    assert [summary["ended"] for summary in json.loads(told)] == ["stopped"]
    assert "stopped; the robot damps" in said
    assert "Traceback" not in said


def test_a_controller_that_slept_does_not_go_on_where_it_was(slow, controller, address, tmp_path):
    process = deploying(slow, controller, address, "--trips", tmp_path)
    process.send_signal(signal.SIGSTOP)
    time.sleep(1.0)  # twice its lease
    process.send_signal(signal.SIGCONT)
    told, _ = process.communicate(timeout=30.0)
    assert process.returncode == 1
    (summary,) = json.loads(told)
    assert summary["ended"] == "trip"
    assert "lease lapsed" in summary["reason"]


def test_a_recording_that_breaks_off_says_so(sim2real, slow, controller, recording):
    path, _ = recording
    path.write_bytes(path.read_bytes()[:-40])  # its end
    for arguments in (("replay", path, "--controller", controller),
                      ("deploy", controller, "--log", path)):  # fmt: skip
        outcome = sim2real(*arguments, "--robot", slow)
        assert "breaks off: its recorder was killed" in " ".join(outcome.err.split())


def test_a_recording_is_a_robot_to_drive_on_without_one(sim2real, slow, controller, recording):
    outcome = sim2real("deploy", controller, "--robot", slow, "--log", recording[0], "--json")
    assert outcome.code == 0, outcome.err
    (summary,) = outcome.json
    assert summary["ended"] == "done"
    assert summary["ticks"] >= 5
    assert summary["late_ticks"] == 0


def test_a_goal_that_does_not_fit_ends_it_before_anything_is_sent(
    sim2real, slow, controller, address
):
    for verb in ("deploy", "preflight"):
        outcome = sim2real(verb, controller, "--robot", slow, "--address", address, "--goal", 1.0)
        assert outcome.code == 2
        assert "this source pursues none" in " ".join(outcome.err.split())


def test_preflight_passes_a_sound_robot_and_says_what_nobody_could_see(
    sim2real, slow, controller, address
):
    outcome = sim2real("preflight", controller, "--robot", slow, "--address", address, "--json")
    checks = {each["check"]: each["outcome"] for each in outcome.json["checks"]}
    assert outcome.code == 0, outcome.out
    assert outcome.json["passed"]
    assert set(checks.values()) == {"pass", "unseen"}
    assert checks["stop, from a signal's handler"] == "pass"
    assert checks["a lease of 0.1 s lapses"] == "pass"
    assert checks["the joint 'pivot' moves alone"] == "pass"
    assert checks["the controller's process gets SIGKILL"] == "pass"
    assert checks["the controller's process gets SIGSTOP"] == "pass"


def test_preflight_fails_where_the_robot_is_another_one(sim2real, controller, address):
    outcome = sim2real("preflight", controller, "--robot", "pendulum", "--address", address)
    assert outcome.code == 2
    assert "control_hz: 10.0, not 100.0" in " ".join(outcome.err.split())
