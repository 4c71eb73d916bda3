"""What a robot's computer pays before the first command: time and memory in a fresh process.

    python benchmarks/import_cost.py [--quick]

The parent exports a small pendulum policy; each child imports `sim2real.deploy.controller`, opens
the ONNX file (which replays its golden tape) and reports. A child that only imports numpy and
onnxruntime shows how much of that is theirs.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import _result

TARGETS = {"seconds": 0.5, "peak_mb": 80.0}

CHILD = """
import json, resource, sys, time
start = time.perf_counter()
{work}
seconds = time.perf_counter() - start
try:  # ru_maxrss would count the parent's memory, from which this process was forked
    lines = open("/proc/self/status").read().splitlines()
    peak = next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024
except OSError:
    unit = 1 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
heavy = [name for name in ("torch", "mujoco", "gymnasium", "scipy") if name in sys.modules]
print(json.dumps({{"seconds": seconds, "peak_mb": peak / 1e6, "heavy": heavy,
                  "modules": len(sys.modules)}}))
"""  # fmt: skip

OURS = """
from pathlib import Path
from sim2real.deploy.controller import Controller
imported = time.perf_counter()
Controller.load(Path(sys.argv[1]), None)
"""

LIBRARIES = "import numpy, onnxruntime"


def main() -> None:
    """Start the children in turns and write results/import_cost.json."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="few processes: a smoke test")
    quick = parser.parse_args().quick
    repetitions = 3 if quick else 20
    runs: dict[str, list[dict[str, Any]]] = {"ours": [], "numpy_and_onnxruntime": []}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pendulum.onnx"
        export_pendulum(path)
        for repetition in range(repetitions + 1):
            pair = {"ours": child(OURS, path), "numpy_and_onnxruntime": child(LIBRARIES, path)}
            for name, result in pair.items():
                if repetition:  # the first fills the disk's cache
                    runs[name].append(result)
    results = {name: summarize(rows) for name, rows in runs.items()}
    for name, result in results.items():
        print(f"{name:22} {result['seconds']:.3f} s  {result['peak_mb']:.1f} MB"
              f"  heavy imports: {', '.join(result['heavy']) or 'none'}")  # fmt: skip
    print(f"target: {TARGETS['seconds']} s, {TARGETS['peak_mb']} MB, none of torch and mujoco")
    settings = {"repetitions": repetitions, "targets": TARGETS, "quick": quick, "seed": 0}
    print("written:", _result.save("import_cost", settings=settings, results=results))


def export_pendulum(path: Path) -> None:
    """Write an untrained controller of the pendulum."""
    import torch

    from sim2real.export.onnx_file import export
    from sim2real.shipped import find_robot
    from sim2real.sim.kinematics import Kinematics
    from sim2real.sim.model import compile_model
    from sim2real.tasks import make_task
    from sim2real.training.policy import Policy

    torch.manual_seed(0)
    robot = find_robot("pendulum")
    task = make_task(robot, Kinematics(robot, compile_model(robot)))
    policy = Policy((task.nobs, 64, 64, len(robot.driven)), "elu").eval()
    export(policy, robot, task, path, trained_on={}, origin={})


def child(work: str, path: Path) -> dict[str, Any]:
    """Return what a fresh process reports that does `work` with the file `path`."""
    program = [sys.executable, "-c", CHILD.format(work=work), str(path)]
    done = subprocess.run(program, check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def summarize(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the medians and all repetitions."""
    medians = {key: statistics.median(row[key] for row in rows) for key in ("seconds", "peak_mb")}
    heavy = sorted({name for row in rows for name in row["heavy"]})
    return {**medians, "heavy": heavy, "repetitions": rows}


if __name__ == "__main__":
    main()
