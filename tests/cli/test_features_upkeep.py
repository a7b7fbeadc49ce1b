"""`mlops features ingest` of folders, queries and databases, `compact`, and `mlops gc`."""

from __future__ import annotations

import json
import sqlite3

import pytest
from click.testing import CliRunner

from mlops_tui.cli.app import cli
from mlops_tui.core.errors import InvalidInput


@pytest.fixture
def mlops(workspace):
    """Run a command in the workspace."""

    def run(*arguments):
        return CliRunner().invoke(cli, ["--workspace", str(workspace.project), *map(str, arguments)])

    assert run("features", "create", "t", "-k", "k").exit_code == 0
    return run


def test_a_folder_a_query_and_a_database_are_taken_in(mlops, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.csv").write_text("k,x\n1,1\n")
    (folder / "b.csv").write_text("x\n1\n")
    result = mlops("features", "ingest", "t", folder, "--json")
    assert isinstance(result.exception, InvalidInput)
    assert [one["state"] for one in json.loads(result.stdout)] == ["taken", "refused"]
    found = json.loads(mlops("features", "ingest", "t", "--sql", f"SELECT * FROM '{folder}/a.csv'", "--json").stdout)
    assert (found["version"], found["rows"]) == (2, 2)
    connection = sqlite3.connect(tmp_path / "shop.db")
    connection.executescript("CREATE TABLE a (k, x); INSERT INTO a VALUES (7, 1); CREATE TABLE b (k, x);")
    connection.close()
    result = mlops("features", "ingest", "t", tmp_path / "shop.db", "--table", "a", "--allow", "removed")
    assert result.stdout == "t@3  1 rows added, 3 in all\n"
    assert mlops("features", "ingest", "t").exit_code == 2
    assert isinstance(mlops("features", "ingest", "t", folder, "--mode", "replace").exception, InvalidInput)


def test_compact_and_gc_say_what_they_did(mlops, tmp_path):
    for n in range(3):
        (tmp_path / f"{n}.csv").write_text(f"k,x\n{n},1\n")
    assert mlops("features", "ingest", "t", tmp_path / "*.csv").exit_code == 0
    assert "t@4 holds the 3 rows of 3 files" in mlops("features", "compact", "t").stderr
    assert "one file already" in mlops("features", "compact", "t").stderr
    rehearsed = json.loads(mlops("gc", "--keep", "1", "--dry-run", "--json").stdout)
    assert (rehearsed["versions"], rehearsed["files"], rehearsed["dry_run"]) == (["t@3", "t@2", "t@1"], 3, True)
    done = mlops("gc", "--keep", "1")
    assert "3 versions, 3 files" in done.stderr
    assert "0 versions, 0 files" in mlops("gc").stderr
