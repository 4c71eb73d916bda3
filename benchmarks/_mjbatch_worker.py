"""The loop by hand on mjbatch, in an interpreter of its own: mjbatch pins another MuJoCo.

Reads a plan, then numbers of control steps, each a line; answers each with the frames made.
"""

import json
import sys

import mujoco
import numpy as np
from _loop import Loop
from mjbatch import Batch


def main() -> None:
    """Serve the benchmark that started this process."""
    plan = json.loads(sys.stdin.readline())
    model = mujoco.MjModel.from_xml_string(plan["xml"])
    if model.ntree == 1:  # as ours: the same numbers, without looking for islands
        model.opt.disableflags |= mujoco.mjtDisableBit.mjDSBL_ISLAND.value
    batch = Batch(model, plan["num_envs"], plan["threads"])
    loop = Loop(model, batch, plan, plan["seed"])
    rng = np.random.default_rng(plan["seed"])
    print("ready", mujoco.__version__, flush=True)
    for line in sys.stdin:
        steps = int(line)
        for action in rng.uniform(-1.0, 1.0, (steps, plan["num_envs"], model.nu)):
            loop.step(action.astype(np.float32))
        print(steps * plan["num_envs"], flush=True)


if __name__ == "__main__":
    main()
