"""stable-baselines3's models, and sb3-contrib's of the same kinds, as policies to export."""

from typing import Any

import numpy as np
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.policies import ActorCriticPolicy, BasePolicy
from stable_baselines3.common.vec_env import (
    VecCheckNan,
    VecEnv,
    VecEnvWrapper,
    VecFrameStack,
    VecMonitor,
    VecNormalize,
)
from torch import nn

from sim2real.errors import ControllerError
from sim2real.training.recurrent import RecurrentPolicy
from sim2real.training.stages import History, Normalized


def from_stable_baselines3(model: BaseAlgorithm, env: VecEnv) -> nn.Module:
    """Return the deterministic policy of a model, with what its environment does to observations.

    Args:
        model: of PPO, A2C, SAC, TD3, DDPG, or sb3-contrib's TQC, TRPO, RecurrentPPO.
        env: what the model was trained in, wrapped as it was: `VecNormalize` becomes a normalizer
            and `VecFrameStack` a history, in their order.

    Raises:
        ControllerError: a model or a wrapper of another kind.
    """
    policy = _policy(model.policy)
    wrapper = env
    while isinstance(wrapper, VecEnvWrapper):  # the outermost stands next to the policy
        policy = _stage(policy, wrapper)
        wrapper = wrapper.venv
    return policy.eval()


def _stage(policy: nn.Module, wrapper: VecEnvWrapper) -> nn.Module:
    if isinstance(wrapper, VecMonitor | VecCheckNan):
        return policy
    if isinstance(wrapper, VecNormalize):
        if not wrapper.norm_obs:
            return policy
        seen: Any = wrapper.obs_rms
        scale = np.sqrt(seen.var + wrapper.epsilon)
        return Normalized(policy, seen.mean, scale, wrapper.clip_obs)
    if isinstance(wrapper, VecFrameStack):
        nobs = wrapper.venv.observation_space.shape[0]  # type: ignore[index]
        return History(policy, nobs, wrapper.stacked_obs.n_stack)
    raise ControllerError(
        f"a {type(wrapper).__name__} changes observations in a way that is not exported: leave it"
        " out, or give export a torch module that does what it does"
    )


def _policy(policy: BasePolicy) -> nn.Module:
    observed, space = policy.observation_space, policy.action_space
    if len(observed.shape or ()) != 1:
        raise ControllerError(f"its observations are {observed}: a robot's are one row of numbers")
    bounds = [np.asarray(getattr(space, name, np.nan)) for name in ("low", "high")]
    if not np.all(bounds[0] == -1) or not np.all(bounds[1] == 1):
        raise ControllerError(
            f"its actions are {space}: a controller's are numbers from -1 to 1, whose meaning"
            " stands in robot.toml"
        )
    if isinstance(policy, ActorCriticPolicy):
        return _actor_critic(policy)
    actor: Any = getattr(policy, "actor", None)
    if actor is None:
        raise ControllerError(f"a {type(policy).__name__} has no actor: it cannot drive a robot")
    if hasattr(actor, "latent_pi"):  # SAC and TQC squash; TD3's and DDPG's network does itself
        return nn.Sequential(actor.features_extractor, actor.latent_pi, actor.mu, nn.Tanh())
    return nn.Sequential(actor.features_extractor, actor.mu)


def _actor_critic(policy: Any) -> nn.Module:
    """Return the mode of an actor-critic's distribution, recurrent or not."""
    shared = policy.share_features_extractor
    features = policy.features_extractor if shared else policy.pi_features_extractor
    squash = [nn.Tanh()] if policy.squash_output else []
    after = nn.Sequential(policy.mlp_extractor.policy_net, policy.action_net, *squash)
    lstm = getattr(policy, "lstm_actor", None)
    return (
        nn.Sequential(features, after) if lstm is None else RecurrentPolicy(lstm, features, after)
    )
