"""`mlops features materialize`, `lookup`, `push`, `flush`."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from mlops_tui.cli.app import cli
from mlops_tui.core.errors import InvalidInput


@pytest.fixture
def mlops(workspace, tmp_path):
    """Run a command in a workspace with two customers online."""

    def run(*arguments, **options):
        command = ["--workspace", str(workspace.project), "features", *map(str, arguments)]
        return CliRunner().invoke(cli, command, **options)

    (tmp_path / "c.csv").write_text("id,at,spend\n1,2025-01-01,1.5\n2,2025-01-02,2.5\n")
    assert run("create", "c", "-k", "id", "-t", "at").exit_code == 0
    assert run("ingest", "c", tmp_path / "c.csv").exit_code == 0
    done = json.loads(run("materialize", "c", "--json").stdout)
    assert (done["version"], done["since"], done["entities"]) == (1, 0, 2)
    return run


def test_entities_are_looked_up_one_by_one(mlops):
    found = json.loads(mlops("lookup", "c", "id=2", "id=9", "--json").stdout)
    assert [(one["key"], one["status"], one["values"]) for one in found] == [
        ({"id": 2}, "ok", {"spend": 2.5}),
        ({"id": 9}, "missing", {"spend": None}),
    ]
    assert "missing" in mlops("lookup", "c", "id=9").stdout
    for wrong in ("two", "id", "id=two", "ident=2"):
        assert isinstance(mlops("lookup", "c", wrong).exception, InvalidInput)


def test_pushed_values_are_online_and_in_the_lake(mlops):
    done = json.loads(mlops("push", "c", '{"id": 1, "at": "2025-02-01", "spend": 7}', "--json").stdout)
    assert done == {"pushed": 1, "newer": 1, "flushed": 1}
    assert json.loads(mlops("lookup", "c", "id=1", "--json").stdout)[0]["values"] == {"spend": 7.0}
    assert mlops("push", "c", "-", input='[{"id": 3, "at": "2025-02-01"}]').exit_code == 0
    assert json.loads(mlops("show", "c", "--json").stdout)["rows"] == 4
    assert json.loads(mlops("flush", "c", "--json").stdout) == {"flushed": 0}
    for wrong in ("{", "[1]", "3"):
        assert isinstance(mlops("push", "c", wrong).exception, InvalidInput)
