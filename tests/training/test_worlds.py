"""What is known of the drawn worlds: by the critic, and in the run's folder afterwards."""

import dataclasses

import numpy as np
import onnx
import pyarrow.parquet as pq
import pytest
import torch

from sim2real import shipped
from sim2real.envs.replay import replay
from sim2real.envs.vector_env import RobotVectorEnv
from sim2real.errors import ConfigError, ParameterError
from sim2real.export.run import export_run
from sim2real.training.build import make_trainer
from sim2real.training.job import Job, PPOSettings, SACSettings
from sim2real.training.run import train
from sim2real.training.worlds import WorldLog, read_worlds

PPO = Job(
    robot="hopper", steps=6 * 16 * 16, evaluate_every=2, evaluation_envs=2, nthread=1,
    ppo=PPOSettings(num_envs=16, rollout_steps=16, hidden=(8,)),
)  # fmt: skip
SAC = dataclasses.replace(
    PPO, algorithm="sac", steps=4 * 4 * 32,
    sac=SACSettings(num_envs=4, iteration_steps=32, hidden=(8,), learning_starts=64, batch_size=8,
                    buffer_size=1000),
)  # fmt: skip


def hoppers(**options):
    return RobotVectorEnv(shipped.find_robot("hopper"), 4, seed=1, **options)


def test_the_critic_sees_the_parameters_that_are_chosen():
    every, some = hoppers(), hoppers(privileged=["joint.*.damping", "geom.floor.friction[0]"])
    for env in (every, some):
        env.reset()
    assert every.privileged_names == every.randomizer.names
    assert some.privileged_names == (
        "geom.floor.friction[0]", "joint.thigh_joint.damping", "joint.leg_joint.damping",
        "joint.foot_joint.damping")  # fmt: skip
    columns = [every.privileged_names.index(name) for name in some.privileged_names]
    np.testing.assert_array_equal(some.privileged, every.privileged[:, columns])
    np.testing.assert_array_equal(some.values, every.values)
    assert hoppers(privileged=[]).privileged.shape == (4, 0)


def test_a_parameter_that_is_not_drawn_cannot_be_shown():
    with pytest.raises(ParameterError, match=r"did you mean 'body\.torso\.mass'"):
        hoppers(privileged=["body.torso.mas"])


def test_the_job_chooses_what_the_critic_sees():
    job = dataclasses.replace(PPO, privileged=("body.*.mass",))
    with pytest.raises(ParameterError, match="not randomized"):
        make_trainer(
            dataclasses.replace(PPO, privileged=("no",)), shipped.find_robot("hopper"), None
        )
    trainer = make_trainer(job, shipped.find_robot("hopper"), None)
    assert trainer.env.privileged_names == tuple(
        f"body.{name}.mass" for name in ("torso", "thigh", "leg", "foot")
    )
    assert trainer._algorithm.critic.obs_dim == trainer._algorithm.actor.obs_dim + 4


def test_privileged_values_do_not_reach_the_actors_observation(monkeypatch):
    """The same worlds with other numbers shown: the actor sees and does the same."""
    shown, seen = RobotVectorEnv.privileged.fget, []
    for lie in (False, True):
        if lie:
            monkeypatch.setattr(
                RobotVectorEnv, "privileged", property(lambda env: 0 * shown(env) + 1e6)
            )
        trainer = make_trainer(PPO, shipped.find_robot("hopper"), None)
        with torch.inference_mode():
            for _ in range(16):
                trainer._step()
        storage = trainer._algorithm.storage
        assert bool((storage.observations["privileged"] == 1e6).all()) == lie
        seen.append((storage.observations["policy"].clone(), storage.actions.clone()))
    for one, other in zip(*seen, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)


