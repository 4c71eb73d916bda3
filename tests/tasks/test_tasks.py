import dataclasses

import numpy as np
import pytest
import torch

from sim2real import shipped
from sim2real.errors import ConfigError
from sim2real.rotation import rotate
from sim2real.signals import Measured, measured_signals
from sim2real.sim.base import BaseState
from sim2real.sim.kinematics import Kinematics
from sim2real.sim.model import compile_model
from sim2real.tasks import State, make_task

ROBOTS = shipped.robot_names()


def task_of(robot_name, **options):
    robot = shipped.find_robot(robot_name)
    robot = dataclasses.replace(robot, task=robot.task | options)
    return robot, make_task(robot, Kinematics(robot, compile_model(robot)))


def state(position, velocity=0.0, command=0.0, goal=(), **tip):
    position = np.atleast_2d(position).astype(float)
    n = len(position)
    command = np.full((n, 1), command)
    return State(
        position, np.full_like(position, velocity), command, command, np.zeros((n, 1)),
        np.broadcast_to(goal, (n, len(goal))), **tip)  # fmt: skip


@pytest.mark.parametrize("name", ROBOTS)
def test_observations_are_the_same_in_numpy_and_torch(name):
    robot, task = task_of(name)
    rng = np.random.default_rng(0)
    sizes = {name: signal.size for name, signal in measured_signals(robot).items()}
    signals = {name: rng.normal(size=(5, size)) for name, size in sizes.items()}
    arrays = [rng.normal(size=(5, size)) for size in (len(robot.driven), task.ngoal)]
    ours = task.observe(Measured(**signals), *arrays)
    assert ours.shape == (5, task.nobs)
    tensors = Measured(**{name: torch.from_numpy(value) for name, value in signals.items()})
    theirs = task.observe(tensors, *(torch.from_numpy(array) for array in arrays))
    np.testing.assert_allclose(ours, theirs.numpy(), rtol=1e-12)


@pytest.mark.parametrize("name", ROBOTS)
def test_starts_lie_within_the_joint_limits(name):
    robot, task = task_of(name)
    position, velocity, base = task.start(np.random.default_rng(0).uniform(size=(100, task.nstart)))
    assert position.shape == velocity.shape == (100, len(robot.joints))
    assert (base is None) == (robot.base is None)
    for column, joint in zip(position.T, robot.joints.values(), strict=True):
        if joint.limits is not None and joint.limits.position is not None:
            assert column.min() >= joint.limits.position[0]
            assert column.max() <= joint.limits.position[1]


def test_swing_up_rewards_upright_most_and_hanging_least():
    _, task = task_of("pendulum")
    hanging, side, upright = task.reward(state([[0.0], [np.pi / 2], [np.pi]]))
    assert hanging < side < upright
    assert task.success(state([[np.pi]]))[0]
    assert not task.success(state([[np.pi - 0.3]]))[0]
    assert not task.success(state([[np.pi]], velocity=3.0))[0]


def test_swing_up_charges_for_a_command_that_chatters():
    _, task = task_of("pendulum")
    steady = state([[np.pi]], command=0.5)
    same = dataclasses.replace(steady, last_command=steady.command)
    opposite = dataclasses.replace(steady, last_command=-steady.command)
    assert task.reward(opposite)[0] < task.reward(same)[0]
    _, indifferent = task_of("pendulum", change_weight=0.0)
    assert indifferent.reward(opposite)[0] == indifferent.reward(same)[0]


def test_swing_up_does_not_care_how_often_the_pendulum_went_round():
    _, task = task_of("pendulum")
    angle = np.array([[0.7], [0.7 + 2 * np.pi], [0.7 - 4 * np.pi]])
    np.testing.assert_allclose(np.ptp(task.reward(state(angle))), 0.0, atol=1e-12)


def test_run_rewards_speed_and_ends_on_a_fall():
    robot, task = task_of("hopper")
    home = np.array([[joint.home for joint in robot.joints.values()]])
    slow, fast = task.reward(state(home, 0.0)), task.reward(state(home, 1.0))
    assert fast > slow
    assert task.success(state(home, 1.0))[0]
    assert not task.success(state(home, 0.0))[0]
    fallen = home.copy()
    fallen[0, 1] = 0.5
    assert task.terminated(state(fallen))[0]
    assert not task.terminated(state(home))[0]
    assert task.terminated(state(np.full_like(home, np.nan)))[0]


def test_reach_goals_are_poses_that_the_arm_takes():
    _, task = task_of("so101")
    goals = task.draw_goal(np.random.default_rng(0).uniform(size=(50, task.ngoal_uniforms)))
    x, y = goals[:, 3:6], goals[:, 6:9]
    np.testing.assert_allclose(np.linalg.norm(x, axis=1), 1.0, rtol=1e-9)
    np.testing.assert_allclose((x * y).sum(axis=1), 0.0, atol=1e-9)
    assert (np.linalg.norm(goals[:, :3], axis=1) < 0.6).all()


