"""Which parameters a comparison of replayed positions can tell, and why not the others."""

from collections.abc import Sequence

from sim2real.errors import CalibrationError
from sim2real.parameters.names import ParameterName

_RANDOM = "is random: a replay has no dice; it is read off the residuals instead"
_EVENT = "is an event of one moment, which `sim2real log` shows, no constant"
_POSITIONS = "acts on no position, and positions are what is compared"
_STEPS = "is a step of the log itself, which `sim2real log` shows; no slope leads to it"
_HISTORY = "builds up over minutes, and each window starts anew"
_CHOSEN = "is chosen for the simulation, not a property of the robot"

_REASONS = {
    "noise": _RANDOM,
    "walk": _RANDOM,
    "dropout": _RANDOM,
    "delay_jitter": _RANDOM,
    "push_force": _RANDOM,
    "push_duration": _RANDOM,
    "push_elevation": _RANDOM,
    "push_interval": _RANDOM,
    "freeze_time": _EVENT,
    "failure_time": _EVENT,
    "resolution": _STEPS,
    "encoder_resolution": _STEPS,
    "tile": _STEPS,
    "drift": _HISTORY,
    "thermal_fade": _HISTORY,
    "thermal_time": _HISTORY,
    "imu_tilt": _POSITIONS,
    "timestep": _CHOSEN,
}
_KINDS = ("camera", "light", "material", "site")


def refuse_unfittable(names: Sequence[str]) -> None:
    """Raise CalibrationError for the first of `names` that no replay can tell, with the reason."""
    for name in names:
        reason = _reason(ParameterName.parse(name))
        if reason:
            raise CalibrationError(f"{name} cannot be calibrated: it {reason}")


def _reason(name: ParameterName) -> str:
    if name.kind in _KINDS or name.attribute == "rgba":
        return _POSITIONS
    signal, _, flaw = name.attribute.rpartition("_")
    for sensor in ("position", "velocity", "orientation", "angular_velocity"):
        if name.attribute.startswith(f"{sensor}_"):
            signal, flaw = sensor, name.attribute.removeprefix(f"{sensor}_")
    if name.attribute in _REASONS:
        return _REASONS[name.attribute]
    if signal in ("position", "velocity", "orientation", "angular_velocity"):
        return _REASONS.get(flaw, "" if signal == "position" else _POSITIONS)
    return ""
