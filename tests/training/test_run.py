import dataclasses
import json

import numpy as np
import pytest
import torch

from sim2real import config
from sim2real.errors import ConfigError
from sim2real.training.job import Job, PPOSettings, SACSettings
from sim2real.training.run import train
from sim2real.training.saved import load_checkpoint, load_policy

PPO = Job(
    robot="pendulum", steps=4 * 16 * 8, evaluate_every=2, evaluation_envs=2, nthread=1,
    ppo=PPOSettings(num_envs=16, rollout_steps=8, hidden=(8,)),
)  # fmt: skip
SAC = dataclasses.replace(
    PPO, algorithm="sac", steps=3 * 4 * 16,
    sac=SACSettings(num_envs=4, iteration_steps=16, hidden=(8,), learning_starts=64, batch_size=8,
                    buffer_size=1000),
)  # fmt: skip


def weights(folder):
    checkpoint = load_checkpoint(folder)
    assert checkpoint["trainer"]["steps"] >= 0
    return checkpoint


def assert_same_run(one, other):
    left, right = weights(one)["trainer"], weights(other)["trainer"]
    if "algorithm" in left:
        states = [left["algorithm"]["actor_state_dict"], right["algorithm"]["actor_state_dict"]]
        for name in states[0]:
            torch.testing.assert_close(states[0][name], states[1][name], rtol=0, atol=0)
    for name in ("episode", "steps", "command", "simulation"):
        np.testing.assert_array_equal(left["env"][name], right["env"][name])
    policies = [load_policy(folder).state_dict() for folder in (one, other)]
    for name in policies[0]:
        torch.testing.assert_close(policies[0][name], policies[1][name], rtol=0, atol=0)


@pytest.mark.parametrize("job", [PPO, SAC], ids=["ppo", "sac"])
def test_a_seed_gives_the_same_result_twice(job, tmp_path):
    train(job, tmp_path / "a")
    train(job, tmp_path / "b")
    assert_same_run(tmp_path / "a", tmp_path / "b")


SMOOTH = dataclasses.replace(
    SAC, sac=dataclasses.replace(SAC.sac, noise="state_dependent", train_every=8)
)


