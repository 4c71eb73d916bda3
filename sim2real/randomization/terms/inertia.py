"""What a body's mass distribution becomes: pure functions of its moments.

A body is its mass m, its centre of mass c (3,) and the second moments about it
Σ = ∫ (x - c)(x - c)ᵀ dm (3, 3), all in the body's axes. Its inertia tensor is tr(Σ) 1 - Σ. Any Σ
that is positive definite is an inertia that a body can have: the triangle inequality is nothing
else (Wensing, Kim and Slotine 2018, "Linear matrix inequalities for physically consistent inertial
parameter identification"). Every function here keeps it so.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Moments(NamedTuple):
    """Mass (...), centre of mass (..., 3) and second moments about it (..., 3, 3)."""

    mass: Array
    centre: Array
    second: Array


def second_moments(principal: Array, rotation: Array) -> Array:
    """Return Σ (..., 3, 3) of principal moments of inertia (..., 3) and their axes (..., 3, 3)."""
    diagonal = 0.5 * principal.sum(axis=-1, keepdims=True) - principal
    return (rotation * diagonal[..., None, :]) @ np.swapaxes(rotation, -1, -2)


def principal_axes(second: Array) -> tuple[Array, Array]:
    """Return principal moments of inertia (..., 3), largest first, and right-handed axes of Σ."""
    moments, axes = np.linalg.eigh(second)
    axes[..., :, 2] *= np.linalg.det(axes)[..., None]
    return moments.sum(axis=-1, keepdims=True) - moments, axes


def with_payload(body: Moments, mass: Array, place: Array) -> Moments:
    """Return the body with a point mass (...) fixed to it at `place` (..., 3): parallel axes."""
    total = body.mass + mass
    away = place - body.centre
    reduced = (body.mass * mass / total)[..., None, None]
    return Moments(
        total,
        body.centre + (mass / total)[..., None] * away,
        body.second + reduced * away[..., :, None] * away[..., None, :],
    )


def deformed(body: Moments, affine: Array, shift: Array, density: Array) -> Moments:
    """Return the body after x → c + A (x - c) + t for all its points x, `density` times as heavy.

    Args:
        body: the body.
        affine: A (..., 3, 3), invertible.
        shift: t (..., 3).
        density: factor (...) of every point's mass.
    """
    second = affine @ body.second @ np.swapaxes(affine, -1, -2)
    return Moments(body.mass * density, body.centre + shift, density[..., None, None] * second)


def log_cholesky(parameters: Array) -> tuple[Array, Array, Array]:
    """Return A (..., 3, 3), t (..., 3) and the density's factor (...) of ten numbers (..., 10).

    Rucker and Wensing 2022, "Smooth parameterization of rigid-body inertia", equation 10: with
    θ = (α, d1, d2, d3, s12, s23, s13, t1, t2, t3), the body's pseudo-inertia J becomes U J Uᵀ with

        U = e^α [e^d1 s12 s13 t1; 0 e^d2 s23 t2; 0 0 e^d3 t3; 0 0 0 1] = e^α [A t; 0 1],

    here about the body's centre of mass. θ = 0 changes nothing, and every θ is physical.
    """
    alpha, d, (s12, s23, s13) = (
        parameters[..., 0],
        np.exp(parameters[..., 1:4]),
        np.moveaxis(parameters[..., 4:7], -1, 0),
    )
    affine = np.zeros((*parameters.shape[:-1], 3, 3))
    affine[..., [0, 1, 2], [0, 1, 2]] = d
    affine[..., 0, 1], affine[..., 1, 2], affine[..., 0, 2] = s12, s23, s13
    return affine, parameters[..., 7:10], np.exp(2.0 * alpha)
