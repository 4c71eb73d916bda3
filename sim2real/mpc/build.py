"""From settings to a planner."""

import dataclasses

from sim2real.errors import ConfigError
from sim2real.mpc.cem import CEM
from sim2real.mpc.icem import ICEM
from sim2real.mpc.mppi import MPPI
from sim2real.mpc.planner import Planner
from sim2real.mpc.random_shooting import RandomShooting
from sim2real.mpc.settings import PlannerSettings

PLANNERS: dict[str, type[Planner]] = {
    "random": RandomShooting,
    "cem": CEM,
    "icem": ICEM,
    "mppi": MPPI,
}
"""`method` in the settings → the planner."""


def build_planner(settings: PlannerSettings) -> Planner:
    """Return the planner; raises ConfigError for a setting that its method does not have."""
    kind = PLANNERS[settings.method]
    given = {name: value for name, value in vars(settings).items() if value is not None}
    del given["method"]
    known = [field.name for field in dataclasses.fields(kind)]
    for name in given:
        if name not in known:
            raise ConfigError(
                f"planner: {settings.method} has no {name}; it has {', '.join(known)}"
            )
    return kind(**given)
