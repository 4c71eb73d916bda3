"""Terrain: tiles of one height field, another under each simulation."""

import dataclasses

import mujoco
import numpy as np
import pytest

from sim2real import shipped
from sim2real.errors import ConfigError, ParameterError, RobotError
from sim2real.randomization.parameters import ParameterSet
from sim2real.robot import Terrain
from sim2real.sim.model import compile_model
from sim2real.sim.mujoco_batch import MujocoSimulator
from sim2real.sim.terrain import heights, tile

KINDS = ("flat", "rough", "slope", "stairs", "waves", "blocks")
TERRAIN = Terrain(replaces="floor", kinds=KINDS, levels=3, edge=6.0, height=0.3)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("level", [0, 2])
def test_a_tile_is_level_in_its_middle_and_at_its_rim_and_as_high_as_it_says(kind, level):
    field = tile(TERRAIN, kind, level)
    middle = slice(20, 41)  # the platform: 1 m to each side of 3 m
    assert not field[middle, middle].any()
    assert not np.concatenate([field[[0, -1]].ravel(), field[:, [0, -1]].ravel()]).any()
    highest = 0.3 * (level + 1) / 3
    assert np.abs(field).max() <= highest * (1 + 1e-12)
    assert kind == "flat" or np.abs(field).max() > 0.8 * highest


def test_stairs_have_steps_of_one_height():
    rises = np.unique(np.round(np.diff(np.unique(tile(TERRAIN, "stairs", 2))), 9))
    np.testing.assert_allclose(rises, [0.3 / 4])


def test_the_same_seed_gives_the_same_ground():
    np.testing.assert_array_equal(heights(TERRAIN), heights(TERRAIN))
    assert (heights(TERRAIN) != heights(dataclasses.replace(TERRAIN, seed=1))).any()


def height_below(model, x, y):
    """Return where a ray from above meets the ground."""
    data = mujoco.MjData(model)
    data.qpos[0] = 50.0  # the robot is out of the way
    mujoco.mj_forward(model, data)
    geom = np.zeros(1, np.int32)
    start, down = np.array([x, y, 5.0]), np.array([0.0, 0.0, -1.0])
    away = mujoco.mj_ray(model, data, start, down, None, 1, -1, geom, None)
    assert model.geom(int(geom[0])).name == "floor"
    return 5.0 - away


def world(nsim=3):
    robot = dataclasses.replace(shipped.find_robot("hopper"), terrain=TERRAIN, randomize={})
    return MujocoSimulator(robot, nsim)


def test_each_simulation_stands_on_its_own_tile():
    sim = world()
    chosen = ParameterSet(
        sim.model, tuple(sim.robot.joints), ["geom.floor.tile[0]", "geom.floor.tile[1]"]
    )
    tiles = np.array([[0.0, 0.0], [2.9, 2.2], [1.0, 3.0]])  # flat, slope, stairs
    chosen.write(sim, np.arange(3, dtype=np.int32), tiles)
    for i, (level, kind) in enumerate(np.floor(tiles).astype(int)):
        model = sim.fields.get_model(i)
        expected = tile(TERRAIN, KINDS[kind], level)
        for row, column in ((30, 30), (10, 30), (30, 45), (50, 8)):
            x, y = (0.1 * (each - 30) for each in (row, column))
            found = height_below(model, x + 1e-6, y + 1e-6)
            assert found == pytest.approx(expected[row, column], abs=1e-4)


def test_a_robot_stands_on_a_flat_tile_as_on_the_plane():
    ends = []
    for terrain in (None, TERRAIN):
        robot = dataclasses.replace(shipped.find_robot("hopper"), terrain=terrain)
        sim = MujocoSimulator(robot, 1)
        home = np.array([[joint.home for joint in robot.joints.values()]])
        sim.reset(np.zeros(1, np.int32), home, 0 * home, np.zeros((1, 3)))
        for _ in range(30):
            sim.step(np.zeros((1, 3)))
        ends.append(sim.position[0, 1])
    assert ends[0] == pytest.approx(ends[1], abs=0.01)


def test_the_last_tile_is_the_end_of_the_range():
    sim = world(1)
    chosen = ParameterSet(sim.model, tuple(sim.robot.joints), ["geom.floor.tile[0]"])
    np.testing.assert_array_equal(chosen.bounds, [[0.0, 3.0]])
    one = np.zeros(1, np.int32)
    chosen.write(sim, one, np.array([[3.0]]))
    last = sim.fields.expand("geom_pos")[0].copy()
    chosen.write(sim, one, np.array([[2.0]]))
    np.testing.assert_array_equal(last, sim.fields.expand("geom_pos")[0])
    with pytest.raises(ParameterError, match="impossible"):
        chosen.write(sim, one, np.array([[3.1]]))


def test_the_terrain_keeps_the_planes_friction_and_name():
    plain = compile_model(shipped.find_robot("hopper"))
    model = world(1).model
    for field in ("friction", "condim", "solref", "solimp", "contype", "conaffinity", "margin"):
        ours, theirs = (getattr(m.geom("floor"), field) for m in (model, plain))
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(("name", "says"), [("flor", "did you mean"), ("foot_geom", "plane")])
def test_a_terrain_that_replaces_no_plane_is_refused(name, says):
    terrain = dataclasses.replace(TERRAIN, replaces=name)
    robot = dataclasses.replace(shipped.find_robot("hopper"), terrain=terrain)
    with pytest.raises(RobotError, match=says):
        compile_model(robot)


@pytest.mark.parametrize("numbers", [{"levels": 0}, {"kinds": ()}, {"platform": 4.0}])
def test_an_impossible_terrain_is_refused(numbers):
    with pytest.raises(ConfigError, match="terrain"):
        dataclasses.replace(TERRAIN, **numbers)


def test_meshes_and_height_fields_of_a_simulations_own_are_still_shared_assets():
    """Trap: why terrain is chosen by its place. Once this fails, say so in docs/parameters.md."""
    sim = world(1)
    with pytest.raises(ValueError, match="asset"):
        sim.fields.expand("hfield_data")
