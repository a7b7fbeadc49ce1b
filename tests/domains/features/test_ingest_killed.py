"""An ingest killed at every step of its commit: before the commit nothing happened, after it all did, and a retry doubles nothing."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

BEFORE = ["write-before", "write-after", "publish-before", "publish-after", "add_file-after", "note-after"]
STEPS = [*BEFORE, "committed"]

# One process that forks for each step, so that the libraries are loaded once.
CHILD = """
import json, os, signal, sys
from pathlib import Path

import duckdb, pandas, pyarrow
from mlops_tui.core import lake
from mlops_tui.core.workspace import Workspace
from mlops_tui.domains.audit.service import Audit
from mlops_tui.domains.features import ingest
from mlops_tui.domains.features.store import FeatureStore
from mlops_tui.workbench import Workbench

OWNERS = {"write": ingest, "publish": lake.Lake, "add_file": FeatureStore, "add_version": FeatureStore, "note": Audit}

def die(*given):
    os.kill(os.getpid(), signal.SIGKILL)

def deadly(owner, name, after):
    real = getattr(owner, name)
    def call(*given, **named):
        if not after:
            die()
        real(*given, **named)
        die()
    setattr(owner, name, call)

def victim(step):
    name, _, when = step.partition("-")
    if name in OWNERS:
        deadly(OWNERS[name], name, when == "after")
    bench = Workbench(Workspace(Path(sys.argv[1])), actor="victim")
    rows = [{"k": k, "t": "2025-01-01"} for k in range(10)]
    progress = (lambda done, total, note: die() if done == total else None) if step == "committed" else None
    bench.features.ingest(step, rows, batch_id="one", progress=progress)

ended = {}
for step in json.loads(sys.argv[2]):
    pid = os.fork()
    if pid == 0:
        victim(step)
        os._exit(0)
    ended[step] = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
print(json.dumps(ended))
"""


@pytest.mark.e2e
@pytest.mark.slow
def test_an_ingest_killed_anywhere_is_there_whole_or_not_at_all(workspace, workbench):
    features = workbench.features
    for step in STEPS:
        features.create(step, ["k"], time="t")
    command = [sys.executable, "-c", CHILD, str(workspace.root), json.dumps(STEPS)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert json.loads(done.stdout or "{}") == dict.fromkeys(STEPS, -9), done.stderr
    for step in STEPS:
        committed = step == "committed"
        assert features.get(step).latest_version == int(committed), step
        rows = [{"k": k, "t": "2025-01-01"} for k in range(10)]
        assert features.ingest(step, rows, batch_id="one").version == 1  # the next writer is not blocked
        assert features.count(step) == 10
    features.collect(min_age_ms=-1)
    assert list(workspace.tmp.glob("*.parquet")) == []
    assert len(list((workspace.lake / "features").rglob("*.parquet"))) == len(STEPS)
