"""Conditions that are combined, data that is fresh, and commits."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from mlops_tui.core.errors import InvalidInput, Unavailable
from mlops_tui.core.workspace import Workspace
from mlops_tui.domains.schedules import commits
from mlops_tui.domains.schedules.records import Condition
from mlops_tui.domains.schedules.rules import condition
from mlops_tui.domains.schedules.service import Schedules
from mlops_tui.workbench import Workbench
from tests.domains.schedules.fakes import HOUR, FakeFeatures, FakePipelines, FakeTable, finish_all


def test_all_conditions_must_hold_and_the_fire_names_them(
    schedules: Schedules, workbench: Workbench, features: FakeFeatures
) -> None:
    both = [condition("new_data:table=orders,rows=50"), condition("performance")]
    schedules.add("retrain", "churn", kind="condition", all_of=both)
    assert schedules.evaluate() == []
    assert "no new snapshot of at least 50 rows of orders" in schedules.get("retrain").waits
    features.tables["orders"] = FakeTable(5, 1000)
    assert schedules.evaluate() == []
    assert "no performance alert for deployment 'churn-api'" in schedules.get("retrain").waits
    alert = workbench.alerts.raise_alert("performance", "churn-api", title="AUC fell")
    (fire,) = schedules.evaluate()
    assert fire.slot == f"data:orders@5+alert:{alert.id}"
    assert fire.reason == f"new data in orders@5; alert {alert.id}: AUC fell"
    finish_all(workbench)
    assert schedules.evaluate() == []  # answered
    features.tables["orders"] = FakeTable(6, 1100)
    assert len(schedules.evaluate()) == 1  # more data while it is still wrong


def test_any_condition_is_enough_and_each_event_fires_once(
    schedules: Schedules, workbench: Workbench, features: FakeFeatures
) -> None:
    either = [condition("new_data:table=orders,rows=50"), condition("drift:share=0.5")]
    schedules.add("retrain", "churn", kind="condition", any_of=either, overlap="queue")
    workbench.alerts.raise_alert("drift", "churn-api", title="Small", facts={"share": 0.1})
    assert schedules.evaluate() == []
    workbench.alerts.raise_alert("drift", "churn-api", title="Large", facts={"share": 0.9})
    assert [fire.slot for fire in schedules.evaluate()] == ["alert:1"]
    finish_all(workbench)
    features.tables["orders"] = FakeTable(5, 1000)
    assert [fire.slot for fire in schedules.evaluate()] == ["data:orders@5"]
    finish_all(workbench)
    assert schedules.evaluate() == []


def test_a_slot_of_the_clock_whose_conditions_do_not_hold_is_skipped_with_them(
    schedules: Schedules, workbench: Workbench, features: FakeFeatures, clock
) -> None:
    schedules.add("hourly", "churn", "@hourly", all_of=[condition("new_data:rows=10"), condition("fresh:within=2h")])
    features.tables = {"labels": FakeTable(1, 100, max_time=clock.now), "orders": FakeTable(4, 900, max_time=clock.now)}
    clock.now = schedules.next("hourly", 1)[0]
    (fire,) = schedules.tick()
    assert (fire.state, fire.reason) == ("skipped", "Not so: no new snapshot of at least 10 rows of labels, orders.")
    features.tables["labels"] = FakeTable(2, 150, max_time=clock.now)
    assert schedules.upcoming("hourly", 1)[0].prospect == "runs"
    clock.now = schedules.next("hourly", 1)[0]
    assert [fire.state for fire in schedules.tick()] == ["queued"]
    finish_all(workbench)
    features.tables["labels"] = FakeTable(3, 190, max_time=clock.now)
    clock.advance(5 * HOUR)
    (fire,) = schedules.tick()
    assert "the newest data of labels is 5 h old" in fire.reason


def test_new_data_may_have_to_be_young(schedules: Schedules, features: FakeFeatures, clock) -> None:
    schedules.add("fresh", "churn", kind="new_data", tables=["orders"], within_s=3600)
    features.tables["orders"] = FakeTable(5, 910, max_time=clock.now - 2 * HOUR)
    assert schedules.evaluate() == []
    features.tables["orders"] = FakeTable(6, 920, max_time=clock.now - HOUR // 2)
    assert [fire.slot for fire in schedules.evaluate()] == ["data:orders@6"]


def test_conditions_are_read_from_words_and_mistakes_are_told() -> None:
    assert condition("new_data:table=orders, rows=5,within=24h") == Condition("new_data", "orders", "", 5, 0.0, 86400.0)
    for wrong in ("new_data:row=5", "new_data:rows=many", "fresh:within=soon"):
        with pytest.raises(InvalidInput):
            condition(wrong)


def test_combinations_that_cannot_be_are_refused(schedules: Schedules) -> None:
    new, fresh = condition("new_data"), condition("fresh:within=1h")
    for wrong in (
        {"kind": "condition"},
        {"kind": "condition", "all_of": [fresh]},
        {"kind": "condition", "all_of": [new], "any_of": [fresh]},
        {"kind": "condition", "all_of": [Condition("moon")]},
        {"kind": "condition", "all_of": [new, Condition("fresh")]},
        {"kind": "condition", "all_of": [Condition("new_data", rows=-1)]},
        {"kind": "commit"},
        {"cron": "@daily", "action": "dance"},
    ):
        with pytest.raises(InvalidInput):
            schedules.add("x", "churn", **wrong)
    assert schedules.list() == []


def test_triggers_of_a_file_carry_conditions(schedules: Schedules, pipelines: FakePipelines) -> None:
    pipelines.triggers_of["churn"] = [
        {"kind": "condition", "all": [{"kind": "new_data", "rows": 5}, {"kind": "fresh", "within": "24h"}]},
        {
            "kind": "schedule",
            "cron": "@daily",
            "jitter": "10m",
            "priority": 3,
            "grace": "1h",
            "any": [{"kind": "drift"}],
        },
    ]
    combined, daily = schedules.sync()
    assert combined.all_of == (Condition("new_data", rows=5), Condition("fresh", within_s=86400.0))
    assert (daily.jitter_s, daily.priority, daily.grace_s, daily.any_of) == (600.0, 3, 3600.0, (Condition("drift"),))


# -- commits -------------------------------------------------------------------------------------------------------------


def git(folder: Path, *arguments: str) -> str:
    names = ["-c", "user.name=t", "-c", "user.email=t@t", "-c", "init.defaultBranch=main", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", *names, *arguments], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def commit(folder: Path, file: str, words: str) -> str:
    (folder / file).parent.mkdir(exist_ok=True)
    (folder / file).write_text(words)
    git(folder, "add", file)
    git(folder, "commit", "-q", "-m", words)
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture
def project(workspace: Workspace) -> Path:
    git(workspace.project, "init", "-q")
    commit(workspace.project, "README", "first")
    return workspace.project


def test_a_commit_on_the_branch_fires_once_and_names_it(
    schedules: Schedules, workbench: Workbench, project: Path
) -> None:
    schedules.add("ci", "churn", kind="commit", overlap="queue", action="release")
    assert schedules.get("ci").branch == "main"
    assert schedules.evaluate() == []
    assert schedules.get("ci").waits == "No new commit on main."
    newest = commit(project, "steps/a.py", "a better step")
    (fire,) = schedules.evaluate()
    assert fire.reason == f"Commit {newest[:10]} on main: a better step"
    job = workbench.jobs.get(fire.job_id or 0)
    assert (job.kind, job.spec) == ("release", {"pipeline": "churn", "to": "staging", "commit": newest})
    assert (job.cause or {})["commit"] == newest
    git(project, "pack-refs", "--all")
    assert schedules.evaluate() == []


def test_only_commits_that_touch_the_paths_fire(schedules: Schedules, project: Path) -> None:
    schedules.add("ci", "churn", kind="commit", paths=["steps"], action="release")
    commit(project, "README", "words")
    assert schedules.evaluate() == []
    commit(project, "steps/a.py", "a step")
    assert len(schedules.evaluate()) == 1


def test_a_run_waits_until_the_branch_is_checked_out_and_a_release_does_not(
    schedules: Schedules, project: Path
) -> None:
    schedules.add("run", "churn", kind="commit", branch="main")
    schedules.add("release", "churn", kind="commit", branch="main", action="release")
    commit(project, "a", "on main")
    git(project, "checkout", "-q", "-b", "other", "HEAD~1")
    assert [fire.schedule for fire in schedules.evaluate()] == ["release"]
    assert schedules.get("run").waits == "Branch 'main' has a new commit, but 'other' is checked out."
    git(project, "checkout", "-q", "main")
    assert [fire.schedule for fire in schedules.evaluate()] == ["run"]


def test_a_commit_is_laid_out_beside_the_project_and_cleared_away(project: Path, workspace: Workspace) -> None:
    first = git(project, "rev-parse", "HEAD")
    commit(project, "README", "second")
    (workspace.tmp).mkdir(exist_ok=True)
    with commits.tree(project, first, workspace.tmp) as tree:
        assert (tree / "README").read_text() == "first"
    assert list(workspace.tmp.iterdir()) == []
    assert git(project, "worktree", "list").count("\n") == 0
    with pytest.raises(Unavailable, match="cannot be checked out"), commits.tree(project, "0" * 40, workspace.tmp):
        pass


@pytest.mark.parametrize(("passed", "state"), [(True, "active"), (True, "failed"), (False, "")])
def test_a_release_tests_packages_and_deploys_the_commit_and_stops_at_what_fails(
    schedules: Schedules, pipelines: FakePipelines, project: Path, workspace: Workspace, passed: bool, state: str
) -> None:
    first = git(project, "rev-parse", "HEAD")
    commit(project, "README", "second")
    did: list[str] = []

    def step(name: str, answer: SimpleNamespace) -> Callable[..., SimpleNamespace]:
        def call(*given: str, source: Path | None = None, wait: bool = True) -> SimpleNamespace:
            did.append(f"{name} {' '.join(given)} {(source / 'README').read_text() if source else ''}".strip())
            return answer

        return call

    check = SimpleNamespace(passed=False, subject="split", detail="one row")
    pipelines.test = step("test", SimpleNamespace(passed=passed, checks=[check], run="abc"))  # type: ignore[attr-defined]
    pipelines.package = step("package", SimpleNamespace(ref="churn@3"))  # type: ignore[attr-defined]
    pipelines.deploy = step("deploy", SimpleNamespace(state=state, run_id="def"))  # type: ignore[attr-defined]

    def release() -> dict[str, object]:
        return schedules.release("churn", first, "staging", lambda done, total, note: None)

    if not passed:
        with pytest.raises(InvalidInput, match="did not pass its test: split: one row"):
            release()
        assert did == ["test churn first"]
    elif state == "failed":
        with pytest.raises(InvalidInput, match="churn@3 failed in staging"):
            release()
    else:
        assert release()["package"] == "churn@3"
        assert did == ["test churn first", "package churn first", "deploy churn@3 staging"]
    assert list(workspace.tmp.iterdir()) == []
