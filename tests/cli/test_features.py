"""`mlops features`: what it prints, what it exits with."""

from __future__ import annotations

import json

import pandas as pd
import pytest
from click.testing import CliRunner

from mlops_tui.cli.app import cli
from mlops_tui.core.errors import AlreadyExists, InvalidInput, NotAllowed, NotFound


@pytest.fixture
def mlops(workspace):
    """Run a command in the workspace; the result's exception is the WorkbenchError that `main` would turn into an exit code."""

    def run(*arguments):
        return CliRunner().invoke(cli, ["--workspace", str(workspace.project), "features", *map(str, arguments)])

    return run


@pytest.fixture
def orders(mlops, tmp_path):
    """A table of three orders and one broken row."""
    path = tmp_path / "orders.csv"
    path.write_text(
        "customer,at,total\n1,2024-01-01,10.5\n1,2024-01-03,20\n2,2024-01-02,5\n3,2024-01-02,\n"
        + "4,2024-01-02,1\n" * 8
        + "9,soon,1\n"
    )
    assert mlops("create", "orders", "--key", "customer", "--time", "at", "--ttl", "30d").exit_code == 0
    result = mlops("ingest", "orders", path, "-m", "January", "--batch", "b1")
    assert result.exit_code == 0, result.output
    return path


def test_an_empty_workspace_says_what_comes_next(mlops):
    result = mlops("list")
    assert result.stdout == ""
    assert "mlops features create" in result.stderr
    assert json.loads(mlops("list", "--json").stdout) == []


def test_ingest_says_what_it_took_in_and_what_not(mlops, orders):
    again = mlops("ingest", "orders", orders, "--batch", "b1")
    assert again.stdout == "orders@1  12 rows added, 12 in all\n"
    assert "1 rows were set aside" in again.stderr
    assert "7 rows repeat a key" in again.stderr
    found = json.loads(
        mlops("ingest", "orders", orders, "--mode", "replace", "--type", "total=varchar", "--json").stdout
    )
    assert (found["version"], found["kind"], found["columns"]["total"]) == (2, "replace", "VARCHAR")
    assert found["min_time"] == "2024-01-01T00:00:00Z"
    (bad, _) = json.loads(mlops("quarantine", "orders", "--json").stdout)
    assert (bad["line"], bad["column"], bad["version"]) == (14, "at", 1)
    assert "1 more" in mlops("quarantine", "orders", "--limit", "1").stderr


def test_list_show_and_history_print_the_snapshots(mlops, orders):
    (table,) = json.loads(mlops("list", "--json").stdout)
    assert (table["name"], table["rows"], table["latest_version"]) == ("orders", 12, 1)
    shown = json.loads(mlops("show", "orders", "--where", "total > 6", "--order", "-total", "--json").stdout)
    assert [row["total"] for row in shown["sample"]] == [20, 10.5]
    assert "orders@1" in mlops("show", "orders@1").stdout
    assert "January" in mlops("history", "orders").stdout
    mlops("ingest", "orders", orders, "--mode", "replace")
    assert "orders@3 holds the 12 rows of orders@1" in mlops("restore", "orders@1").stderr
    kinds = [entry["kind"] for entry in json.loads(mlops("history", "orders", "--json").stdout)]
    assert kinds == ["restore", "replace", "append"]


def test_a_failed_check_exits_with_one_and_a_warning_with_zero(mlops, orders, tmp_path):
    warned = mlops("check", "orders")
    assert (warned.exit_code, "warn" in warned.stderr) == (0, True)
    checks = tmp_path / "checks.toml"
    checks.write_text('[[checks]]\nkind = "range"\ncolumn = "total"\nhigh = 15\n')
    failed = mlops("check", "orders", "--file", checks, "--json")
    assert failed.exit_code == 1
    assert json.loads(failed.stdout)["results"][0]["bad"] == 1
    checks.write_text("[[checks")
    assert isinstance(mlops("check", "orders", "--file", checks).exception, InvalidInput)
    checks.write_text("a = 1")
    assert isinstance(mlops("check", "orders", "--file", checks).exception, InvalidInput)


