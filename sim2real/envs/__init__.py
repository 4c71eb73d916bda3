"""Simulator, task and randomization as one vectorized environment, and adapters to libraries."""
