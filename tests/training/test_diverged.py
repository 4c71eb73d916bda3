"""What a simulation that diverged did is nothing to learn from."""

import dataclasses
import json

import numpy as np
import pytest
import torch

from sim2real import shipped
from sim2real.envs.vector_env import RobotVectorEnv
from sim2real.training.build import make_trainer
from sim2real.training.job import Job, PPOSettings, SACSettings
from sim2real.training.run import train

PPO = Job(
    robot="pendulum", steps=4 * 16 * 8, evaluate_every=2, evaluation_envs=2, nthread=1,
    ppo=PPOSettings(num_envs=16, rollout_steps=8, hidden=(8,), minibatches=3),
)  # fmt: skip
SAC = dataclasses.replace(
    PPO, algorithm="sac", steps=3 * 4 * 16,
    sac=SACSettings(num_envs=4, iteration_steps=16, hidden=(8,), learning_starts=16, batch_size=8,
                    buffer_size=1000),
)  # fmt: skip
LOST = 2


def diverging(monkeypatch, steps, environments=(LOST,)):
    """Make these environments diverge in these steps of each environment of more than two."""
    step, count = RobotVectorEnv.step, {"n": 0}

    def failing(self, actions):
        if self.num_envs > 2:
            if count["n"] in steps:
                self.sim.fields.bind("qvel")[list(environments)] = np.nan
            count["n"] += 1
        return step(self, actions)

    monkeypatch.setattr(RobotVectorEnv, "step", failing)


def collected(monkeypatch, steps=(3,)):
    diverging(monkeypatch, steps)
    trainer = make_trainer(PPO, shipped.find_robot("pendulum"), None)
    with torch.inference_mode():
        for _ in range(8):
            trainer._step()
        trainer._algorithm.compute_returns(trainer._env.get_observations())
    return trainer


def test_the_steps_before_are_bootstrapped_from_the_last_good_state(monkeypatch):
    storage = collected(monkeypatch)._algorithm.storage
    assert storage.dones[:, LOST, 0].tolist() == [0, 0, 0, 1, 0, 0, 0, 0]
    np.testing.assert_allclose(storage.returns[3, LOST], storage.values[3, LOST])
    gamma = PPO.ppo.gamma
    truncated = storage.rewards[2, LOST] + gamma * storage.values[3, LOST]
    np.testing.assert_allclose(storage.returns[2, LOST], truncated, rtol=1e-5)


def test_ppo_never_sees_the_step_that_diverged(monkeypatch):
    storage = collected(monkeypatch, (3, 6))._algorithm.storage
    storage.actions[3, LOST] = storage.actions[6, LOST] = 777.0
    batches = list(storage.mini_batch_generator(3, 1))
    assert sum(len(batch.actions) for batch in batches) == 126  # of 128, in 3 batches of 42
    assert not any((batch.actions == 777.0).any() for batch in batches)


def test_what_a_diverged_step_did_changes_no_network(monkeypatch):
    policies = []
    for action, log_prob in [(0.1, -1.0), (-9.0, 5.0)]:
        trainer = collected(monkeypatch)
        storage = trainer._algorithm.storage
        storage.actions[3, LOST] = action
        storage.actions_log_prob[3, LOST] = log_prob
        trainer._algorithm.update()
        policies.append(trainer.policy())
        monkeypatch.undo()
    for one, other in zip(*(policy.state_dict().values() for policy in policies), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)


def test_the_next_rollout_leaves_nothing_out(monkeypatch):
    trainer = collected(monkeypatch)
    trainer._algorithm.update()
    storage = trainer._algorithm.storage
    batches = list(storage.mini_batch_generator(3, 1))
    assert sum(len(batch.actions) for batch in batches) == 126  # 128 // 3 * 3
    assert storage._left_out is None


def test_sac_keeps_no_step_that_diverged(monkeypatch):
    diverging(monkeypatch, (5, 20))
    trainer = make_trainer(SAC, shipped.find_robot("pendulum"), None)
    for _ in range(2):
        trainer.iterate()
    buffer = trainer._model.replay_buffer
    for name in ("observations", "next_observations", "actions", "rewards", "dones"):
        rows = getattr(buffer, name)
        assert np.isfinite(rows[:32]).all()
        np.testing.assert_array_equal(rows[[5, 20], LOST], rows[[5, 20], 0])
        if name in ("observations", "actions"):
            assert (rows[4, LOST] != rows[4, 0]).any()
    assert trainer.env.diverged == 2


def test_a_step_in_which_all_diverged_is_not_kept_at_all(monkeypatch):
    diverging(monkeypatch, (5,), range(4))
    trainer = make_trainer(SAC, shipped.find_robot("pendulum"), None)
    trainer.iterate()
    assert trainer._model.replay_buffer.pos == 15


@pytest.mark.parametrize("job", [PPO, SAC], ids=["ppo", "sac"])
def test_divergence_is_counted_and_reported(job, monkeypatch, tmp_path):
    diverging(monkeypatch, (3, 4, 17), (0, 1))
    result = train(job, tmp_path)
    assert result.diverged == 6
    lines = [json.loads(line) for line in (tmp_path / "progress.jsonl").read_text().splitlines()]
    assert lines[-1]["diverged"] == 6
    assert "return" not in lines[-1]  # no other episode has ended
    monkeypatch.undo()
    longer = dataclasses.replace(job, steps=2 * job.steps)
    assert train(longer, tmp_path, resume=True).diverged == 6


def test_the_user_is_told_of_divergence(monkeypatch, tmp_path, capsys):
    from sim2real import config
    from sim2real.commands.train import main

    diverging(monkeypatch, (3,))
    config.save(PPO, tmp_path / "job.toml")
    main([str(tmp_path / "job.toml"), "--output", str(tmp_path / "run")])
    told = " ".join(capsys.readouterr().err.split())
    assert "1 simulations diverged and were started anew" in told
