"""Adaptive domain randomization: distributions that move with returns, or with data."""
