"""Whose a process is, and that only those of runs and jobs can be ended or slowed."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from mlops_tui.core.errors import InvalidInput, NotAllowed, NotFound
from mlops_tui.core.identity import identity
from mlops_tui.domains.hardware.records import Process
from mlops_tui.domains.jobs.records import Job
from mlops_tui.telemetry import owners
from mlops_tui.telemetry.owners import Owner, assign, tree
from mlops_tui.workbench import Workbench

Sleeper = subprocess.Popen[bytes]
Working = Callable[[int], Job]


def process(pid: int, parent: int, cpu: float = 0.0) -> Process:
    return Process(pid, f"p{pid}", "ana", cpu, 1000, None, 0, "", parent)


def test_a_process_is_of_the_nearest_owner_above_it() -> None:
    parents = {1: 0, 10: 1, 11: 10, 12: 11, 13: 12, 20: 1}
    known = [Owner("job", "7", (10,)), Owner("run", "3f2a", (12,))]
    found = {pid: owner.title for pid, owner in assign(parents, known).items()}
    assert found == {10: "job 7", 11: "job 7", 12: "run 3f2a", 13: "run 3f2a"}


def test_parents_in_a_circle_or_gone_are_nobodys() -> None:
    assert assign({5: 6, 6: 5, 7: 99}, [Owner("job", "1", (8,))]) == {}


def test_a_tree_has_children_below_their_parent_and_the_busiest_branch_first() -> None:
    found = [process(2, 1, 5), process(3, 1, 1), process(4, 3, 90), process(1, 0), process(9, 77, 20)]
    shown = [(one.pid, one.depth, one.owner) for one in tree(found, [Owner("job", "7", (3,))])]
    assert shown == [(1, 0, ""), (3, 1, "job 7"), (4, 2, "job 7"), (2, 1, ""), (9, 0, "")]


def test_only_what_is_of_the_workspace_on_demand() -> None:
    found = [process(1, 0), process(3, 1), process(4, 3)]
    assert [(one.pid, one.depth) for one in tree(found, [Owner("job", "7", (3,))], own=True)] == [(3, 0), (4, 1)]


def test_a_deep_tree_is_no_trouble() -> None:
    found = [process(pid, pid - 1) for pid in range(1, 400)]
    assert tree(found, [])[-1].depth == 398


def test_jobs_runs_and_deployments_say_which_processes_are_theirs(
    workbench: Workbench, working: Working, sleeper: Sleeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = working(sleeper.pid)
    run = workbench.experiments.start("churn", name="by hand")  # of this process
    known = {one.title: one for one in owners.owners(workbench)}
    assert known[f"job {job.id}"].roots == (sleeper.pid,)
    assert known[f"run {run.id}"].roots == (os.getpid(),)
    workbench.experiments.finish(run.id, "finished")
    workbench.jobs.finish(job.id, 1, "succeeded")
    assert owners.owners(workbench) == []


def test_a_process_of_a_job_ends_on_demand_and_the_audit_log_says_who_did_it(
    workbench: Workbench, working: Working, sleeper: Sleeper
) -> None:
    job = working(sleeper.pid)
    said = owners.send(workbench, sleeper.pid, "kill", whole=True, why="stuck")
    assert said == f"Sent KILL to process {sleeper.pid} of job {job.id}."
    assert sleeper.wait(10) == -9
    entry = workbench.audit.list(limit=1)[0]
    assert (entry.verb, entry.kind, entry.name, entry.why) == ("kill", "job", str(job.id), "stuck")
    with pytest.raises(NotFound):
        owners.send(workbench, sleeper.pid, "term")


def test_a_process_of_a_job_can_be_made_nicer(workbench: Workbench, working: Working, sleeper: Sleeper) -> None:
    working(sleeper.pid)
    before = os.getpriority(os.PRIO_PROCESS, sleeper.pid)
    assert f"from niceness {before} to 15" in owners.renice(workbench, sleeper.pid, 15)
    assert os.getpriority(os.PRIO_PROCESS, sleeper.pid) == 15
    with pytest.raises(InvalidInput, match="20"):
        owners.renice(workbench, sleeper.pid, 20)


def test_taking_time_from_others_needs_the_right_to(
    workbench: Workbench, working: Working, sleeper: Sleeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    working(sleeper.pid)

    def refused(*_: Any) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "setpriority", refused)
    with pytest.raises(NotAllowed, match="cannot go"):
        owners.renice(workbench, sleeper.pid, -5)
    assert "renice" not in [entry.verb for entry in workbench.audit.list(limit=5)]


def test_what_is_not_of_a_run_or_job_is_left_alone(
    workbench: Workbench, sleeper: Sleeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(NotAllowed, match="not of this workspace"):
        owners.send(workbench, sleeper.pid)
    monkeypatch.setattr(owners, "owners", lambda _: [Owner("deployment", "churn", (sleeper.pid,), 1)])
    with pytest.raises(NotAllowed) as caught:
        owners.send(workbench, sleeper.pid)
    assert caught.value.hint == "mlops deployments stop churn"
    assert sleeper.poll() is None
    with pytest.raises(InvalidInput, match="hup"):
        owners.send(workbench, sleeper.pid, "hup")


def test_a_process_id_used_again_is_not_the_jobs(workbench: Workbench, sleeper: Sleeper) -> None:
    job = workbench.jobs.submit("pipeline", "Train", {})
    workbench.jobs.claim(1)
    who = identity(sleeper.pid)
    workbench.jobs.begin(job.id, 1, type(who)(who.pid, who.started - 1, who.boot))
    assert [one for one in owners.owners(workbench) if one.kind == "job"] == []
