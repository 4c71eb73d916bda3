"""Terms of where bodies and sites are in the body that carries them."""

from typing import final

import mujoco
import numpy as np

from sim2real.randomization.terms.cell import ElementTerm
from sim2real.randomization.terms.rotation import RotationTerm
from sim2real.randomization.terms.term import added, between


@final
class BodyPosition(ElementTerm):
    """A coordinate of the body's frame in its parent's: where a link is mounted."""

    summary = "place of the body in its parent's frame, x y z"
    unit = "m"
    bounds = (-np.inf, np.inf)
    field, fields = "body_pos", ("body_pos",)
    size = 3
    usual, source = added(-0.0015, 0.0015), "robosuite 1.5, DEFAULT_DYNAMICS_ARGS"

    def resolve(self, model: mujoco.MjModel, joints: tuple[str, ...]) -> None:  # noqa: D102
        super().resolve(model, joints)
        if model.body_weldid[self.cells[0].index[0]] == 0:
            # MuJoCo's collision tree of static bodies is made at compilation
            raise self.refuse("the body is fixed to the world: move its geoms (geom.*.pos)")


@final
class BodyRotation(RotationTerm):
    """How the body's frame is turned in its parent's: an assembly error."""

    summary = "rotation of the body about its axes at its own origin, x y z"
    field, fields = "body_quat", ("body_quat",)
    usual, source = added(-0.003, 0.003), "robosuite 1.5, DEFAULT_DYNAMICS_ARGS"

    def resolve(self, model: mujoco.MjModel, joints: tuple[str, ...]) -> None:  # noqa: D102
        super().resolve(model, joints)
        if model.body_weldid[self.element] == 0:
            raise self.refuse("the body is fixed to the world: turn gravity instead (opt.tilt)")


@final
class GravityCompensation(ElementTerm):
    """Share of the body's weight that is held: a spring balance, or a controller's feedforward."""

    summary = "share of the weight that is compensated"
    unit = "1"
    bounds = (-np.inf, np.inf)
    field, fields = "body_gravcomp", ("body_gravcomp",)
    usual, source = between(0.9, 1.0), "a balance that is 10 % off; no published convention"

    def resolve(self, model: mujoco.MjModel, joints: tuple[str, ...]) -> None:  # noqa: D102
        super().resolve(model, joints)
        if model.body_weldid[self.cells[0].index[0]] == 0:
            raise self.refuse("the body is fixed to the world: its weight acts on nothing")


@final
class SitePosition(ElementTerm):
    """A coordinate of a site in its body's frame: where a sensor or the fingertip is."""

    summary = "place of the site in its body's frame, x y z"
    unit = "m"
    bounds = (-np.inf, np.inf)
    field, fields = "site_pos", ("site_pos",)
    size = 3
    usual, source = added(-0.002, 0.002), "2 mm, a hand-mounted sensor; no published convention"


@final
class SiteRotation(RotationTerm):
    """How a site's frame is turned: the mounting of an IMU."""

    summary = "rotation of the site about its axes, x y z: how a sensor is mounted"
    field, fields = "site_quat", ("site_quat",)
    usual, source = added(-0.02, 0.02), "1°, a screwed IMU; no published convention"
