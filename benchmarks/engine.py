"""What the randomization engine costs with every kind of parameter on, and how it grows.

    python benchmarks/engine.py [--quick] [--mjbatch PYTHON]

Five robots, four physics steps a control step, 256 simulations on 2 threads, random actions and
restarts. By hand, on `mujoco.batch`: the same parameters, observations and restarts in plain numpy
(`_loop.py`), with a plain reward; the quadruped's is the package's own, a long formula which is
not the engine's cost. EnvPool, gymnasium's AsyncVectorEnv and stable-baselines3's
SubprocVecEnv have three of the robots and no randomization; beside them ours has no dry friction
where the model has none, because that makes physics itself slower. mjbatch is the loop by hand in
the interpreter PYTHON (`pip install mjbatch==0.1.4`), without delays, which its MuJoCo has not.
"""

import argparse
import dataclasses
import subprocess
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import _plan
import _result
import gymnasium
import mujoco
import mujoco.batch
import numpy as np
import throughput
from _loop import Loop

from sim2real.envs.vector_env import RobotVectorEnv
from sim2real.robot import Robot
from sim2real.shipped import find_robot
from sim2real.sim.base import BaseState
from sim2real.sim.kinematics import Kinematics
from sim2real.tasks import State, make_task

NUM_ENVS, THREADS, SEED = 256, 2, 1
GYMNASIUM = {"hopper": "Hopper", "half_cheetah": "HalfCheetah", "ant": "Ant"}
ROBOTS = {"pendulum": 150, "hopper": 20, "half_cheetah": 50, "ant": 20, "quadruped": 20}
"""Robot → control steps of a stretch: a fifth of a second of ours."""
TARGETS = {"by_hand": 0.9, "envpool": 1.0, "mjbatch": 1.0, "async": 3.0, "subproc": 3.0}


