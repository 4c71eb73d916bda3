"""`sim2real sensitivity`: a tiny policy examined from the command line, and as a controller."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from sim2real.errors import ControllerError
from sim2real.evaluation.sensitivity.policy import open_policy
from sim2real.export.batched import batched_session
from sim2real.shipped import folder

QUICK = ("--episodes", "144", "--generations", "1", "--starts", "2", "--nthread", "1")


@pytest.fixture(scope="module")
def short_pendulum(tmp_path_factory) -> Path:
    """The pendulum with episodes of a fifth of a second."""
    copy = tmp_path_factory.mktemp("robots") / "pendulum"
    shutil.copytree(folder("robots") / "pendulum", copy)
    path = copy / "robot.toml"
    short = 'name = "swing_up"\nepisode_seconds = 0.2\nhold_seconds = 0.1'
    path.write_text(path.read_text().replace('name = "swing_up"', short))
    return copy


@pytest.fixture(scope="module")
def examined(tiny_run, short_pendulum, tmp_path_factory):
    """The results of examining the tiny run."""
    from sim2real import cli

    where = tmp_path_factory.mktemp("examined")
    cli.main(["sensitivity", str(tiny_run[0]), "--robot", str(short_pendulum),
              "--output", str(where), *QUICK])  # fmt: skip
    return where


def test_pictures_page_and_suite_are_written(examined):
    assert sorted(path.name for path in examined.iterdir()) == [
        "sensitivity.html", "sensitivity.png", "suite.toml"]  # fmt: skip
    page = (examined / "sensitivity.html").read_text()
    assert page.count("<svg") == 3
    assert "<script" not in page
    assert (examined / "sensitivity.png").read_bytes().startswith(b"\x89PNG")


def test_the_numbers_as_json(sim2real, tiny_run, short_pendulum):
    facts = sim2real("sensitivity", tiny_run[0], "--robot", short_pendulum, "--output", "out",
                     *QUICK, "--json").json  # fmt: skip
    assert facts["robot"] == "pendulum"
    assert facts["episodes"] == 144 + 128 + 2 * len(facts["worlds"])
    assert len(facts["effects"]) == 7
    totals = [effect["total"] for effect in facts["effects"]]
    assert totals == sorted(totals, reverse=True)


def test_a_policy_passes_its_own_suite_as_before(sim2real, tiny_run, short_pendulum, examined):
    outcome = sim2real("sensitivity", tiny_run[0], "--robot", short_pendulum,
                       "--suite", examined / "suite.toml", "--json")  # fmt: skip
    assert outcome.code == 0, outcome.err
    assert outcome.json["broken"] == []
    for row in outcome.json["worlds"]:
        assert row["mean_return"] == pytest.approx(row["world"]["mean_return"], abs=1e-9)


def test_the_exported_controller_does_as_the_run_does(
    sim2real, controller, short_pendulum, examined
):
    outcome = sim2real("sensitivity", controller, "--robot", short_pendulum,
                       "--suite", examined / "suite.toml", "--json")  # fmt: skip
    assert outcome.code == 0, outcome.err
    for row in outcome.json["worlds"]:
        assert row["mean_return"] == pytest.approx(row["world"]["mean_return"], abs=1e-3)


def test_a_world_that_is_lost_leaves_exit_code_1(sim2real, tiny_run, short_pendulum, examined):
    text = (examined / "suite.toml").read_text().replace("success = 0.0", "success = 1.0")
    Path("suite.toml").write_text(text)
    outcome = sim2real("sensitivity", tiny_run[0], "--robot", short_pendulum,
                       "--suite", "suite.toml")  # fmt: skip
    assert outcome.code == 1
    assert "broken" in outcome.out


def test_a_controller_on_many_robots_is_the_same_as_on_each(controller, tmp_path):
    session = batched_session(controller)
    assert session is not None
    many = open_policy(controller)
    env = many.environment(many.robot, 3, 1)
    env.reset(seed=0)
    act = many.start(env)
    seen = np.random.default_rng(0).normal(size=(3, 2)).astype(np.float32)
    from sim2real.deploy.controller import Controller

    for row, action in zip(seen, act(seen), strict=True):
        one = Controller.load(controller, None)
        one.reset(env.command[0])
        command = one.step(row[:1], row[1:], np.zeros(0))
        expected = act._map.action(command[None], env.command[:1])[0]  # type: ignore[attr-defined]
        np.testing.assert_allclose(action, expected, atol=1e-6)


def test_a_graph_that_mixes_its_rows_is_not_run_on_many(tmp_path):
    import onnx

    text = """
        <ir_version: 9, opset_import: ["" : 18]>
        mixing (float[1,2] position) => (float[1,2] command) {
            mean = ReduceMean <keepdims = 1> (position)
            command = Sub(position, mean)
        }
    """
    path = tmp_path / "mixing.onnx"
    onnx.save(onnx.parser.parse_model(text), path)
    assert batched_session(path) is None


@pytest.fixture
def refuses(sim2real, tmp_path):
    def check(*arguments, says):
        before = set(tmp_path.rglob("*"))
        outcome = sim2real("sensitivity", *arguments)
        assert outcome.code == 2, outcome
        assert outcome.out == ""
        assert outcome.err.splitlines()[-1].startswith("error: ")
        for words in says:
            assert words in outcome.err
        assert set(tmp_path.rglob("*")) == before

    return check


def test_a_policy_of_another_robot_is_refused(refuses, tiny_run, controller):
    refuses(tiny_run[0], "--robot", "hopper", says=("trained for another robot", "hopper"))
    refuses(controller, "--robot", "hopper", says=("made for the robot 'pendulum'",))


def test_what_is_no_policy_is_refused(refuses, tmp_path):
    refuses("nowhere", says=("nowhere", "no such run"))
    refuses(tmp_path, says=("no policy.pt",))
    (tmp_path / "a.onnx").write_bytes(b"junk")
    refuses("a.onnx", says=("a.onnx", "not an ONNX file"))
    with pytest.raises(ControllerError):
        open_policy(tmp_path / "a.onnx")


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("starts = 2", "strats = 2", ("unknown key", "did you mean 'starts'")),
        ('robot = "pendulum"', 'robot = "hopper"', ("of robot 'hopper'",)),
        ("body.bob.mass", "body.bbo.mass", ("bbo", "did you mean 'bob'")),
        ("[[worlds]]", "[[worlds]", ("not valid TOML",)),
    ],
)
def test_a_wrong_suite_is_refused(refuses, tiny_run, examined, tmp_path, old, new, says):
    path = tmp_path / "suite.toml"
    path.write_text((examined / "suite.toml").read_text().replace(old, new))
    refuses(tiny_run[0], "--suite", path, says=says)


@pytest.mark.parametrize(
    ("option", "says"),
    [
        (("--episodes", "20"), ("--episodes 20", "144")),
        (("--starts", "0"), ("starts", "at least 1")),
        (("--suite", "no.toml"), ("no.toml", "no such file")),
        (("--posterior", "no.toml"), ("no.toml", "no such file")),
    ],
)
def test_wrong_options_are_refused(refuses, tiny_run, option, says):
    refuses(tiny_run[0], *option, says=says)
