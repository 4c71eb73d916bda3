import numpy as np
import torch

from sim2real import shipped
from sim2real.envs.rsl_rl import RslRlEnv
from sim2real.envs.stable_baselines3 import StableBaselines3Env
from sim2real.envs.vector_env import RobotVectorEnv


def hoppers(n=4):
    return RobotVectorEnv(shipped.find_robot("hopper"), n, seed=1)


def test_rsl_rl_sees_what_the_environment_returns():
    plain, wrapped = hoppers(), RslRlEnv(hoppers())
    first, _ = plain.reset()
    np.testing.assert_array_equal(wrapped.get_observations()["policy"].numpy(), first)
    action = np.full((4, 3), 0.2, np.float32)
    for _ in range(60):
        observation, reward, terminated, truncated, _ = plain.step(action)
        groups, rewards, dones, _ = wrapped.step(torch.from_numpy(action))
        np.testing.assert_array_equal(groups["policy"].numpy(), observation)
        np.testing.assert_allclose(rewards.numpy(), reward, rtol=1e-6)
        np.testing.assert_array_equal(dones.numpy().astype(bool), terminated | truncated)


def test_rsl_rls_final_observations_belong_to_the_world_that_ended():
    env = RslRlEnv(hoppers())
    env.env.steps[0] = env.env.max_steps - 1
    before = env.get_observations()["privileged"].clone()
    groups, _, dones, extras = env.step(torch.zeros(4, 3))
    last, ended = extras["final_observations"], dones.bool()
    assert extras["truncated"].tolist() == [True, False, False, False]
    torch.testing.assert_close(last["privileged"], before)
    assert (groups["privileged"][ended] != before[ended]).any()
    assert (last["policy"][ended] != groups["policy"][ended]).any()


def test_stable_baselines3_gets_the_terminal_observation_and_the_time_limit():
    robot = shipped.find_robot("pendulum")
    env = StableBaselines3Env(RobotVectorEnv(robot, 2, seed=1))
    env.reset()
    for _ in range(env.env.max_steps):
        env.step_async(np.zeros((2, 1), np.float32))
        observation, _, done, infos = env.step_wait()
    assert done.all()
    for i in range(2):
        assert infos[i]["TimeLimit.truncated"]
        assert (infos[i]["terminal_observation"] != observation[i]).any()
