"""What reading a log of 10 million rows costs: time, and memory that does not grow with the rows.

    python benchmarks/log_memory.py [--quick]

The parent writes a pendulum's log in each format; each child reads one of them with `read_log`
(checks included), surveys it as `sim2real log` does, and reports. `anonymous_mb` is the largest
private memory of the process, which a machine must have; `peak_mb` counts also pages of the spooled
rows that the kernel happened to keep and can drop at any time. Bags and recordings are decoded
message by message in Python, so they are measured with a tenth of the rows.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import _result
import numpy as np

TARGETS = {"anonymous_mb": 600.0, "growth": 1.3}
BLOCK = 100_000

RECIPE = """
robot = "pendulum"
[parameters]
"body.bob.mass" = { prior = { scale = [0.5, 1.5] } }
[columns]
time = { column = "time", unit = "ns" }
[columns.joints.pivot]
position = { column = "q", unit = "rad" }
velocity = { column = "v", unit = "rad/s" }
command = { column = "tau", unit = "Nm" }
"""

CHILD = """
import json, sys, threading, time
from pathlib import Path

def status(key):
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(key)) / 1e3

import scipy.optimize, scipy.signal
import sim2real.calibration.plausibility.torques
from sim2real.calibration.logs import read_log
from sim2real.calibration.survey import survey
from sim2real.calibration.recipe import Recipe
from sim2real.shipped import find_robot

robot, recipe = find_robot("pendulum"), Recipe.load(Path(sys.argv[2]))
before, peaks, done = status("RssAnon"), [0.0], threading.Event()

def watch():
    while not done.wait(0.01):
        peaks.append(status("RssAnon"))

watcher = threading.Thread(target=watch)
watcher.start()
start = time.perf_counter()
log = read_log(Path(sys.argv[1]), recipe, robot)
seconds = time.perf_counter() - start
read_mb = max(peaks)
survey(log, robot)
done.set()
watcher.join()
print(json.dumps({"rows": len(log.time), "seconds": seconds, "before_mb": before,
                  "read_mb": read_mb,
                  "anonymous_mb": max(peaks), "peak_mb": status("VmHWM")}))
