"""The whole loop on several virtual robots: what calibration is worth on each.

    python benchmarks/demo.py [--seeds 0 1 2] [--folder runs/demos] [--quick]

Runs `sim2real demo --seed S` for each seed: another robot, other networks. A demo that is in the
folder already is only read. Writes results/demo.json. Deployment is in real time: leave the
machine alone while it runs.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import _result


def main() -> None:
    """Run the demos, print a line each and write the numbers."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--folder", type=Path, help="where the demos' results go")
    parser.add_argument("--quick", action="store_true", help="few steps: a smoke test")
    chosen = parser.parse_args()
    folder = chosen.folder or Path(tempfile.mkdtemp())
    steps = ["--steps", "20000"] if chosen.quick else []
    demos = [_demo(seed, folder / f"demo{seed}", steps) for seed in chosen.seeds]
    settings = {"seeds": chosen.seeds, "quick": chosen.quick}
    print("written:", _result.save("demo", settings=settings, results={"demos": demos}))


def _demo(seed: int, folder: Path, options: list[str]) -> dict[str, Any]:
    if not (folder / "report.html").is_file():
        _call("demo", "--seed", str(seed), "--output", str(folder), *options)
    report = json.loads(_call("report", str(folder), "--json"))
    seconds = sum(step["seconds"] for step in json.loads((folder / "steps.json").read_text()))
    planted = [row for row in report["parameters"] if row["planted"] is not None]
    demo = {
        "seed": seed,
        "seconds": round(seconds),
        "robot_return": {row["name"]: row["robot_return"] for row in report["policies"]},
        "robot_success": {row["name"]: row["robot_success"] for row in report["policies"]},
        "episodes": {row["name"]: row["episodes"] for row in report["policies"]},
        "parameters": planted,
        "covered": sum(row["covered"] for row in planted),
    }
    returns = ", ".join(f"{name} {value:.0f}" for name, value in demo["robot_return"].items())
    print(
        f"seed {seed}: {seconds:.0f} s; return on the robot: {returns};"
        f" {demo['covered']} of {len(planted)} planted parameters inside their intervals",
        flush=True,
    )
    return demo


def _call(*arguments: str) -> str:
    command = [sys.executable, "-m", "sim2real", *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


if __name__ == "__main__":
    main()
