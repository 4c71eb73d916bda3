"""Evaluation: what a policy is worth, in simulation and on a robot."""
