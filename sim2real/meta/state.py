"""What a robot measures as the state of a dynamics model: what the model sees, how it changes."""

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from sim2real.rotation import projected_gravity


@dataclass(frozen=True, kw_only=True)
class StateSpace:
    """States are rows of what a robot measures, (..., nstate), in the order of its signals.

    Positions and velocities of the joints, and of a floating base its orientation and angular
    velocity. A model never sees a position along which nothing changes (how far a runner has come),
    nor which turn an angle is in.
    """

    njoint: int
    ncommand: int
    unseen: tuple[int, ...] = ()
    """Joints whose position does not matter to the dynamics."""
    angles: tuple[int, ...] = ()
    """Joints that turn without end: a model sees their sine and cosine."""
    has_base: bool = False
    servos: tuple[tuple[int, int], ...] = ()
    """Commands that are positions of joints, not torques: (command, joint)."""

    @property
    def nstate(self) -> int:
        """Size of a state."""
        return 2 * self.njoint + (7 if self.has_base else 0)

    @property
    def nfeature(self) -> int:
        """Size of what a model sees of a state."""
        seen = self.njoint - len(self.unseen) + len(self.angles)
        return seen + self.njoint + (6 if self.has_base else 0)

    @property
    def nchange(self) -> int:
        """Size of how a state changes."""
        return 2 * self.njoint + (6 if self.has_base else 0)

    def features(self, state: Tensor) -> Tensor:
        """Return what a model sees of states (..., nstate): (..., nfeature)."""
        position, velocity, orientation, turning = self._split(state)
        plain = [i for i in range(self.njoint) if i not in (*self.unseen, *self.angles)]
        angle = position[..., list(self.angles)]
        parts = [position[..., plain], torch.sin(angle), torch.cos(angle), velocity]
        if self.has_base:
            down = projected_gravity(orientation.reshape(-1, 4)).reshape(turning.shape)
            parts += [down, turning]
        return torch.cat(parts, dim=-1)

    def idle(self, features: Tensor) -> Tensor:
        """Return commands (..., ncommand) that ask nothing of the drives in what a model sees.

        No torque, or the position where a joint is.
        """
        position = {command: self._position(features, joint) for command, joint in self.servos}
        nothing = torch.zeros_like(features[..., 0])
        return torch.stack([position.get(i, nothing) for i in range(self.ncommand)], dim=-1)

    def change(self, before: Tensor, after: Tensor) -> Tensor:
        """Return how states changed, (..., nchange).

        An angle's change is the shorter way round. That of an orientation is the rotation vector
        of the turn, in the base's own frame.
        """
        position, velocity, orientation, turning = self._split(before)
        moved, faster, turned, turning_after = self._split(after)
        step = moved - position
        parts = [self._shortest(step), faster - velocity]
        if self.has_base:
            turn = _multiply(_conjugate(orientation), turned)
            parts += [_rotation_vector(turn), turning_after - turning]
        return torch.cat(parts, dim=-1)

    def moved(self, state: Tensor, change: Tensor) -> Tensor:
        """Return states (..., nstate) after they have changed: the inverse of `change`."""
        n = 2 * self.njoint
        joints = state[..., :n] + change[..., :n]
        if not self.has_base:
            return joints
        orientation, turning = state[..., n : n + 4], state[..., n + 4 :]
        turned = _multiply(orientation, _quaternion(change[..., n : n + 3]))
        turned = turned / torch.linalg.vector_norm(turned, dim=-1, keepdim=True)
        return torch.cat([joints, turned, turning + change[..., n + 3 :]], dim=-1)

    def _position(self, features: Tensor, joint: int) -> Tensor:
        """Return a joint's position (...) from features (..., nfeature)."""
        plain = [i for i in range(self.njoint) if i not in (*self.unseen, *self.angles)]
        if joint in plain:
            return features[..., plain.index(joint)]
        sine = len(plain) + self.angles.index(joint)
        # in float32: ONNX Runtime has no arc tangent in float64
        both = features[..., sine].float(), features[..., sine + len(self.angles)].float()
        return torch.atan2(*both).to(features.dtype)

    def _shortest(self, step: Tensor) -> Tensor:
        if not self.angles:
            return step
        turns = torch.zeros_like(step)
        columns = list(self.angles)
        turns[..., columns] = torch.round(step[..., columns] / (2.0 * torch.pi))
        return step - 2.0 * torch.pi * turns

    def _split(self, state: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        n = self.njoint
        base = state[..., 2 * n :]
        return state[..., :n], state[..., n : 2 * n], base[..., :4], base[..., 4:]

    @classmethod
    def plain(cls, njoint: int, ncommand: int) -> Self:
        """Return the space of joints all of whose positions matter and none turns without end."""
        return cls(njoint=njoint, ncommand=ncommand)


def _conjugate(q: Tensor) -> Tensor:
    return torch.cat([q[..., :1], -q[..., 1:]], dim=-1)


def _multiply(p: Tensor, q: Tensor) -> Tensor:
    """Return the product of quaternions w x y z (..., 4)."""
    a, u, b, v = p[..., :1], p[..., 1:], q[..., :1], q[..., 1:]
    scalar = a * b - (u * v).sum(dim=-1, keepdim=True)
    return torch.cat([scalar, a * v + b * u + torch.linalg.cross(u, v)], dim=-1)


def _quaternion(rotation: Tensor) -> Tensor:
    """Return the unit quaternions of rotation vectors (..., 3)."""
    angle = (rotation.square().sum(dim=-1, keepdim=True) + 1e-24).sqrt()
    return torch.cat([torch.cos(angle / 2), torch.sin(angle / 2) / angle * rotation], dim=-1)


def _rotation_vector(q: Tensor) -> Tensor:
    """Return the rotation vectors (..., 3), none longer than π, of unit quaternions."""
    q = torch.where(q[..., :1] < 0.0, -q, q)
    sine = (q[..., 1:].square().sum(dim=-1, keepdim=True) + 1e-24).sqrt()
    return 2.0 * _arc_tangent(sine, q[..., :1]) / sine * q[..., 1:]


def _arc_tangent(sine: Tensor, cosine: Tensor) -> Tensor:
    """Return `atan2` of numbers that are not both 0, as exactly as their type can.

    ONNX Runtime has no arc tangent in float64: float32's is corrected by a step of Newton's.
    """
    near = torch.atan2(sine.float(), cosine.float()).to(sine.dtype)
    s, c = torch.sin(near), torch.cos(near)
    return near + (sine * c - cosine * s) / (cosine * c + sine * s)
