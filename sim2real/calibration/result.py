"""What a calibration found, and whether it may be trained on."""

import json
from dataclasses import dataclass, replace
from pathlib import Path

from sim2real import config
from sim2real.calibration.bands import Coverage, Shown
from sim2real.calibration.choose import Candidate
from sim2real.calibration.disturbances import Disturbance
from sim2real.calibration.estimate import Estimate
from sim2real.calibration.segments import Segments
from sim2real.calibration.validation import Prediction
from sim2real.errors import CalibrationError
from sim2real.parameters.posterior import Posterior


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """A fitted posterior and everything needed to judge it."""

    robot: str
    posterior: Posterior
    """Of what all logs share."""
    run_posteriors: dict[str, Posterior]
    """Run → the posterior of its robot: what is shared, and what is its own."""
    widened: float
    """Factor of its covariance that held-out logs asked for; 1 unless that was wanted."""
    estimates: tuple[Estimate, ...]
    fitted: tuple[Prediction, ...]
    """Errors on the logs that were fitted."""
    held_out: tuple[Prediction, ...]
    """Errors on logs that were not; empty if there were none."""
    coverage: tuple[Coverage, ...]
    """How often 90 % bands hold, by what they take into account; on held-out logs if there are."""
    shown: tuple[Shown, ...]
    """Windows to look at, with the band that takes all into account."""
    latency: dict[str, float]
    """Joint → by how much its motion lags behind the nominal model's, by cross-correlation [s]."""
    candidates: tuple[Candidate, ...]
    """Classes of models that were tried; empty if there was one."""
    disturbances: tuple[Disturbance, ...]
    """Stretches of fitted logs that no parameters explain: hands, collisions."""
    segments: tuple[Segments, ...]
    """Stretches of fitted and held-out logs with dead sensors, at limits, with drives off."""
    horizons: tuple[float, ...]
    """Lengths of prediction at which it has to be better than the nominal model [s]."""
    windows: int
    """How many were fitted."""
    dropped: dict[str, int]
    """Reason → how many windows were left out for it."""
    noise: float
    """Scale of what the calibrated model leaves unexplained [rad]."""
    fit_seconds: float
    logs: dict[str, str]
    """Name of each fitted log → hash of its contents."""
    held_out_logs: dict[str, str]
    model: str
    """Hash of the robot's description and model file."""
    versions: dict[str, str]
    seed: int

    @property
    def improves(self) -> bool:
        """Whether the calibrated model beats the nominal one at every held-out horizon."""
        return not self.objections

    @property
    def objections(self) -> tuple[str, ...]:
        """Why it may not be published; empty if it may."""
        if not self.held_out_logs:
            return ("no log was held out: nothing shows that it predicts better than the nominal",)
        predicted = {p.seconds for p in self.held_out}
        worse = [
            f"after {p.seconds:g} s it is {p.calibrated:.4g} rad off, the nominal model"
            f" {p.nominal:.4g} rad ({p.windows} held-out windows)"
            for p in self.held_out
            if not p.calibrated < p.nominal
        ]
        unseen = [f"{s:g} s" for s in self.horizons if s not in predicted]
        if unseen:
            worse.append(
                f"no held-out log has a window of {' or '.join(unseen)}: nothing shows what it"
                " predicts so far ahead"
            )
        return tuple(worse)

    def save(self, folder: Path) -> None:
        """Write the posteriors and `calibration.json`, each whole or not at all."""
        self.posterior.save(folder / "posterior.toml")
        for run, posterior in self.run_posteriors.items():
            posterior.save(folder / f"posterior-{run}.toml")
        report = config.to_dict(replace(self, shown=()))
        del report["posterior"], report["run_posteriors"], report["shown"]
        report["improves"] = self.improves
        report["objections"] = list(self.objections)
        text = json.dumps(report, indent=2, allow_nan=False)
        config.write_atomically(folder / "calibration.json", text.encode())


def require_unit(unit: str) -> None:
    """Raise CalibrationError if `unit` is no name that a folder can have."""
    if not unit or Path(unit).name != unit or unit in (".", ".."):
        raise CalibrationError(f"unit {unit!r} must be a name, as of a serial number: no path")


def publish(calibration: Calibration, folder: Path, unit: str) -> Path:
    """Write a calibration to `folder/<robot>/<unit>/` and return that; the gate before training.

    Raises:
        CalibrationError: it does not beat the nominal model on held-out logs at every horizon.
    """
    if calibration.objections:
        raise CalibrationError(
            f"not published as {unit!r}: {'; '.join(calibration.objections)}. The diagnostics stay"
            " where they were written: look for pushes, missing parameters, or add logs"
        )
    require_unit(unit)
    place = folder / calibration.robot / unit
    calibration.save(place)
    return place
