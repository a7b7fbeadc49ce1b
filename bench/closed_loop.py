"""The closed loop end to end under steady HTTP traffic: with good data, and with data that the gate or the canary must stop.

python bench/closed_loop.py [--data bike_hour.csv] [--rate 200] [--months 4] [--keep DIR]

Each run is `mlops demo` in a new folder with nobody at the keyboard. Prints one row per run, and ends with code 1 when a request
failed or a loop did not end as it should.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

RUNS = {"good data": [], "harm, gate": ["--harmful", "gate"], "harm, canary": ["--harmful", "canary"]}
COLUMNS = (
    "run",
    "as it should",
    "seconds",
    "requests",
    "failed",
    "a second",
    "p50 ms",
    "p99 ms",
    "versions",
    "stopped by",
)


def play(folder: Path, options: list[str]) -> tuple[int, float, dict[str, Any]]:
    """One demo: exit code, seconds, and the story it left."""
    began = time.monotonic()
    command = [sys.executable, "-m", "mlops_tui", "demo", "--project", str(folder), "--no-tui", *options]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, env={**os.environ, "OMP_NUM_THREADS": "1"}, check=False)
    story = folder / "storage" / "demo.json"
    return done.returncode, time.monotonic() - began, json.loads(story.read_text()) if story.exists() else {}


def row(name: str, code: int, seconds: float, story: dict[str, Any]) -> list[str]:
    steady = story.get("steady") or {}
    versions = sorted({month["version"] for month in story.get("months", [])})
    return [
        name, "yes" if code == 0 and not story.get("failed") else "NO", f"{seconds:.0f}", f"{story.get('requests', 0):,}",
        str(story.get("failed", "?")), f"{steady.get('rate', 0):.0f}", f"{steady.get('p50_ms', 0):.0f}",
        f"{steady.get('p99_ms', 0):.0f}", ", ".join(map(str, versions)), story.get("stopped") or "-",
    ]  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, help="The UCI Bike Sharing file instead of the sample.")
    parser.add_argument("--rate", default="200")
    parser.add_argument("--months", default="4")
    parser.add_argument("--keep", type=Path, help="Make the folders here and leave them.")
    given = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        for name, options in RUNS.items():
            folder = (given.keep or Path(scratch)) / name.replace(", ", "-").replace(" ", "-")
            folder.mkdir(parents=True)
            data = ["--data", str(given.data.resolve())] if given.data else []
            rows.append(row(name, *play(folder, [*data, *options, "--rate", given.rate, "--months", given.months])))
    for line in (COLUMNS, *rows):
        print("| " + " | ".join(line) + " |")
    return 0 if all(line[1] == "yes" for line in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
