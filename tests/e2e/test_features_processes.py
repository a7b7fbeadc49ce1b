"""Two writers, four readers and a collector on one table, killed again and again: nothing acknowledged is lost, nothing half there.

Twelve kills in every suite; MLOPS_TEST_KILLS=30 for more.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

ROWS, KILLS = 50, int(os.environ.get("MLOPS_TEST_KILLS", "12"))

# One process that forks every other, so that the libraries are loaded once. Each writes what it did into a file of its own.
SCRIPT = """
import json, os, random, signal, sys, time
from pathlib import Path

import duckdb, pandas, pyarrow
from mlops_tui.core.errors import NotFound, Unavailable
from mlops_tui.core.workspace import Workspace
from mlops_tui.workbench import Workbench

root, rows, kills = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
files = root / "said"
files.mkdir()

def begin(name, work):
    pid = os.fork()
    if pid:
        return name, pid
    try:
        with (files / name).open("w", buffering=1) as said:
            bench = Workbench(Workspace(root), actor=name)
            work(bench, said, name)
            bench.close()
    except BaseException as error:
        (files / f"{name}.error").write_text(f"{type(error).__name__}: {error}")
        os._exit(1)
    os._exit(0)

def write(bench, said, name, batches=100_000):
    for n in range(batches):
        batch = f"{name}-{n}"
        bench.features.ingest("events", [{"k": k, "t": "2024-01-01", "batch": batch} for k in range(rows)], batch_id=batch)
        said.write(batch + "\\n")

def tidy(bench, said, name):
    while True:
        try:
            bench.features.compact("events")
        except Unavailable:
            pass
        bench.features.collect(keep=3, min_age_ms=0)
        said.write("round\\n")

def read(bench, said, name):
    while not (files / "stop").exists():
        history = bench.features.history("events")
        snapshot = random.choice(history[:4])
        try:
            found = bench.features.sql(f'SELECT count(*) AS n, count(DISTINCT batch) AS b FROM "{snapshot.reference}"')
        except NotFound as error:
            assert "collected" in str(error), error
            continue
        assert found["n"][0] == snapshot.rows == rows * found["b"][0], (snapshot, found)
        said.write(snapshot.reference + "\\n")
        time.sleep(0.4)  # the writers are what this is about

def has_spoken(name):
    path = files / name
    while not (path.exists() and path.read_text().endswith("\\n")):
        assert not (files / f"{name}.error").exists(), (files / f"{name}.error").read_text()
        time.sleep(0.005)

chance = random.Random(11)
readers = [begin(f"reader{n}", read) for n in range(4)]
steady = begin("steady", lambda bench, said, name: write(bench, said, name, 20))
for life in range(kills // 2):
    mortals = [begin(f"victim{life}", write), begin(f"upkeep{life}", tidy)]
    for name, _ in mortals:
        has_spoken(name)
    time.sleep(chance.uniform(0.0, 0.03))
    for _, pid in mortals:
        os.kill(pid, signal.SIGKILL)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL
os.waitpid(steady[1], 0)
(files / "stop").touch()
for _, pid in readers:
    os.waitpid(pid, 0)
said = {path.name: path.read_text().split() for path in files.iterdir() if path.name != "stop"}
print(json.dumps(said))
"""


@pytest.mark.e2e
@pytest.mark.slow
def test_writers_readers_and_a_collector_with_kills_lose_nothing_acknowledged(workspace, workbench):
    features = workbench.features
    features.create("events", ["k"], time="t")
    features.ingest("events", [{"k": k, "t": "2024-01-01", "batch": "first"} for k in range(ROWS)], batch_id="first")
    command = [sys.executable, "-c", SCRIPT, str(workspace.root), str(ROWS), str(KILLS)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    said = json.loads(done.stdout)
    assert not [one for one in said if one.endswith(".error")], said
    assert all(said[f"reader{n}"] for n in range(4))
    assert len(said["steady"]) == 20
    acknowledged = {"first", *(batch for name, some in said.items() if name[:2] in ("st", "vi") for batch in some)}

    counts = features.sql("SELECT batch, count(*) AS n FROM events GROUP BY batch")
    stored = set(counts["batch"])
    assert acknowledged <= stored
    assert len(stored - acknowledged) <= KILLS // 2  # each victim may have died between its commit and its word
    assert set(counts["n"]) == {ROWS}
    history = features.history("events")
    assert [one.version for one in history] == list(range(len(history), 0, -1))
    assert {one.batch_id for one in history if one.batch_id} == stored
    again = features.ingest("events", [{"k": 1, "t": "2024-01-01", "batch": "x"}], batch_id=min(stored))
    assert (again.batch_id, len(features.history("events"))) == (min(stored), len(history))
    features.compact("events")
    features.collect(keep=1, min_age_ms=0)
    assert len(list((workspace.lake / "features").glob("*/*.parquet"))) == 1
    assert features.get("events").rows == ROWS * len(stored)
    assert workbench.audit.verify().ok
