"""A driver whose robot, sensors or network misbehave on purpose."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import final

import numpy as np

from sim2real.deploy.driver import Command, Measurement, RobotDriver, StopMode
from sim2real.robot import Robot

Fault = Callable[[Measurement, Measurement], Measurement | None]
"""The newest measurement, and the one when the fault began → what the controller gets."""


@final
class FaultyDriver:
    """Another driver's robot through a fault, which may change from step to step."""

    def __init__(self, driver: RobotDriver):
        self.driver = driver
        self.fault: Fault | None = None
        self.written: list[Command] = []
        """Every command that was sent."""
        self.stops = 0
        """How often the robot was told to stop."""
        self._began: Measurement | None = None

    @property
    def robot(self) -> Robot:
        """The other driver's robot."""
        return self.driver.robot

    def open(self) -> None:  # noqa: D102
        self.driver.open()

    def read(self) -> Measurement | None:  # noqa: D102
        measured = self.driver.read()
        if self.fault is None or measured is None:
            self._began = None
            return measured
        self._began = measured if self._began is None else self._began
        return self.fault(measured, self._began)

    def write(self, command: Command) -> None:  # noqa: D102
        self.written.append(command)
        self.driver.write(command)

    def stop(self, mode: StopMode = StopMode.DAMP) -> None:  # noqa: D102
        self.stops += 1
        self.driver.stop(mode)

    def close(self) -> None:  # noqa: D102
        self.driver.close()


def _signal(name: str, value: float) -> Fault:
    def fault(measured: Measurement, _: Measurement) -> Measurement:
        values = getattr(measured.signals, name).copy()
        values[0] = value
        return _with(measured, **{name: values})

    return fault


def _with(measured: Measurement, **signals: np.ndarray) -> Measurement:
    return dataclasses.replace(measured, signals=dataclasses.replace(measured.signals, **signals))


def _frozen(measured: Measurement, began: Measurement) -> Measurement:
    return dataclasses.replace(measured, signals=began.signals)


def _shifted(seconds: float) -> Fault:
    by = round(seconds * 1e9)
    return lambda measured, _: dataclasses.replace(measured, stamp=measured.stamp + by)


def _permuted(measured: Measurement, _: Measurement) -> Measurement:
    return _with(measured, position=np.roll(measured.signals.position, 1))


FAULTS: Mapping[str, Fault] = {
    "position is NaN": _signal("position", np.nan),
    "velocity is NaN": _signal("velocity", np.nan),
    "position is infinite": _signal("position", np.inf),
    "velocity is infinite": _signal("velocity", -np.inf),
    "position is huge": _signal("position", 1e300),
    "velocity is huge": _signal("velocity", -1e300),
    "nothing comes": lambda measured, began: None,
    "the newest stays the newest": lambda measured, began: began,
    "sensors are frozen": _frozen,
    "older ones come": lambda measured, began: dataclasses.replace(
        began, seq=began.seq - 1_000_000
    ),
    "the robot's clock jumps back": _shifted(-1.0),
    "the robot's clock jumps ahead": _shifted(1.0),
    "joints are exchanged": _permuted,
}
"""By what a person would say of them."""
