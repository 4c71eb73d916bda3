"""Training: PPO (rsl_rl) and SAC (stable-baselines3), resumable and repeatable."""