"""  # fmt: skip


def main() -> None:
    """Write and read all formats and write results/log_memory.json."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="few rows: a smoke test")
    parser.add_argument("--folder", type=Path, help="for the files, some gigabytes")
    arguments = parser.parse_args()
    most = 100_000 if arguments.quick else 10_000_000
    results: dict[str, Any] = {}
    for name, (write, share) in WRITERS.items():
        pair = {}
        for rows in (most // share // 10, most // share):
            with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
                recipe = Path(folder) / "recipe"
                recipe.mkdir()
                (recipe / "recipe.toml").write_text(RECIPE)
                path = write(Path(folder), rows)
                megabytes = path.stat().st_size / 1e6
                pair[rows] = child(path, recipe) | {"file_mb": megabytes}
            print(f"{name:10} {rows:>10,} rows: {pair[rows]['seconds']:6.1f} s,"
                  f" {pair[rows]['anonymous_mb']:6.1f} MB private,"
                  f" {pair[rows]['peak_mb']:6.1f} MB with pages of files", flush=True)  # fmt: skip
        few, many = pair.values()
        growth = many["anonymous_mb"] / few["anonymous_mb"]
        results[name] = {"growth": growth, "runs": list(pair.values())}
        settings = {"rows": most, "targets": TARGETS, "quick": arguments.quick, "seed": 0}
        print("written:", _result.save("log_memory", settings=settings, results=results))


def blocks(rows: int):
    """Yield time [ns], position, velocity and torque of a swinging pendulum, block by block."""
    rng = np.random.default_rng(0)
    for first in range(0, rows, BLOCK):
        t = np.arange(first, min(first + BLOCK, rows)) * 1e-3
        q = 1.2 * np.sin(2.0 * t) + 1e-4 * rng.standard_normal(len(t))
        v = 2.4 * np.cos(2.0 * t)
        a = -4.8 * np.sin(2.0 * t)
        tau = 0.18 * a + 3.58 * np.sin(q) + 0.1 * v
        yield np.round(t * 1e9).astype(np.int64), q, v, tau


def write_csv(folder: Path, rows: int) -> Path:
    """Write text with all digits."""
    path = folder / "log.csv"
    with path.open("w") as file:
        file.write("time,q,v,tau\n")
        for columns in blocks(rows):
            lists = (column.tolist() for column in columns)
            file.writelines(
                f"{t},{q!r},{v!r},{tau!r}\n" for t, q, v, tau in zip(*lists, strict=True)
            )
    return path


def write_npz(folder: Path, rows: int) -> Path:
    """Write compressed arrays; these are small enough to be made at once."""
    columns = [np.concatenate(parts) for parts in zip(*blocks(rows), strict=True)]
    np.savez_compressed(
        folder / "log.npz", **dict(zip(["time", "q", "v", "tau"], columns, strict=True))
    )
    return folder / "log.npz"


def write_hdf5(folder: Path, rows: int) -> Path:
    """Write chunked datasets."""
    import h5py

    with h5py.File(folder / "log.hdf5", "w") as file:
        for name, kind in (("time", np.int64), ("q", float), ("v", float), ("tau", float)):
            file.create_dataset(name, (rows,), kind, chunks=(min(BLOCK, rows),))
        for i, columns in enumerate(blocks(rows)):
            for name, values in zip(("time", "q", "v", "tau"), columns, strict=True):
                file[name][i * BLOCK : i * BLOCK + len(values)] = values
    return folder / "log.hdf5"


def write_parquet(folder: Path, rows: int) -> Path:
    """Write row groups of a block each."""
    import pyarrow as pa
    from pyarrow import parquet

    names, path = ["time", "q", "v", "tau"], folder / "log.parquet"
    schema = pa.schema([("time", pa.int64())] + [(name, pa.float64()) for name in names[1:]])
    with parquet.ParquetWriter(path, schema) as writer:
        for columns in blocks(rows):
            writer.write_table(pa.table(list(map(pa.array, columns)), schema=schema))
    return path


def write_recording(folder: Path, rows: int) -> Path:
    """Write what the package's recorder writes."""
    from mcap.writer import Writer

    header = {"robot": "pendulum", "joints": ["pivot"], "driven": ["pivot"], "goal": []}
    path = folder / "log.mcap"
    with path.open("wb") as file:
        writer = Writer(file, chunk_size=200_000)
        writer.start(profile="", library="sim2real")
        writer.add_metadata("sim2real", {k: json.dumps(v) for k, v in header.items()})
        schema = writer.register_schema("any", "jsonschema", b"{}")
        channels = {name: writer.register_channel(name, "json", schema)
                    for name in ("measurement", "command")}  # fmt: skip
        for columns in blocks(rows):
            for t, q, v, tau in zip(*(column.tolist() for column in columns), strict=True):
                measured = {"seq": 0, "stamp": t, "position": [q], "velocity": [v]}
                sent = {"stamp": t, "state": 3, "command": [tau]}
                for name, content in (("measurement", measured), ("command", sent)):
                    data = json.dumps(content).encode()
                    writer.add_message(channels[name], t, data, t)
        writer.finish()
    return path


WRITERS = {
    "npz": (write_npz, 1),
    "hdf5": (write_hdf5, 1),
    "parquet": (write_parquet, 1),
    "csv": (write_csv, 1),
    "recording": (write_recording, 10),
}
"""Format → its writer, and by how much its rows are fewer."""


def child(path: Path, recipe: Path) -> dict[str, Any]:
    """Return what a fresh process reports that reads the file."""
    program = [sys.executable, "-c", CHILD, str(path), str(recipe)]
    done = subprocess.run(program, check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


if __name__ == "__main__":
    main()
