"""A dynamics model that adapts, from the command line."""

TINY = (
    "--dynamics.robots", "4", "--dynamics.seconds", "1", "--dynamics.hidden", "8",
    "--fit.steps", "3", "--adaptation.window", "8",
)  # fmt: skip


def test_it_writes_the_model_and_its_errors(sim2real, tmp_path):
    done = sim2real("adapt", "pendulum", *TINY, "--output", "model", "--json")
    assert done.code == 0, done.err
    assert len(done.json["adapted"]) == len(done.json["seconds"]) == 20
    names = {path.name for path in (tmp_path / "model").iterdir()}
    assert names == {"job.toml", "dynamics.pt", "horizon.json", "horizon.png"}


def test_a_job_file_is_read_again_and_a_model_is_never_overwritten(sim2real, tmp_path):
    assert sim2real("adapt", "pendulum", *TINY, "--output", "model").code == 0
    again = sim2real("adapt", "model/job.toml", "--output", "model")
    assert again.code == 2
    assert "holds a model already" in again.err
    assert sim2real("adapt", "model/job.toml", "--output", "other").code == 0
    assert (tmp_path / "other/job.toml").read_text() == (tmp_path / "model/job.toml").read_text()


def test_a_wrong_robot_is_named_with_the_near_one(sim2real):
    done = sim2real("adapt", "pendulm")
    assert done.code == 2
    assert "did you mean 'pendulum'" in done.err