def main() -> None:
    """Run for all robots and write results/engine.json."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a few stretches: a smoke test")
    parser.add_argument("--mjbatch", type=Path, help="a Python that has mjbatch")
    chosen = parser.parse_args()
    warnings.simplefilter("ignore")  # gymnasium's advice, the model file's old attributes
    repetitions = 2 if chosen.quick else 15
    results = {}
    for name, steps in ROBOTS.items():
        rates = compare(name, chosen.mjbatch, 5 if chosen.quick else steps, repetitions)
        results[name] = summarize(*rates) | {"reset_in_physics_steps": reset_cost(name)}
        show(name, results[name])
    settings = {
        "num_envs": NUM_ENVS, "threads": THREADS, "seed": SEED, "steps_a_stretch": ROBOTS,
        "repetitions": repetitions, "targets": TARGETS, "quick": chosen.quick,
        "physics_steps_a_control_step": _plan.SUBSTEPS, "mjbatch": chosen.mjbatch is not None,
    }  # fmt: skip
    print("written:", _result.save("engine", settings=settings, results=results))


def compare(
    name: str, mjbatch: Path | None, steps: int, repetitions: int
) -> tuple[_result.Rates, _result.Rates]:
    """Return the frames/s of all contestants on one robot, by the clock and by processor time."""
    full = _plan.with_all_kinds(find_robot(name))
    plain = _plan.with_all_kinds(find_robot(name), constraints=False)
    envs: dict[str, Any] = {"by_hand": by_hand(full), "ours": ours(full)}
    if mjbatch is not None:
        envs["ours_no_delay"] = ours(without_delay(full))
        envs["mjbatch"] = Worker(mjbatch, without_delay(full))
    if name in GYMNASIUM:
        envs["envpool"] = envpool(GYMNASIUM[name])
        envs["ours_no_dry_friction"] = ours(plain)
        envs["async"] = throughput.async_vector_env(
            f"{GYMNASIUM[name]}-v5", THREADS, frame_skip=_plan.SUBSTEPS
        )
        envs["subproc"] = SubprocEnv(f"{GYMNASIUM[name]}-v5", THREADS)
    few = max(steps * 32 // THREADS, 1)  # as long a stretch as those of 256 environments
    counts = {"async": THREADS, "subproc": THREADS}
    contestants: dict[str, Callable[[], int]] = {}
    for key, env in envs.items():
        if isinstance(env, Worker):
            contestants[key] = lambda env=env: env.advance(steps)
        else:
            count = counts.get(key, NUM_ENVS)
            contestants[key] = throughput.stretch(env, count, few if key in counts else steps)
    try:
        return _result.alternate(contestants, repetitions)
    finally:
        for env in envs.values():
            env.close()


def reset_cost(name: str) -> dict[str, dict[int, float]]:
    """Return what a new world costs, in physics steps of a simulation, by how many start at once.

    In processor time: the draw, what is written, what follows from it, and the start; the same by
    hand; and MuJoCo's `set_const` alone, which computes what follows. The physics step is that of
    a robot that moves and touches the ground as it does under random actions.
    """
    robot = _plan.with_all_kinds(find_robot(name))
    env, hand = ours(robot), by_hand(robot)
    reset: dict[str, dict[int, float]] = {"reset": {}, "by_hand": {}, "set_const": {}}
    actions = np.random.default_rng(SEED).uniform(-1.0, 1.0, env.action_space.shape)
    steps = []
    for _ in range(100):
        env.step(actions)
        steps.append(_seconds(lambda: env.sim.fields.step(nstep=1), 1))
    step = float(np.median(steps)) / NUM_ENVS
    for count in (1, 8, 64, 256):
        ids = np.arange(count, dtype=np.int32)
        whole = _seconds(lambda ids=ids: env._start(ids))
        derived = _seconds(lambda ids=ids: env.sim.fields.set_const(ids))
        reset["reset"][count] = whole / (count * step)
        reset["by_hand"][count] = _seconds(lambda ids=ids: hand.restart(ids, 0)) / (count * step)
        reset["set_const"][count] = derived / (count * step)
    return reset


def _seconds(call: Callable[[], object], repetitions: int = 15) -> float:
    """Return the least processor time of a call [s]."""
    taken = []
    for _ in range(repetitions):
        start = time.process_time()
        call()
        taken.append(time.process_time() - start)
    return min(taken)


def ours(robot: Robot, num_envs: int = NUM_ENVS) -> RobotVectorEnv:
    """Return our environment, with its episodes at random ages: restarts come at any time."""
    env = RobotVectorEnv(robot, num_envs, seed=SEED, nthread=THREADS)
    env.reset()
    env.steps[:] = np.random.default_rng(SEED).integers(env.max_steps, size=num_envs)
    return env


def by_hand(robot: Robot, num_envs: int = NUM_ENVS) -> Any:
    """Return the loop by hand on `mujoco.batch`."""
    model, plan = _plan.plan(robot, num_envs)
    if model.ntree == 1:  # as ours: the same numbers, without looking for islands
        model.opt.disableflags |= mujoco.mjtDisableBit.mjDSBL_ISLAND.value
    loop = Loop(model, mujoco.batch.Batch(model, num_envs, THREADS), plan, SEED)
    if robot.task["name"] == "track_velocity":
        loop.reward = _reward(robot, model, loop)
    loop.action_space = gymnasium.spaces.Box(-1.0, 1.0, (num_envs, model.nu), np.float32)
    return loop


def _reward(robot: Robot, model: mujoco.MjModel, loop: Loop) -> Callable[[Any], Any]:
    """Return the robot's own reward, of the loop's arrays."""
    task = make_task(robot, Kinematics(robot, model))
    qpos, qvel = loop.qpos, loop.qvel
    base = BaseState(
        position=qpos[:, :3],
        orientation=qpos[:, 3:7],
        linear_velocity=qvel[:, :3],
        angular_velocity=qvel[:, 3:6],
    )
    q, v = slice(loop.q[0], loop.q[-1] + 1), slice(loop.v[0], loop.v[-1] + 1)

    def reward(action: Any) -> Any:
        sent = loop.command, loop.last_command
        return task.reward(State(qpos[:, q], qvel[:, v], action, *sent, loop.goal, base))

    return reward


def without_delay(robot: Robot) -> Robot:
    """Return the robot without delays."""
    kept = {name: item for name, item in robot.ranges.items() if not name.endswith(".delay")}
    return dataclasses.replace(robot).with_ranges(kept)


def envpool(name: str) -> Any:
    """Return EnvPool's environment at as many physics steps a control step."""
    import envpool as library

    env = library.make_gymnasium(
        f"{name}-v4", num_envs=NUM_ENVS, num_threads=THREADS, seed=SEED, frame_skip=_plan.SUBSTEPS
    )
    env.reset()
    return env


