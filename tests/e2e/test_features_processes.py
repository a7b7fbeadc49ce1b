"""Several processes taking data into one table, some of them killed in the middle: nothing acknowledged is lost, nothing is half there."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time

import pytest

ROWS = 200  # as in WRITER
WRITER = """
import sys
from pathlib import Path
from mlops_tui.core.workspace import Workspace
from mlops_tui.workbench import Workbench

root, name, start, end = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
bench = Workbench(Workspace(root), actor=name)
for n in range(start, end):
    batch = f"{name}-{n}"
    rows = [{"k": k, "t": "2024-01-01", "batch": batch} for k in range(200)]
    bench.features.ingest("events", rows, batch_id=batch)
    print(batch, flush=True)
bench.close()
"""


def start(root, name, first, last):
    command = [sys.executable, "-c", WRITER, str(root), name, str(first), str(last)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.e2e
@pytest.mark.slow
def test_killed_and_concurrent_ingests_lose_nothing_acknowledged(workspace, workbench):
    workbench.features.create("events", ["k"], time="t")
    source = random.Random(7)
    steady = start(workspace.root, "steady", 0, 25)
    acknowledged = set()
    for life in range(4):
        victim = start(workspace.root, f"victim{life}", 0, 1000)
        assert victim.stdout is not None
        assert victim.stderr is not None
        acknowledged.add(victim.stdout.readline().strip())
        time.sleep(source.uniform(0.05, 0.4))
        victim.send_signal(signal.SIGKILL)
        out, errors = victim.communicate(timeout=60)
        acknowledged.update(out.split())
        assert errors == ""
    out, errors = steady.communicate(timeout=120)
    assert (steady.returncode, errors) == (0, "")
    acknowledged.update(out.split())

    history = workbench.features.history("events")
    stored = {snapshot.batch_id for snapshot in history}
    assert acknowledged <= stored
    assert len(stored - acknowledged) <= 4  # each victim may have died between its commit and its word
    assert [snapshot.version for snapshot in history] == list(range(len(history), 0, -1))
    counts = workbench.features.sql("SELECT batch, count(*) AS n FROM events GROUP BY batch")
    assert dict(zip(counts["batch"], counts["n"], strict=True)) == dict.fromkeys(stored, ROWS)
    assert workbench.features.get("events").rows == ROWS * len(stored)
    old = workbench.features.sql('SELECT count(*) AS n FROM "events@3"')
    assert old["n"].tolist() == [3 * ROWS]
    again = sorted(stored)[0]
    before = len(history)
    workbench.features.ingest("events", [{"k": 1, "t": "2024-01-01", "batch": "x"}], batch_id=again)
    assert len(workbench.features.history("events")) == before
    assert workbench.audit.verify().ok


UPKEEP = """
import sys, time
from pathlib import Path
from mlops_tui.core.errors import Unavailable
from mlops_tui.core.workspace import Workspace
from mlops_tui.workbench import Workbench

bench = Workbench(Workspace(Path(sys.argv[1])), actor="upkeep")
while True:
    try:
        bench.features.compact("events")
    except Unavailable:
        pass
    bench.features.collect(keep=3, min_age_ms=0)
    print("round", flush=True)
"""

READER = """
import sys
from pathlib import Path
from mlops_tui.core.errors import NotFound
from mlops_tui.core.workspace import Workspace
from mlops_tui.workbench import Workbench

bench = Workbench(Workspace(Path(sys.argv[1])), actor="reader")
reads = 0
while not (Path(sys.argv[1]) / "stop").exists():
    history = bench.features.history("events")
    snapshot = history[min(reads % 4, len(history) - 1)]
    try:
        found = bench.features.sql(f'SELECT count(*) AS n, count(DISTINCT batch) AS b FROM "{snapshot.reference}"')
    except NotFound as error:
        assert "collected" in str(error), error
        continue
    assert found["n"][0] == snapshot.rows == 200 * found["b"][0], (snapshot, found)
    reads += 1
print(reads)
"""


@pytest.mark.e2e
@pytest.mark.slow
def test_writers_a_reader_and_a_collector_with_kills_lose_nothing_acknowledged(workspace, workbench):
    workbench.features.create("events", ["k"], time="t")
    workbench.features.ingest(
        "events", [{"k": k, "t": "2024-01-01", "batch": "first"} for k in range(ROWS)], batch_id="first"
    )
    source = random.Random(11)
    reader = subprocess.Popen(
        [sys.executable, "-c", READER, str(workspace.root)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    steady = start(workspace.root, "steady", 0, 30)
    acknowledged = {"first"}
    for life in range(6):
        upkeep = subprocess.Popen(
            [sys.executable, "-c", UPKEEP, str(workspace.root)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        victim = start(workspace.root, f"victim{life}", 0, 1000)
        assert victim.stdout is not None
        assert upkeep.stdout is not None
        acknowledged.add(victim.stdout.readline().strip())
        upkeep.stdout.readline()
        time.sleep(source.uniform(0.05, 0.5))
        for process in (victim, upkeep):
            process.send_signal(signal.SIGKILL)
        out, errors = victim.communicate(timeout=60)
        acknowledged.update(out.split())
        assert (errors, upkeep.communicate(timeout=60)[1]) == ("", "")
    out, errors = steady.communicate(timeout=120)
    assert (steady.returncode, errors) == (0, "")
    acknowledged.update(out.split())
    (workspace.root / "stop").touch()
    out, errors = reader.communicate(timeout=60)
    assert (reader.returncode, errors) == (0, "")
    assert int(out) > 0

    counts = workbench.features.sql("SELECT batch, count(*) AS n FROM events GROUP BY batch")
    stored = set(counts["batch"])
    assert acknowledged <= stored
    assert len(stored - acknowledged) <= 6
    assert set(counts["n"]) == {ROWS}
    workbench.features.compact("events")
    workbench.features.collect(keep=1, min_age_ms=0)
    left = list((workspace.lake / "features").glob("*/*.parquet"))
    assert len(left) == 1
    assert workbench.features.get("events").rows == ROWS * len(stored)
    assert workbench.audit.verify().ok