def test_reach_succeeds_exactly_at_the_goal():
    _, task = task_of("so101")
    joints = task.start(np.full((1, task.nstart), 0.6))[0]
    tip, rotation = task._kinematics.tip(joints)
    goal = np.concatenate([tip[0], rotation[0, :, 0], rotation[0, :, 1]])
    there = state(joints, goal=goal)
    distance, angle = task.error(there)
    assert distance[0] < 1e-9
    assert angle[0] < 1e-6
    assert task.success(there)[0]
    assert not task.success(state(joints + 0.3, goal=goal))[0]


def test_reach_sees_the_way_to_the_goal_in_the_tips_own_frame():
    _, task = task_of("so101")
    joints = task.start(np.full((1, task.nstart), 0.6))[0]
    tip, rotation = task._kinematics.tip(joints)
    angle, along = 0.4, np.array([0.01, -0.02, 0.03])
    turned = rotation[0] @ [[1, 0, 0], [0, np.cos(angle), -np.sin(angle)],
                            [0, np.sin(angle), np.cos(angle)]]  # fmt: skip
    goal = np.concatenate([tip[0] + rotation[0] @ along, turned[:, 0], turned[:, 1]])[None]
    seen = task.observe(Measured(position=joints, velocity=0 * joints), joints, goal)[0, -6:]
    np.testing.assert_allclose(seen, [*(4.0 * along), np.sin(angle), 0.0, 0.0], atol=1e-12)


def test_a_recording_is_scored_like_a_simulation():
    """Without the tip's pose, reach takes it from the joints."""
    _, task = task_of("so101")
    joints = task.start(np.full((1, task.nstart), 0.4))[0]
    tip, rotation = task._kinematics.tip(joints)
    goal = task.default_goal()
    simulated = state(joints, goal=goal, tip_position=tip, tip_rotation=rotation)
    np.testing.assert_allclose(task.reward(simulated), task.reward(state(joints, goal=goal)))


@pytest.mark.parametrize(
    ("name", "options", "says"),
    [
        ("pendulum", {"name": "swingup"}, "did you mean 'swing_up'"),
        ("pendulum", {"episode": 3.0}, "did you mean 'episode_seconds'"),
        ("hopper", {"forward": "rootz_"}, "did you mean 'rootz'"),
        ("hopper", {"name": "swing_up"}, "needs a chain of hinges"),
        ("hopper", {"forward": "base.x"}, "no coordinate 'base.x'"),
        ("ant", {"forward": "base.w"}, "did you mean 'base."),
        ("hopper", {"name": "track_velocity"}, "needs a [base]"),
        ("hopper", {"name": "reach_point"}, "needs a tip"),
    ],
)
def test_a_wrong_task_is_refused(name, options, says):
    with pytest.raises(ConfigError) as caught:
        task_of(name, **options)
    assert says in str(caught.value)


def test_swing_up_of_a_chain_counts_every_link_from_hanging():
    _, task = task_of("double_pendulum")
    hanging, folded, upright = np.array([[0.0, 0.0], [np.pi, np.pi], [np.pi, 0.0]])
    values = task.reward(state([hanging, folded, upright]))
    assert values[0] < values[1] < values[2]
    assert task.success(state([hanging, folded, upright])).tolist() == [False, False, True]


def test_reach_point_goals_are_points_that_the_tip_takes():
    _, task = task_of("reacher")
    goals = task.draw_goal(np.random.default_rng(0).uniform(size=(50, task.ngoal_uniforms)))
    shoulder = np.array([0.0, -0.6, 0.0])
    assert (np.linalg.norm(goals - shoulder, axis=1) < 0.1 + 0.4 + 0.321 + 0.1 + 1e-9).all()
    joints = np.array([[0.2, 0.1, -0.3, -1.0, 0.5, -0.2, 0.1]])
    there = task._kinematics.tip(joints)[0][0]
    assert task.success(state(joints, goal=there))[0]
    assert not task.success(state(joints, goal=there + np.array([0.06, 0.0, 0.0])))[0]
    near, far = (
        task.reward(state(joints, goal=there + np.array([away, 0.0, 0.0])))[0]
        for away in (0.0, 0.3)
    )
    assert near > far


def walking(task, robot, linear=(0.0, 0.0, 0.0), turning=0.0, goal=(0.5, 0.0, 0.0), **changes):
    """A robot at home whose base moves as its own frame sees it, whatever its heading."""
    home = np.array([[joint.home for joint in robot.joints.values()]])
    facing = np.array([[np.cos(0.6), 0.0, 0.0, np.sin(0.6)]])
    base = dataclasses.replace(
        BaseState.at_home(robot, 1),
        orientation=facing,
        linear_velocity=rotate(facing, np.array([linear], float)),
        angular_velocity=np.array([[0.0, 0.0, turning]]),
    )
    return dataclasses.replace(
        State(home, 0 * home, 0 * home, home, home, np.array([goal], float), base), **changes
    )


