"""A joint's DC motor as MuJoCo's `dcmotor` actuator."""

import mujoco

from sim2real.robot import Joint, Motor


def set_dcmotor(actuator: mujoco.MjsActuator, joint: Joint, motor: Motor) -> None:
    """Make `actuator` the joint's DC motor, commanded in torque or, as a servo, in positions.

    Its driver controls the current: it applies v = R τ / K + K q̇ for the torque τ that is wanted,
    as far as the supply goes. So the stall torque is K U / R and the no-load speed U / K, where
    K = gear × torque constant. All is written at the joint, where commands are meant: MuJoCo's own
    `gear` would have them at the motor.
    """
    constant = motor.gear * motor.torque_constant
    servo = joint.mode == "position"
    gains = (joint.kp, joint.kd) if servo else (0.0, 0.0)
    friction = motor.lugre
    token = mujoco.mjtCtrlInput.mjINPUT_POS if servo else mujoco.mjtCtrlInput.mjINPUT_FF
    actuator.set_to_dcmotor(
        motorconst=[constant, constant],
        resistance=motor.resistance,
        inductance=[motor.inductance, 0.0],
        cogging=[*motor.cogging, 0.0],
        controller=[gains[0], 0.0, gains[1], 0.0, 0.0, motor.voltage],
        lugre=[0.0] * 5 if friction is None else list(vars(friction).values()),
        ctrlspec=token.value,
    )
    actuator.armature = motor.rotor_inertia * motor.gear**2