def test_the_actor_has_no_input_for_privileged_values():
    trainer = make_trainer(PPO, shipped.find_robot("hopper"), None)
    groups = trainer._env.get_observations().clone()
    groups["privileged"].requires_grad_(True)
    groups["policy"].requires_grad_(True)
    trainer._algorithm.actor(groups).sum().backward()
    assert groups["privileged"].grad is None
    assert groups["policy"].grad.abs().sum() > 0
    assert trainer._algorithm.actor.obs_dim == trainer.env.task.nobs
    trainer._algorithm.critic(groups).sum().backward()
    assert groups["privileged"].grad.abs().sum() > 0


def test_the_exported_controller_takes_only_what_the_robot_measures(tmp_path):
    train(PPO, tmp_path / "run")
    export_run(tmp_path / "run", tmp_path / "c.onnx")
    graph = onnx.load(tmp_path / "c.onnx").graph
    inputs = {tensor.name for tensor in graph.input}
    assert {"position", "velocity"} <= inputs
    assert all(name in ("position", "velocity", "goal") or name.startswith("state.")
               for name in inputs)  # fmt: skip
    names = shipped.find_robot("hopper").ranges
    assert not any(name in node.name for name in names for node in graph.node)
    sizes = {tuple(weight.dims) for weight in graph.initializer}
    nobs = RobotVectorEnv(shipped.find_robot("hopper"), 1).task.nobs
    assert (8, nobs) in sizes or (nobs, 8) in sizes
    wide = nobs + len(names)
    assert not any(wide in size for size in sizes)


@pytest.mark.parametrize("job", [PPO, SAC], ids=["ppo", "sac"])
def test_every_episode_is_logged_with_its_world(job, tmp_path):
    ended = []
    listen = WorldLog.add
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(WorldLog, "add", lambda log, item: (ended.append(item), listen(log, item)))
        train(job, tmp_path)
    table = read_worlds(tmp_path)
    assert table.num_rows == sum(len(item.steps) for item in ended) > 20
    names = tuple(shipped.find_robot("hopper").ranges)
    assert table.column_names == ["seed", "environment", "episode", "progress", "return", "steps",
                                  "success", "diverged", *names]  # fmt: skip
    np.testing.assert_array_equal(
        table["return"].to_numpy(), np.concatenate([item.returns for item in ended])
    )
    keys = list(zip(table["environment"].to_pylist(), table["episode"].to_pylist(), strict=True))
    assert len(set(keys)) == len(keys)


def test_a_row_of_the_log_is_the_key_of_its_world(tmp_path):
    train(PPO, tmp_path)
    row = read_worlds(tmp_path).to_pylist()[-1]
    robot = shipped.find_robot("hopper")
    key = {name: row[name] for name in ("seed", "environment", "episode")}
    env = replay(robot, **key)
    env.reset()
    assert dict(zip(env.randomizer.names, env.values[0], strict=True)) == {
        name: row[name] for name in env.randomizer.names
    }


def test_returns_in_the_log_are_sums_of_the_episodes_rewards(tmp_path):
    env = hoppers()
    log = WorldLog(tmp_path / "worlds", env)
    env.reset()
    total, truth = np.zeros(4), []
    for _ in range(60):
        _, reward, terminated, truncated, _ = env.step(np.ones((4, 3), np.float32))
        total += reward
        for i in np.flatnonzero(terminated | truncated):
            truth.append(total[i])
            total[i] = 0.0
    log.flush()
    table = read_worlds(tmp_path)
    np.testing.assert_allclose(table["return"].to_numpy(), truth, rtol=1e-12)
    assert len(truth) > 4


