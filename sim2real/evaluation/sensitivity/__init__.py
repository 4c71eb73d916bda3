"""Sensitivity: in which worlds a trained policy fails, and which parameters decide it."""
