#!/usr/bin/env python3
"""The service's figures, measured by its own load (`cargo bench --bench load`). Needs no package.

`benches/peers/load.py --profile dev --observations 20000 --seconds 0.1` shows that what the load
writes is still what the comparison reads.
"""

import argparse
import json
import os
import pathlib
import subprocess
import tempfile

import drive

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
# Where cargo puts what it builds with a profile that isn't called as its folder is.
PROFILE_FOLDERS = {"bench": "release", "dev": "debug", "test": "debug"}
# The parts of the load that are compared.
PARTS = ("single", "bulk", "size", "queries")
# Where the load has each compared figure: its section and its key.
FIGURES = {
    "single 1": ("single", "senders_1_per_s"),
    "single 16": ("single", "senders_16_per_s"),
    "single 64": ("single", "senders_64_per_s"),
    "many 1": ("large", "senders_1_obs_per_s"),
    "many 16": ("large", "senders_16_obs_per_s"),
    "bulk": ("bulk", "streams_4_columns_obs_per_s"),
    "Q1": ("queries", "q1_p50_ms"),
    "Q2": ("queries", "q2_p50_ms"),
    "Q3": ("queries", "q3_p50_ms"),
    "Q4": ("queries", "q4_p50_ms"),
    "bytes": ("size", "disk_bytes_per_obs"),
}


def run(profile, *arguments):
    """Runs the load; what it prints is not read."""
    command = ["cargo", "bench", "--quiet", "--locked", "--profile", profile, "--bench", "load", "--", *arguments]
    with drive.child(command, cwd=REPOSITORY, stdout=subprocess.DEVNULL) as process:
        if process.wait():
            raise RuntimeError("the load failed")


def service(profile):
    """The service's program, which the load is built with."""
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", REPOSITORY / "target"))
    return target / PROFILE_FOLDERS.get(profile, profile) / "conspectus"


def measure(profile, observations, seconds):
    """One run of the load: the median of each compared figure."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "load.json"
        size = ["--observations", str(observations), "--seconds", str(seconds), "--runs", "1"]
        run(profile, *size, "--only", ",".join(PARTS), "--json", str(path))
        figures = json.loads(path.read_text())["figures"]
    missing = [f"{section}.{key}" for section, key in FIGURES.values() if key not in figures.get(section, {})]
    if missing:
        raise RuntimeError(f"the load doesn't write {', '.join(missing)}")
    return {name: figures[section][key]["median"] for name, (section, key) in FIGURES.items()}


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--profile", default="bench", help="which of cargo's profiles to build with")
    arguments.add_argument("--observations", type=int, default=1_000_000, help="how many to fill the service with")
    arguments.add_argument("--seconds", type=float, default=2.0, help="how long each measurement goes on")
    args = arguments.parse_args()
    for name, value in measure(args.profile, args.observations, args.seconds).items():
        print(f"{name}: {value:.3f}")


if __name__ == "__main__":
    main()