def test_a_resumed_run_logs_what_one_that_never_stopped_does(tmp_path):
    train(PPO, tmp_path / "whole")
    half = dataclasses.replace(PPO, steps=PPO.steps // 2)
    train(half, tmp_path / "parts")
    # what a killed process wrote after its last checkpoint comes again
    (tmp_path / "parts" / "worlds" / "part-000099.parquet").write_bytes(b"half a file")
    train(PPO, tmp_path / "parts", resume=True)
    one, other = read_worlds(tmp_path / "whole"), read_worlds(tmp_path / "parts")
    for name in set(one.column_names) - {"progress"}:  # which is of another budget
        assert one[name].equals(other[name]), name


def test_files_are_whole_and_small_ones_are_not_kept_in_memory(tmp_path, monkeypatch):
    monkeypatch.setattr("sim2real.training.worlds._ROWS", 5)
    env = hoppers()
    log = WorldLog(tmp_path / "worlds", env)
    env.reset()
    for _ in range(100):
        env.step(np.ones((4, 3), np.float32))
        assert log._rows < 5
    parts = sorted((tmp_path / "worlds").iterdir())
    assert len(parts) == log.parts > 2
    for part in parts:
        table = pq.read_table(part)
        assert 5 <= table.num_rows < 9
        assert table.schema.metadata[b"robot"] == b"hopper"


def test_ctrl_c_leaves_a_log_that_can_be_read(tmp_path):
    import os
    import signal

    def interrupt(steps, metrics):
        if steps == 3 * 256:
            os.kill(os.getpid(), signal.SIGINT)

    assert not train(PPO, tmp_path, on_progress=interrupt).finished
    assert read_worlds(tmp_path).num_rows > 5


def test_the_log_can_be_left_out(tmp_path):
    train(dataclasses.replace(PPO, log_worlds=False), tmp_path)
    assert not (tmp_path / "worlds").exists()
    with pytest.raises(ConfigError, match="log_worlds"):
        read_worlds(tmp_path)


def restless_folder(folder, text):
    folder.mkdir()
    pendulum = shipped.find_robot("pendulum").folder
    (folder / "pendulum.xml").write_text((pendulum / "pendulum.xml").read_text())
    before, _, _ = (pendulum / "robot.toml").read_text().partition("[randomize]")
    (folder / "robot.toml").write_text(f"{before}[randomize]\n{text}")
    return str(folder)


def test_a_curriculum_widens_over_the_training_and_resumes_where_it_was(tmp_path):
    text = (
        '"body.bob.mass" = { scale = [0.5, 1.5], curriculum = { first = [1.0, 1.0],'
        " over = [0.0, 0.8] } }\n"
    )
    robot = restless_folder(tmp_path / "robot", text)
    ppo = PPOSettings(num_envs=64, rollout_steps=8, hidden=(8,), epochs=1)
    job = dataclasses.replace(PPO, robot=robot, steps=40 * 64 * 8, evaluate_every=100, ppo=ppo)
    config = (tmp_path / "robot" / "robot.toml").read_text()
    short = config.replace('name = "swing_up"', 'name = "swing_up"\nepisode_seconds = 0.2')
    (tmp_path / "robot" / "robot.toml").write_text(short)

    def stop(steps, metrics):
        if steps == 15 * 64 * 8:
            import os
            import signal

            os.kill(os.getpid(), signal.SIGINT)

    train(job, tmp_path / "whole")
    train(job, tmp_path / "parts", on_progress=stop)
    train(job, tmp_path / "parts", resume=True)
    one, other = read_worlds(tmp_path / "whole"), read_worlds(tmp_path / "parts")
    assert one.equals(other)
    progress, mass = one["progress"].to_numpy(), one["body.bob.mass"].to_numpy()
    width = 0.5 * np.clip(progress / 0.8, 0, 1)
    assert (np.abs(mass / 0.546 - 1) <= width + 1e-9).all()
    assert progress.min() == 0.0
    assert np.abs(mass[progress > 0.8] / 0.546 - 1).max() > 0.45


def test_evaluation_is_on_the_final_ranges():
    trainer = make_trainer(PPO, shipped.find_robot("hopper"), None)
    assert trainer.env.progress == 0.0
    assert hoppers().progress == 1.0
    with pytest.raises(ParameterError, match="progress"):
        hoppers().set_progress(1.5)
