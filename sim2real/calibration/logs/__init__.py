"""Readers of logs: a recorded file of any known format becomes a trajectory in SI units."""

from sim2real.calibration.logs.read import read_log

__all__ = ["read_log"]