@pytest.mark.parametrize("job", [PPO, SAC, SMOOTH], ids=["ppo", "sac", "smooth"])
def test_a_resumed_run_equals_one_that_never_stopped(job, tmp_path):
    train(job, tmp_path / "whole")
    half = dataclasses.replace(job, steps=job.steps // 3 + 1)
    train(half, tmp_path / "parts")
    train(job, tmp_path / "parts", resume=True)
    assert_same_run(tmp_path / "whole", tmp_path / "parts")


def test_another_seed_gives_another_policy(tmp_path):
    train(PPO, tmp_path / "a")
    train(dataclasses.replace(PPO, seed=1), tmp_path / "b")
    one, other = (load_policy(tmp_path / name).state_dict()["layers.0.weight"] for name in "ab")
    assert not torch.equal(one, other)


def test_what_a_run_leaves_behind(tmp_path):
    result = train(PPO, tmp_path)
    assert result.finished
    assert result.steps == PPO.steps
    assert set(result.evaluation) == {"return", "worst_tenth", "success"}
    assert config.load(Job, tmp_path / "job.toml") == PPO
    lines = [json.loads(line) for line in (tmp_path / "progress.jsonl").read_text().splitlines()]
    assert [line["steps"] for line in lines] == [128, 256, 384, 512]
    assert any("evaluation/return" in line for line in lines)
    assert list((tmp_path / "tensorboard").iterdir())


def test_ctrl_c_stops_after_the_iteration_and_leaves_a_resumable_run(tmp_path):
    import os
    import signal

    def interrupt(steps, metrics):
        if steps == 128:
            os.kill(os.getpid(), signal.SIGINT)

    stopped = train(PPO, tmp_path / "parts", on_progress=interrupt)
    assert not stopped.finished
    assert stopped.steps == 128
    assert train(PPO, tmp_path / "parts", resume=True).finished
    train(PPO, tmp_path / "whole")
    left, right = (weights(tmp_path / name)["trainer"] for name in ("parts", "whole"))
    np.testing.assert_array_equal(left["env"]["simulation"], right["env"]["simulation"])


def test_a_run_is_not_overwritten_and_an_absent_one_not_resumed(tmp_path):
    with pytest.raises(ConfigError, match="no run to resume"):
        train(PPO, tmp_path, resume=True)
    train(PPO, tmp_path)
    with pytest.raises(ConfigError, match="holds a run already"):
        train(PPO, tmp_path)


def test_a_run_is_not_resumed_as_another_job(tmp_path):
    train(PPO, tmp_path)
    with pytest.raises(ConfigError, match="another job"):
        train(dataclasses.replace(PPO, seed=3), tmp_path, resume=True)


def test_a_robot_outside_the_package_is_trained_the_same_way(tmp_path):
    folder = tmp_path / "my_arm"
    folder.mkdir()
    (folder / "arm.xml").write_text(
        '<mujoco><option timestep="0.002"/><worldbody><body name="link">'
        '<joint name="hinge" axis="0 1 0" damping="0.1"/>'
        '<geom type="capsule" fromto="0 0 0 0 0 -0.4" size="0.02" mass="0.5"/>'
        "</body></worldbody></mujoco>"
    )
    (folder / "robot.toml").write_text(
        'model = "arm.xml"\ncontrol_hz = 50\n[task]\nname = "swing_up"\n'
        '[joints.hinge]\nmode = "torque"\nlimits = { torque = 0.6, velocity = 20.0 }\n'
        '[randomize]\n"body.link.mass" = { scale = [0.8, 1.2] }\n'
    )
    result = train(dataclasses.replace(PPO, robot=str(folder)), tmp_path / "run")
    assert result.finished
    assert np.isfinite(result.evaluation["return"])


def test_the_kept_policy_is_the_trainers_own(tmp_path):
    """The plain policy that is kept does what rsl_rl's actor does, normalization included."""
    from tensordict import TensorDict

    from sim2real import shipped
    from sim2real.training.build import make_trainer

    trainer = make_trainer(PPO, shipped.find_robot("pendulum"), None)
    for _ in range(3):
        trainer.iterate()
    observation = torch.randn(50, 4)
    actor = trainer._algorithm.actor.eval()
    with torch.inference_mode():
        groups = TensorDict({"policy": observation}, batch_size=[50])
        torch.testing.assert_close(trainer.policy()(observation), actor(groups))


@pytest.mark.parametrize("job", [SAC, SMOOTH], ids=["white", "state_dependent"])
def test_sacs_kept_policy_is_the_libraries_own(job):
    from sim2real import shipped
    from sim2real.training.build import make_trainer

    trainer = make_trainer(job, shipped.find_robot("pendulum"), None)
    trainer.iterate()
    observation = torch.randn(50, 4)
    with torch.inference_mode():
        theirs = trainer._model.actor(observation, deterministic=True)
        torch.testing.assert_close(trainer.policy()(observation), theirs)


def test_shuffling_once_gives_the_libraries_own_minibatches():
    from rsl_rl.storage import RolloutStorage

    from sim2real import shipped
    from sim2real.training.build import make_trainer

    trainer = make_trainer(PPO, shipped.find_robot("pendulum"), None)
    with torch.inference_mode():
        for _ in range(PPO.ppo.rollout_steps):
            trainer._step()
        storage = trainer._algorithm.storage
        torch.manual_seed(0)
        ours = list(storage.mini_batch_generator(4, 2))
        torch.manual_seed(0)
        theirs = list(RolloutStorage.mini_batch_generator(storage, 4, 2))
    assert len(ours) == len(theirs) == 8
    for one, other in zip(ours, theirs, strict=True):
        for name in ("actions", "values", "advantages", "returns", "old_actions_log_prob"):
            torch.testing.assert_close(getattr(one, name), getattr(other, name), rtol=0, atol=0)
        torch.testing.assert_close(one.observations["policy"], other.observations["policy"])
        for left, right in zip(
            one.old_distribution_params, other.old_distribution_params, strict=True
        ):
            torch.testing.assert_close(left, right, rtol=0, atol=0)


@pytest.mark.parametrize("job", [PPO, SAC], ids=["ppo", "sac"])
def test_fine_tuning_starts_from_the_other_runs_networks(job, tmp_path):
    from sim2real import shipped
    from sim2real.training.build import make_trainer

    train(job, tmp_path / "wide")
    narrow = dataclasses.replace(job, randomized=False, seed=5)
    trainer = make_trainer(narrow, shipped.find_robot("pendulum"), None)
    before = trainer.policy()(torch.ones(1, 4))
    trainer.start_from(weights(tmp_path / "wide")["trainer"])
    after = trainer.policy()(torch.ones(1, 4))
    assert not torch.equal(before, after)
    assert trainer.steps == 0
    if job.algorithm == "ppo":
        theirs = make_trainer(job, shipped.find_robot("pendulum"), None)
        theirs.load_state_dict(weights(tmp_path / "wide")["trainer"])
        torch.testing.assert_close(after, theirs.policy()(torch.ones(1, 4)))
    trainer.iterate()
    tuned = dataclasses.replace(narrow, start=str(tmp_path / "wide"))
    assert train(tuned, tmp_path / "tuned").finished


def test_fine_tuning_needs_networks_of_the_same_sizes(tmp_path):
    train(PPO, tmp_path / "wide")
    other = dataclasses.replace(
        PPO, start=str(tmp_path / "wide"), ppo=dataclasses.replace(PPO.ppo, hidden=(4,))
    )
    with pytest.raises(ConfigError, match="other networks"):
        train(other, tmp_path / "other")
    with pytest.raises(ConfigError, match="not a training run"):
        train(dataclasses.replace(PPO, start=str(tmp_path)), tmp_path / "none")
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize("job", [PPO, SAC], ids=["ppo", "sac"])
def test_fine_tuning_can_explore_as_at_the_beginning(job):
    from sim2real import shipped
    from sim2real.training.build import make_trainer

    robot = shipped.find_robot("pendulum")

    def exploration(trainer):
        state = trainer.state_dict()
        if job.algorithm == "sac":
            return float(state["log_entropy_coefficient"].detach())
        return float(state["algorithm"]["actor_state_dict"]["distribution.log_std_param"].mean())

    sure = make_trainer(job, robot, None)
    first = exploration(sure)
    state = sure.state_dict()
    if job.algorithm == "sac":
        state["log_entropy_coefficient"] = state["log_entropy_coefficient"].detach() - 2.0
    else:
        state["algorithm"]["actor_state_dict"]["distribution.log_std_param"] -= 2.0
    for anew, expected in ((False, first - 2.0), (True, first)):
        tuned = make_trainer(job, robot, None)
        tuned.start_from(state, explore_anew=anew)
        assert exploration(tuned) == pytest.approx(expected)


def test_there_is_nothing_to_explore_anew_without_a_start():
    with pytest.raises(ConfigError, match="give start"):
        dataclasses.replace(PPO, explore_anew=True)