class SubprocEnv:
    """Environments of gymnasium in stable-baselines3's processes."""

    def __init__(self, name: str, count: int):
        from stable_baselines3.common.vec_env import SubprocVecEnv

        make = [lambda: gymnasium.make(name, frame_skip=_plan.SUBSTEPS)] * count
        self.env = SubprocVecEnv(make)
        self.env.reset()
        space = self.env.action_space
        shape = (count, *space.shape)  # type: ignore[misc]
        self.action_space = gymnasium.spaces.Box(-1.0, 1.0, shape, np.float32)

    def step(self, action: Any) -> None:
        """Advance all by one control step."""
        self.env.step(action)

    def close(self) -> None:
        """End the processes."""
        self.env.close()


class Worker:
    """The loop by hand on mjbatch, in another interpreter."""

    def __init__(self, python: Path, robot: Robot):
        script = Path(__file__).with_name("_mjbatch_worker.py")
        self.process = subprocess.Popen(
            [str(python), str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        _result.watch(self.process.pid)
        self._ask(_plan.as_text(robot, NUM_ENVS, threads=THREADS, seed=SEED))

    def advance(self, steps: int) -> int:
        """Advance by so many control steps; return the frames."""
        return int(self._ask(str(steps)))

    def close(self) -> None:
        """End the process."""
        _result.unwatch(self.process.pid)
        self.process.terminate()  # not by closing its input, which forked processes hold open, too
        self.process.wait()

    def _ask(self, line: str) -> str:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise RuntimeError("mjbatch's interpreter ended: see its error above")
        return answer


PAIRS = {
    "by_hand": "ours", "mjbatch": "ours_no_delay", "envpool": "ours_no_dry_friction",
    "async": "ours_no_dry_friction", "subproc": "ours_no_dry_friction",
}  # fmt: skip


def summarize(by_wall: _result.Rates, by_cpu: _result.Rates) -> dict[str, Any]:
    """Return all repetitions, the medians, and ours as a multiple of each of the others."""
    result: dict[str, Any] = {}
    for kind, rates in (("wall", by_wall), ("cpu", by_cpu)):
        ratios = {
            other: _result.ratio(rates, mine, other)
            for other, mine in PAIRS.items()
            if other in rates
        }
        medians = _result.medians(rates)
        result[kind] = {"frames_per_second": medians, "ours_over": ratios, "repetitions": rates}
    return result


def show(name: str, result: dict[str, Any]) -> None:
    """Print one robot's table."""
    wall, cpu = result["wall"], result["cpu"]
    print(f"\n{name}: medians      frames/s   frames/s of processor time")
    for contestant, rate in wall["frames_per_second"].items():
        print(f"  {contestant:24} {rate:8.0f} {cpu['frames_per_second'][contestant]:8.0f}")
    for other, value in wall["ours_over"].items():
        target = TARGETS[other]
        print(f"  ours / {other:17} {value:8.3f} {cpu['ours_over'][other]:8.3f}  ({target:g})")
    for what, costs in result["reset_in_physics_steps"].items():
        cost = ", ".join(f"{steps:.1f} of {n}" for n, steps in costs.items())
        print(f"  {what} in physics steps, at once: {cost}", flush=True)


if __name__ == "__main__":
    main()