def test_join_prints_rows_and_shares_or_writes_a_file(mlops, orders, tmp_path):
    spine = tmp_path / "spine.csv"
    spine.write_text("customer,at\n1,2024-01-02\n1,2024-01-04\n7,2024-01-04\n")
    result = mlops("join", spine, "orders:total")
    assert [line.split()[-1] for line in result.stdout.splitlines()] == ["total", "10.5", "20", "-"]
    assert "2 of 3 matched (66.7%), 1 missing" in result.stderr
    found = json.loads(mlops("join", spine, "orders", "--ttl", "1h", "--json").stdout)
    assert [row["total"] for row in found["data"]] == [None, None, None]
    assert found["tables"][0]["expired"] == 2
    for name, read in (("out.csv", pd.read_csv), ("out.parquet", pd.read_parquet)):
        target = tmp_path / "made" / name
        refused = mlops("join", spine, "orders", "-o", target)
        assert isinstance(refused.exception, InvalidInput)
        target.parent.mkdir(exist_ok=True)
        assert mlops("join", spine, "orders", "-o", target).exit_code == 0
        assert read(target)["total"].tolist()[:2] == [10.5, 20]
        target.unlink()
        target.parent.rmdir()
    assert isinstance(mlops("join", spine, "orders", "-o", tmp_path / "x.xls").exception, InvalidInput)
    spine.write_text("")
    assert isinstance(mlops("join", spine, "orders").exception, InvalidInput)
    assert len(json.loads(mlops("join", "orders", "orders", "--json").stdout)["data"]) == 12


def test_sql_only_reads(mlops, orders):
    rows = json.loads(
        mlops("sql", 'SELECT customer, max("at") AS last FROM orders WHERE customer = 1 GROUP BY 1', "--json").stdout
    )
    assert rows == [{"customer": 1, "last": "2024-01-03T00:00:00Z"}]
    assert isinstance(mlops("sql", "DELETE FROM orders").exception, InvalidInput)


def test_mistakes_are_of_their_kind(mlops, orders, tmp_path):
    assert isinstance(mlops("create", "orders", "-k", "a").exception, AlreadyExists)
    assert isinstance(mlops("show", "order").exception, NotFound)
    assert isinstance(mlops("ingest", "orders", tmp_path / "none.csv").exception, NotFound)
    assert isinstance(mlops("ingest", "orders", orders, "--type", "total").exception, InvalidInput)
    assert isinstance(mlops("remove", "orders").exception, NotAllowed)
    assert mlops("create", "x").exit_code == 2


def test_remove_with_yes_removes(mlops, orders):
    assert mlops("remove", "orders", "--yes", "--why", "test").exit_code == 0
    assert json.loads(mlops("list", "--json").stdout) == []
    assert json.loads(mlops("create", "orders", "-k", "a", "--json").stdout)["latest_version"] == 0
    assert mlops("show", "orders").exit_code == 0
    assert "mlops features ingest orders" in mlops("history", "orders").stderr


def test_profile_and_diff_print_numbers_and_warnings(mlops, orders):
    printed = mlops("profile", "orders")
    assert "orders@1  12 rows, 3 columns" in printed.stdout
    found = json.loads(mlops("profile", "orders", "--json").stdout)
    total = next(column for column in found["columns"] if column["name"] == "total")
    assert (total["missing"], total["max"], found["exact"]) == (1, 20.0, True)
    detail = json.loads(mlops("profile", "orders", "-c", "total", "--json").stdout)
    assert detail["quantiles"]["p50"] == 1.0
    assert isinstance(mlops("profile", "orders", "-c", "totl").exception, NotFound)
    mlops("ingest", "orders", orders, "--mode", "replace")
    assert "No distribution moved." in mlops("diff", "orders@1", "orders@2").stderr
    difference = json.loads(mlops("diff", "orders@1", "orders@2", "--json").stdout)
    assert (difference["rows_left"], difference["schema_changes"]) == (12, [])


def test_checks_are_declared_run_looked_into_and_suggested(mlops, orders, workspace):
    added = mlops("check", "orders", "--add", "range column=total high=15 name=cheap", "--json")
    assert json.loads(added.stdout) == [{"name": "cheap", "kind": "range", "column": "total", "high": 15}]
    assert (workspace.project / "checks" / "orders.toml").is_file()
    ran = mlops("check", "orders")
    assert (ran.exit_code, "--failing cheap" in ran.stderr) == (1, True)
    (row,) = json.loads(mlops("check", "orders", "--failing", "cheap", "--json").stdout)
    assert row["total"] == 20
    assert "cheap" in mlops("check", "orders", "--list").stdout
    assert "fail" in mlops("check", "orders", "--history").stdout
    assert mlops("check", "orders", "--drop", "cheap").exit_code == 0
    assert mlops("check", "orders").exit_code == 0
    kinds = {check["kind"] for check in json.loads(mlops("check", "orders", "--suggest", "--json").stdout)}
    assert "row_change" in kinds
    assert "cheap" not in (workspace.project / "checks" / "orders.toml").read_text()
    mlops("check", "orders", "--suggest", "--save")
    assert "row_change" in (workspace.project / "checks" / "orders.toml").read_text()
