"""Robots of all kinds, as `RobotDriver`s."""
