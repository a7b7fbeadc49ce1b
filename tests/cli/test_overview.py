from __future__ import annotations

import json
from pathlib import Path

import pytest

from mlops_tui.cli.app import main
from mlops_tui.core import locks
from mlops_tui.core.workspace import Workspace
from mlops_tui.domains.features import service
from mlops_tui.workbench import Workbench


def mlops(capsys, *arguments: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of `mlops ARGUMENTS`."""
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    out, err = capsys.readouterr()
    return int(ended.value.code or 0), out, err


@pytest.fixture
def here(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.setenv("MLOPS_WORKSPACE", str(workspace.root))
    monkeypatch.setenv("MLOPS_ACTOR", "ana")
    return workspace


def test_init_makes_a_workspace_once(tmp_path: Path, capsys) -> None:
    code, out, err = mlops(capsys, "init", str(tmp_path / "shop"))
    assert (code, "Made the workspace" in out, "Next:" in err) == (0, True, True)
    code, _, err = mlops(capsys, "init", str(tmp_path / "shop"))
    assert (code, "is a workspace already" in err) == (4, True)


def test_without_a_workspace_the_exit_code_is_3_and_the_hint_says_how(tmp_path: Path, capsys, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLOPS_WORKSPACE", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "none"))
    code, out, err = mlops(capsys, "runs", "list")
    assert (code, out) == (3, "")
    assert "mlops init" in err


def test_a_mistyped_command_is_met_with_the_nearest(capsys) -> None:
    code, _, err = mlops(capsys, "modles", "list")
    assert code == 2
    assert "Did you mean 'models'?" in err


def test_status_of_an_empty_workspace_says_so(here: Workspace, capsys) -> None:
    code, out, _ = mlops(capsys, "status")
    assert code == 0
    assert "not running (start it: mlops daemon start)" in out
    assert "0 feature tables, 0 runs, 0 models" in out
    document = json.loads(mlops(capsys, "status", "--json")[1])
    assert (document["daemon"], document["jobs"], document["alerts"]) == (False, [], [])


def test_status_shows_open_alerts_and_waiting_jobs(here: Workspace, capsys) -> None:
    with Workbench(here, actor="ana") as bench:
        bench.alerts.raise_alert("drift", "churn", title="churn: age moved")
        bench.jobs.submit("command", "say hello", {"command": ["true"]})
    _, out, _ = mlops(capsys, "status")
    assert "churn: age moved" in out
    assert "say hello" in out


def test_doctor_finds_nothing_wrong_with_a_new_workspace(here: Workspace, capsys) -> None:
    code, out, _ = mlops(capsys, "doctor", "--json")
    assert code == 0
    assert all(finding["ok"] for finding in json.loads(out))


def test_doctor_names_a_damaged_file_and_ends_with_1(here: Workspace, capsys) -> None:
    here.catalog_db.write_bytes(b"not a database, whatever its name may be" * 200)
    code, out, err = mlops(capsys, "doctor", "--json")
    assert code == 1, err
    wrong = {finding["what"] for finding in json.loads(out) if not finding["ok"]}
    assert wrong == {"catalog.db", "audit trail"}


def test_an_edited_audit_trail_is_found(here: Workspace, capsys) -> None:
    with Workbench(here, actor="ana") as bench:
        bench.alerts.raise_alert("drift", "churn", title="one")
        with bench.context.catalog.write() as tx:
            tx.execute("DROP TRIGGER audit_no_update")
            tx.execute("UPDATE audit SET actor = 'nobody' WHERE id = 1")
    code, out, _ = mlops(capsys, "doctor")
    assert code == 1
    assert "entry 1 was altered" in out


def test_a_backup_comes_back_as_it_was_and_replaces_nothing(here: Workspace, tmp_path: Path, capsys) -> None:
    with Workbench(here, actor="ana") as bench:
        bench.features.create("t", ["k"])
        bench.features.ingest("t", [{"k": 1, "v": 2.5}])
    archive = tmp_path / "copy.tar"
    assert mlops(capsys, "backup", str(archive))[0] == 0
    assert mlops(capsys, "backup", str(archive))[0] == 5  # never over another
    assert mlops(capsys, "restore", str(archive), "--to", str(tmp_path / "again"))[0] == 0
    with Workbench(Workspace.find(tmp_path / "again"), actor="ben") as bench:
        assert bench.features.rows("t") == [{"k": 1, "v": 2.5}]
        assert bench.audit.verify().ok
    assert mlops(capsys, "restore", str(archive), "--to", str(tmp_path / "again"))[0] == 4


def test_a_backup_holds_declared_checks_and_pushes_that_wait(here: Workspace, tmp_path: Path, capsys) -> None:
    with Workbench(here, actor="ana") as bench:
        bench.features.create("t", ["k"])
        bench.features.ingest("t", [{"k": 1, "v": 2.5}])
        bench.features.push("t", [{"k": 2, "v": 3.5}])
    (here.project / "checks").mkdir()
    (here.project / "checks" / "t.toml").write_text("# none")
    archive = tmp_path / "copy.tar"
    assert mlops(capsys, "backup", str(archive))[0] == 0
    assert mlops(capsys, "restore", str(archive), "--to", str(tmp_path / "again"))[0] == 0
    assert (tmp_path / "again" / "checks" / "t.toml").read_text() == "# none"
    with Workbench(Workspace.find(tmp_path / "again"), actor="ben") as bench:
        assert (bench.features.waiting("t"), bench.features.flush("t")) == (1, 1)
        assert bench.features.lookup("t", [{"k": 2}])[0].values == {"v": 3.5}


def test_no_collection_runs_beside_a_backup_and_a_removed_table_keeps_its_files(
    here: Workspace, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    monkeypatch.setattr(service, "UPKEEP_WAIT_S", 0.0)
    with Workbench(here, actor="ana") as bench, locks.alone(here.upkeep_lock, "", wait_s=1.0):
        bench.features.create("t", ["k"])
        bench.features.ingest("t", [{"k": 1, "v": 2.5}])
        (file,) = bench.features.files("t")
        bench.features.remove("t")
        assert file.exists()
        code, _, err = mlops(capsys, "gc", "--keep", "1")
        assert (code, "backup or another collection" in err) == (7, True)
    assert mlops(capsys, "gc")[0] == 0
    assert file.exists()  # a removed table can be brought back
    assert mlops(capsys, "gc", "--deleted", "0s")[0] == 0
    assert not file.exists()


def test_a_file_that_is_no_backup_is_refused_and_leaves_nothing(tmp_path: Path, capsys) -> None:
    (tmp_path / "x.tar").write_bytes(b"no tar")
    code, _, err = mlops(capsys, "restore", str(tmp_path / "x.tar"), "--to", str(tmp_path / "new"))
    assert code == 5
    assert "cannot be unpacked" in err
    assert not (tmp_path / "new" / "storage").exists()


def test_why_of_an_unknown_thing_names_what_can_be_asked(here: Workspace, capsys) -> None:
    for name in ("zzz", "p" + "0" * 23, "no/1", "no@2"):
        code, _, err = mlops(capsys, "why", name)
        assert (code, "Nothing here is called" in err) == (3, True), err


def test_why_of_a_snapshot_tells_its_rows_and_author(here: Workspace, capsys) -> None:
    with Workbench(here, actor="ana") as bench:
        bench.features.create("t", ["k"])
        bench.features.ingest("t", [{"k": 1}, {"k": 2}], message="first batch")
    [step] = json.loads(mlops(capsys, "why", "t@1", "--json")[1])
    assert (step["kind"], step["name"], step["facts"]["rows"], step["facts"]["message"]) == (
        "snapshot",
        "t@1",
        "2",
        "first batch",
    )


def test_the_application_needs_a_terminal(here: Workspace, capsys) -> None:
    code, _, err = mlops(capsys, "tui")
    assert code == 7
    assert "needs a terminal" in err


def test_a_bug_is_one_line_with_a_hint_and_debug_shows_it(here: Workspace, capsys, monkeypatch) -> None:
    monkeypatch.setattr(Workbench, "why", lambda *_: 1 / 0)
    code, _, err = mlops(capsys, "why", "x")
    assert (code, "--debug" in err, "Traceback" in err) == (70, True, False)
    with pytest.raises(ZeroDivisionError):
        main(["--debug", "why", "x"])
