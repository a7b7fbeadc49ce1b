from __future__ import annotations

import logging
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from mlops_tui.core import processes
from mlops_tui.core.workspace import Workspace
from mlops_tui.daemon.loop import Daemon, notify
from mlops_tui.workbench import Workbench

HEAVY = ("pandas", "numpy", "sklearn", "duckdb", "pyarrow", "textual", "river", "uvicorn")


def test_the_daemon_imports_nothing_heavy(workspace: Workspace) -> None:
    code = (
        "import sys; from pathlib import Path; from mlops_tui.daemon.__main__ import main; "
        f"code = main(['--workspace', {str(workspace.root)!r}, '--once']); "
        f"print(sorted(set({HEAVY!r}) & set(sys.modules))); sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=processes.package_environment(), check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]", done.stderr


def test_pushes_and_watched_files_are_seen_without_anything_heavy_and_become_jobs(workspace: Workspace) -> None:
    (workspace.project / "in").mkdir()
    with Workbench(workspace) as bench:
        bench.features.create("shops", ["id"])
        bench.features.ingest("shops", [{"id": 1}])
        bench.features.push("shops", [{"id": 2}])
        bench.features.watch("shops", workspace.project / "in", every=1000)
    (workspace.project / "in" / "a.csv").write_text("id\n3\n")
    code = (
        "import sys, logging; from pathlib import Path; from mlops_tui.core.workspace import Workspace; "
        f"from mlops_tui.daemon.loop import Daemon; daemon = Daemon(Workspace(Path({str(workspace.root)!r})), logging.getLogger()); "
        "now = daemon._bench.context.now(); daemon._bench.context.now = lambda: now; daemon._features(); "
        "later = now + 10_000; daemon._bench.context.now = lambda: later; daemon._features(); "
        "print(sorted(job.kind for job in daemon._bench.jobs.list(internal=True))); "
        f"print(sorted(set({HEAVY!r}) & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=processes.package_environment(), check=False
    )
    assert done.stdout.splitlines() == ["['flush', 'watch']", "[]"], done.stderr


def test_every_room_answers_the_daemon(workspace: Workspace) -> None:
    """A task that fails is only a log line, so this is where a broken one is noticed."""
    command = processes.python_module("mlops_tui.daemon", "--workspace", str(workspace.root), "--once")
    subprocess.run(command, env=processes.package_environment(), check=True, capture_output=True)
    assert "ERROR" not in (workspace.logs / "daemon.log").read_text()


def test_a_task_that_fails_is_logged_once_a_minute_and_stops_nobody(
    workspace: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    daemon = Daemon(workspace, logging.getLogger("test"))
    ran: list[str] = []

    def broken() -> None:
        raise ValueError("no luck")

    for task in daemon._tasks:
        task.call = lambda: ran.append("ran")
    daemon._tasks[0].call = broken
    for _ in range(3):
        daemon._pass(True)
        for task in daemon._tasks:
            task.due = 0.0
    assert len(ran) == 3 * (len(daemon._tasks) - 1)
    assert caplog.text.count("jobs: ValueError: no luck") == 1
    daemon._bench.close()


def test_failed_work_raises_an_alert_that_the_next_success_resolves(workspace: Workspace) -> None:
    daemon = Daemon(workspace, logging.getLogger("test"))
    jobs, alerts = daemon._bench.jobs, daemon._bench.alerts
    for expected in ("failed", "succeeded"):
        jobs.submit("pipeline", "Train churn", {}, name="churn")
        (job,) = jobs.claim()
        jobs.begin(job.id, 1, processes.identity())
        jobs.finish(job.id, 1, expected, error="" if expected == "succeeded" else "no data")
        daemon._failures()
        daemon._failures()
        (alert,) = alerts.list()
        assert (alert.rule, alert.subject, alert.count) == ("job_failed", "churn", 1)
        assert alert.state == ("resolved" if expected == "succeeded" else "open")
    daemon._bench.close()


def test_systemd_is_told_when_it_listens(tmp_path: Path, monkeypatch) -> None:
    path = str(tmp_path / "n")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(path)
        monkeypatch.setenv("NOTIFY_SOCKET", path)
        notify("READY=1")
        assert listener.recv(100) == b"READY=1"
    Path(path).unlink()
    notify("STOPPING=1")  # nobody is there any more


def test_a_trigger_that_was_changed_while_no_daemon_looked_counts_as_it_is_now(workspace: Workspace) -> None:
    daemon = Daemon(workspace, logging.getLogger("test"))
    bench = daemon._bench
    bench.features.create("labels", ["id"])
    bench.features.ingest("labels", [{"id": 1, "x": 0.5, "count": 1}])
    path = bench.pipelines.new("bikes", "regression", spine="labels", target="count")
    before = path.read_text() + '\n[[triggers]]\nkind = "performance"\ndeployment = "bikes"\n'
    path.write_text(before)
    bench.schedules.sync()
    path.write_text(f"{before}dry_run = true\n")
    bench.alerts.raise_alert("performance", "bikes", title="Worse")
    for task in daemon._tasks:
        if task.name in ("sync", "schedules"):
            task.call()
    assert bench.jobs.list(kind="pipeline") == []
    [fire] = bench.schedules.fires()
    assert "Alert 1: Worse. Dry run: Reads labels@1" in fire.reason
    bench.close()