def test_track_velocity_rewards_the_commanded_velocity_in_the_bases_frame():
    robot, task = task_of("quadruped")
    right = walking(task, robot, (0.5, 0.0, 0.0))
    assert task.success(right)[0]
    for wrong in (
        walking(task, robot, (0.0, 0.5, 0.0)),
        walking(task, robot, (-0.5, 0.0, 0.0)),
        walking(task, robot, (0.5, 0.0, 0.0), turning=1.0),
        walking(task, robot),
    ):
        assert task.reward(wrong)[0] < task.reward(right)[0]
        assert not task.success(wrong)[0]


def test_track_velocity_charges_for_tilt_torque_and_change_and_never_below_zero():
    robot, task = task_of("quadruped")
    right = walking(task, robot, (0.5, 0.0, 0.0))
    tilted = np.array([[np.cos(0.15), np.sin(0.15), 0.0, 0.0]])
    changes = (
        {"base": dataclasses.replace(BaseState.at_home(robot, 1), orientation=tilted)},
        {"command": right.command + 0.2, "last_command": right.command + 0.2},
        {"last_command": right.command + 0.2},
    )
    level = dataclasses.replace(right, base=BaseState.at_home(robot, 1))
    for reference, change in zip((level, right, right), changes, strict=True):
        worse = task.reward(dataclasses.replace(reference, **change))[0]
        assert worse < task.reward(reference)[0]
    spinning = walking(task, robot, (0.0, 0.0, 9.0))
    assert task.reward(spinning)[0] == 0.0


@pytest.mark.parametrize(
    ("height", "lean", "ends"), [(0.27, 0.5, False), (0.27, 1.1, True), (0.08, 0.0, True)]
)
def test_track_velocity_ends_on_a_fall(height, lean, ends):
    robot, task = task_of("quadruped")
    base = dataclasses.replace(
        BaseState.at_home(robot, 1),
        position=np.array([[0.0, 0.0, height]]),
        orientation=np.array([[np.cos(lean / 2), 0.0, np.sin(lean / 2), 0.0]]),
    )
    assert task.terminated(walking(task, robot, base=base))[0] == ends


def test_track_velocity_commands_lie_in_their_ranges_and_some_are_to_stand():
    _, task = task_of("quadruped", forward=[0.2, 0.6], standing=0.25)
    goals = task.draw_goal(np.random.default_rng(0).uniform(size=(4000, task.ngoal_uniforms)))
    moving = goals[goals.any(axis=1)]
    assert len(moving) / len(goals) == pytest.approx(0.75, abs=0.03)
    assert moving[:, 0].min() >= 0.2
    assert moving[:, 0].max() <= 0.6


def test_standing_feet_tell_how_the_base_moves():
    """All feet planted: the base goes where the legs push it."""
    robot, task = task_of("quadruped")
    kinematics = task._kinematics
    q = np.array([[joint.home for joint in robot.joints.values()]])
    wanted, turning = np.array([0.3, -0.1, 0.0]), np.array([[0.0, 0.0, 0.4]])
    dq = np.zeros_like(q)
    for leg in range(4):  # joint rates that hold the foot still in the world
        columns = range(3 * leg, 3 * leg + 3)
        jacobian = np.stack(
            [kinematics.feet_motion(q, np.eye(12)[[i]])[1][0, leg] for i in columns], axis=1
        )
        foot = kinematics.feet(q)[0, leg]
        dq[0, list(columns)] = np.linalg.solve(jacobian, -(wanted + np.cross(turning[0], foot)))
    facing = np.array([[np.cos(0.4), 0.0, 0.0, np.sin(0.4)]])
    measured = Measured(position=q, velocity=dq, orientation=facing, angular_velocity=turning)
    base = task.estimate_base(measured)
    np.testing.assert_allclose(base.linear_velocity, rotate(facing, wanted[None]), atol=1e-6)
    assert np.isnan(base.position).all()


def test_run_with_a_floating_base_counts_speed_along_the_worlds_x():
    robot, task = task_of("ant")
    home = BaseState.at_home(robot, 2)
    base = dataclasses.replace(home, linear_velocity=np.array([[1.0, 0, 0], [0, 1.0, 0]]))
    q = np.tile([joint.home for joint in robot.joints.values()], (2, 1))
    forward, aside = task.reward(State(q, 0 * q, 0 * q, 0 * q, 0 * q, np.zeros((2, 0)), base))
    assert forward == pytest.approx(aside + 1.0)
    base.position[1, 2] = 0.1
    fallen = task.terminated(State(q, 0 * q, 0 * q, 0 * q, 0 * q, np.zeros((2, 0)), base))
    assert fallen.tolist() == [False, True]


def test_a_walking_robot_starts_with_its_lowest_foot_where_it_is_at_home():
    robot, task = task_of("quadruped")
    position, _, base = task.start(np.random.default_rng(0).uniform(size=(50, task.nstart)))
    home = np.array([[joint.home for joint in robot.joints.values()]])
    lowest = task._kinematics.feet(position)[:, :, 2].min(axis=1) + base.position[:, 2]
    expected = task._kinematics.feet(home)[0, :, 2].min() + robot.base.height
    np.testing.assert_allclose(lowest, expected, atol=1e-12)
