"""Train in randomized simulation, calibrate from real logs, deploy exported controllers."""

__version__ = "0.1.0"
