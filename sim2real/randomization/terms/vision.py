"""Terms of what a camera sees: cameras, lights, materials and colours; physics is as without them.

A renderer takes one simulation's model from `simulator.fields.get_model(sim)`. Pixels of textures
are shared by all simulations.
"""

from typing import final

import mujoco
import numpy as np

from sim2real.randomization.terms.cell import ElementTerm
from sim2real.randomization.terms.rotation import RotationTerm
from sim2real.randomization.terms.term import added, element_id

_COLOURS = "robosuite 1.5, DEFAULT_COLOR_ARGS: 20 % towards a random colour"
_MATERIALS = "robosuite 1.5, DEFAULT_COLOR_ARGS: 30 % towards a random material"
_LIGHTS = "robosuite 1.5, DEFAULT_LIGHTING_ARGS"
_CAMERAS = "robosuite 1.5, DEFAULT_CAMERA_ARGS"


class _Shade(ElementTerm):
    """A number between dark and bright."""

    unit = "1"
    bounds = (0.0, 1.0)


@final
class CameraPosition(ElementTerm):
    """A coordinate of a camera in its body's frame."""

    summary, unit, bounds = "place of the camera in its body's frame, x y z", "m", (-np.inf, np.inf)
    field, fields, size = "cam_pos", ("cam_pos",), 3
    usual, source = added(-0.01, 0.01), _CAMERAS


@final
class CameraRotation(RotationTerm):
    """How a camera is turned."""

    summary = "rotation of the camera about its axes, x y z"
    field, fields = "cam_quat", ("cam_quat",)
    usual, source = added(-0.087, 0.087), _CAMERAS


@final
class CameraFieldOfView(ElementTerm):
    """Vertical field of view."""

    summary, unit, bounds = "vertical field of view", "°", (1.0, 179.0)
    field, fields = "cam_fovy", ("cam_fovy",)
    usual, source = added(-5.0, 5.0), _CAMERAS

    def resolve(self, model: mujoco.MjModel, joints: tuple[str, ...]) -> None:  # noqa: D102
        camera = element_id(model, self.name)
        if model.cam_sensorsize[camera].any():
            raise self.refuse("the camera is given by its sensor and focal length, not by fovy")
        super().resolve(model, joints)


@final
class LightPosition(ElementTerm):
    """A coordinate of a light in its body's frame."""

    summary, unit, bounds = "place of the light in its body's frame, x y z", "m", (-np.inf, np.inf)
    field, fields, size = "light_pos", ("light_pos",), 3
    usual, source = added(-0.1, 0.1), _LIGHTS


@final
class LightRotation(RotationTerm):
    """How a light's direction is turned."""

    summary = "rotation of the light's direction about its body's axes, x y z"
    field, fields = "light_dir", ("light_dir",)
    usual, source = added(-0.35, 0.35), _LIGHTS


@final
class LightDiffuse(_Shade):
    """A colour of the light."""

    summary = "diffuse colour of the light, red green blue"
    field, fields, size = "light_diffuse", ("light_diffuse",), 3
    usual, source = added(-0.1, 0.1), _LIGHTS


@final
class LightAmbient(_Shade):
    """A colour of the light that comes from everywhere."""

    summary = "ambient colour of the light, red green blue"
    field, fields, size = "light_ambient", ("light_ambient",), 3
    usual, source = added(-0.1, 0.1), _LIGHTS


@final
class LightSpecular(_Shade):
    """A colour of the light's reflections."""

    summary = "specular colour of the light, red green blue"
    field, fields, size = "light_specular", ("light_specular",), 3
    usual, source = added(-0.1, 0.1), _LIGHTS


@final
class GeomColour(_Shade):
    """A colour of a geom; what a material gives is the material's."""

    summary = "colour of the geom, red green blue opacity"
    field, fields, size = "geom_rgba", ("geom_rgba",), 4
    usual, source = added(-0.2, 0.2), _COLOURS


@final
class MaterialColour(_Shade):
    """A colour of a material."""

    summary = "colour of the material, red green blue opacity"
    field, fields, size = "mat_rgba", ("mat_rgba",), 4
    usual, source = added(-0.2, 0.2), _COLOURS


@final
class MaterialSpecular(_Shade):
    """How much a material reflects lights."""

    summary = "specularity of the material"
    field, fields = "mat_specular", ("mat_specular",)
    usual, source = added(-0.3, 0.3), _MATERIALS


@final
class MaterialShininess(_Shade):
    """How sharply a material reflects lights."""

    summary = "shininess of the material"
    field, fields = "mat_shininess", ("mat_shininess",)
    usual, source = added(-0.3, 0.3), _MATERIALS


@final
class MaterialReflectance(_Shade):
    """How much of a mirror a material is."""

    summary = "reflectance of the material"
    field, fields = "mat_reflectance", ("mat_reflectance",)
    usual, source = added(-0.3, 0.3), _MATERIALS
