"""An arm of a servo and a motor, as differential equations: a driver and a clock in numpy alone."""

import numpy as np

from sim2real.deploy.clock import Clock
from sim2real.deploy.driver import Command, Measurement, StopMode, check_command
from sim2real.deploy.robot_side.lease import Lease
from sim2real.robot import Joint, Limits, Robot
from sim2real.signals import Measured

ROBOT = Robot(
    model="none", name="arm", task={"name": "reach"}, control_hz=20,
    joints={
        "servo": Joint(mode="position", kp=20.0, kd=1.0, action_scale=0.3,
                       limits=Limits(torque=4.0, velocity=4.0, position=(-1.0, 1.5))),
        "motor": Joint(mode="torque", kd=0.5,
                       limits=Limits(torque=3.0, velocity=8.0, position=(-2.0, 2.0))),
    },
)  # fmt: skip
_INERTIA = np.array([0.1, 0.06])
_FRICTION = np.array([0.3, 0.3])
_KP, _KD, _LIMIT = np.array([20.0, 0.0]), np.array([1.0, 0.0]), np.array([4.0, 3.0])
_TURN = 5_000_000  # ns of the robot's own loop
_SUBSTEPS = 2


class Arm(Clock):
    """A `RobotDriver` with a lease, turned by its own clock."""

    def __init__(self):
        self.robot, self.lease = ROBOT, Lease(ROBOT)
        self.q, self.dq, self.time, self.seq = np.array([0.0, 0.5]), np.zeros(2), 10**9, 0

    def now(self) -> int:
        return self.time

    def sleep_until(self, deadline: int) -> None:
        while self.time < deadline:
            command = self.lease.act(self.time, Measured(position=self.q, velocity=self.dq))
            dt = _TURN * 1e-9 / _SUBSTEPS
            for _ in range(_SUBSTEPS):
                asked = np.where(_KP > 0, _KP * (command - self.q) - _KD * self.dq, command)
                torque = np.clip(asked, -_LIMIT, _LIMIT)
                self.dq = self.dq + (torque - _FRICTION * self.dq) / _INERTIA * dt
                self.q = self.q + self.dq * dt
            self.time, self.seq = self.time + _TURN, self.seq + 1

    def open(self) -> None:
        self.lease.begin()

    def read(self) -> Measurement:
        signals = Measured(position=self.q, velocity=self.dq)
        return Measurement(seq=self.seq, stamp=self.time, received=self.time, signals=signals,
                           acting=not self.lease.damping)  # fmt: skip

    def write(self, command: Command) -> None:
        check_command(self.robot, command)
        self.lease.take(command, self.time)

    def stop(self, mode: StopMode = StopMode.DAMP) -> None:
        self.lease.stop(mode)

    def close(self) -> None:
        self.lease.stop()
