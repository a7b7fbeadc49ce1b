"""What the daemon does for a workspace at night, and what it holds back on a full disk."""

from __future__ import annotations

import shutil
from collections import namedtuple
from pathlib import Path

import pytest

from mlops_tui import upkeep
from mlops_tui.archive import restore
from mlops_tui.core import clock as times
from mlops_tui.core.errors import InvalidInput
from mlops_tui.core.workspace import Workspace
from mlops_tui.daemon import disk
from mlops_tui.job import KINDS
from mlops_tui.workbench import Workbench

Usage = namedtuple("Usage", "total used free")


def silent(done: int, total: int | None, note: str) -> None:
    pass


def test_a_night_checks_backs_up_and_keeps_the_newest_backups(workbench: Workbench, clock, tmp_path: Path) -> None:
    for _ in range(5):
        done = upkeep.nightly(workbench, silent)
        clock.advance(times.DAY)
    kept = sorted((workbench.workspace.root / "backups").iterdir())
    assert [path.name for path in kept][-1] == Path(done["backup"]["file"]).name
    assert len(kept) == 3
    assert done.keys() == {"check", "backup", "collect"}
    again = restore(kept[-1], tmp_path / "again")
    assert again.catalog_db.exists()


def test_damage_is_an_alert_until_it_is_gone_and_does_not_stop_the_backup(workbench: Workbench, monkeypatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(type(workbench.context.catalog), "check", lambda self: ["row 7 missing from index"])
        with pytest.raises(InvalidInput, match="row 7 missing"):
            upkeep.nightly(workbench, silent)
    (alert,) = workbench.alerts.list(rule="integrity")
    assert (alert.severity, alert.state) == ("critical", "open")
    assert len(list((workbench.workspace.root / "backups").iterdir())) == 1
    upkeep.nightly(workbench, silent)
    assert workbench.alerts.get(alert.id).state == "resolved"


def test_no_backup_is_made_that_would_fill_the_disk(workbench: Workbench, monkeypatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10, 9, 1))
    with pytest.raises(InvalidInput, match="A backup takes"):
        upkeep.nightly(workbench, silent)
    assert list((workbench.workspace.root / "backups").iterdir()) == []


def test_the_workspaces_own_schedule_follows_the_settings_and_is_out_of_the_way(
    workbench: Workbench, workspace: Workspace
) -> None:
    room = workbench.schedules
    room.keep_own()
    room.keep_own()
    assert room.list() == []
    assert workbench.audit.list() == []
    (own,) = room.list(own=True)
    assert (own.name, own.cron, own.action) == ("upkeep", "30 2 * * *", "upkeep")
    workspace.settings_file.write_text("[upkeep]\ncron = '0 5 * * *'\ntimezone = 'Europe/Berlin'\n")
    with Workbench(workspace, actor="tester") as bench:
        bench.schedules.keep_own()
        assert bench.schedules.get("upkeep").cron == "0 5 * * *"
    workspace.settings_file.write_text("[upkeep]\ncron = ''\n")
    with Workbench(workspace, actor="tester") as bench:
        bench.schedules.keep_own()
        assert bench.schedules.list(own=True) == []


def test_a_night_is_one_internal_job_whatever_blackouts_say(workbench: Workbench, clock) -> None:
    room = workbench.schedules
    room.keep_own()
    clock.now = room.next("upkeep", 1)[0]
    room.add_blackout("all", begins_at=clock.now - 1, ends_at=clock.now + times.DAY)
    (fire,) = room.tick()
    assert room.tick() == []
    (job,) = workbench.jobs.list(internal=True)
    assert (job.id, job.kind) == (fire.job_id, "upkeep")
    assert job.kind in KINDS
    assert room.fires() == []
    assert [one.slot for one in room.fires("upkeep")] == [fire.slot]


def test_a_full_disk_holds_jobs_back_and_is_an_alert_until_there_is_room(workbench: Workbench, monkeypatch) -> None:
    free = 5.0
    monkeypatch.setattr(disk.shutil, "disk_usage", lambda path: Usage(10, 5, free))
    monkeypatch.setattr(disk, "LOOK_S", 0.0)
    guard = disk.DiskGuard(workbench, 3.0)
    assert not guard.low()
    assert workbench.alerts.list() == []
    free = 2.0
    assert guard.low()
    assert guard.low()
    (alert,) = workbench.alerts.list(rule="disk")
    assert (alert.count, alert.severity) == (1, "critical")
    free = 4.0
    assert not disk.DiskGuard(workbench, 3.0).low()  # also one that was not there when it began
    assert workbench.alerts.get(alert.id).state == "resolved"
    free = 0.0
    assert not disk.DiskGuard(workbench, 0.0).low()
