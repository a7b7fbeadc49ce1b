"""`mlops features aggregate`, `transform` and `skew`, and skew as a job."""

from __future__ import annotations

import json

import pytest

from mlops_tui.job import KINDS

CODE = "def doubled(rows):\n    return rows.assign(doubled=rows['spend'] * 2)\n"


@pytest.fixture
def room(workbench, workspace):
    """Orders of two customers, online."""
    features = workbench.features
    features.create("orders", ["id"], time="at")
    features.ingest("orders", [{"id": n, "at": f"2025-10-0{n}", "spend": n * 1.5} for n in (1, 2)])
    features.create("top", ["id"])
    features.materialize("orders")
    (workspace.project / "code_of_ours.py").write_text(CODE)
    return features


def test_aggregates_are_declared_listed_looked_up_and_removed(room, mlops):
    code, out, err = mlops("features", "aggregate", "add", "orders", "sum(spend) over 7d", "count(*) over 90d as n")
    assert (code, out, "orders:sum_spend_7d,n" in err) == (0, "", True)
    assert mlops("features", "aggregate", "add", "orders", "max(spend) over 1d", "--as", "most", "--corrected")[0] == 0
    _, out, _ = mlops("features", "aggregate", "list", "orders", "--json")
    assert [tuple(one.values()) for one in json.loads(out)] == [
        ("sum_spend_7d", "sum(spend) over 7d", False),
        ("n", "count(*) over 90d", False),
        ("most", "max(spend) over 1d", True),
    ]
    room.materialize("orders")
    _, out, _ = mlops("features", "lookup", "orders", "id=9", "--columns", "n,spend", "--json")
    assert json.loads(out)[0]["values"] == {"n": 0, "spend": None}
    assert mlops("features", "aggregate", "remove", "orders", "most")[0] == 0
    assert "most" not in mlops("features", "aggregate", "list", "orders")[1]
    code, _, err = mlops("features", "aggregate", "add", "orders", "a(b)", "c(d)", "--as", "x")
    assert (code, "--as names one" in err) == (5, True)
    assert "No aggregates yet" in mlops("features", "aggregate", "list", "top")[2]


def test_a_table_is_filled_by_its_transformation(room, mlops):
    add = ("features", "transform", "add", "top")
    code, _, err = mlops(*add, "--sql", "SELECT id, max(spend) AS most FROM orders GROUP BY id")
    assert (code, "transform run top" in err) == (0, True)
    assert "top@1 holds 2 rows" in mlops("features", "transform", "run", "top")[2]
    assert "nothing is new" in mlops("features", "transform", "run", "top")[2]
    assert json.loads(mlops("features", "transform", "run", "top", "--json")[1])["version"] == 1
    (shown,) = json.loads(mlops("features", "transform", "show", "top", "--json")[1])
    assert (shown["version"], shown["reads"], shown["made"]) == (1, ["orders"], ["top@1"])
    shown = json.loads(mlops("features", "show", "top", "--json")[1])
    assert (shown["made_by"], shown["aggregates"]) == ("transformation top@1 of orders@1", [])
    assert mlops("features", "transform", "remove", "top")[0] == 0
    assert mlops("features", "transform", "show", "top")[0] == 3
    assert "No transformations yet" in mlops("features", "transform", "list")[2]


def test_values_on_demand_are_looked_up_with_fields_of_the_request(room, mlops, workspace):
    add = ("features", "transform", "add", "twice", "--on-demand", "-i", "orders:spend")
    assert mlops(*add, "--python", "code_of_ours:doubled")[0] == 0
    code, _, err = mlops(*add, "--sql", "spend * factor AS more", "-r", "factor:DOUBLE")
    assert (code, "twice@2 gives more" in err) == (0, True)
    _, out, _ = mlops("features", "lookup", "twice", "id=2", "factor=3", "--json")
    assert json.loads(out)[0]["values"] == {"more": 9.0}
    _, out, _ = mlops("features", "lookup", "twice@1", "id=2", "--json")
    assert json.loads(out)[0]["values"] == {"doubled": 6.0}
    assert mlops("features", "transform", "show", "twice@1", "--code")[1] == CODE + "\n"
    assert mlops("features", "transform", "show", "twice@7", "--code")[0] == 5
    assert mlops("features", "transform", "run", "twice")[0] == 3
    (listed,) = json.loads(mlops("features", "transform", "list", "--json")[1])
    assert (listed["request"], listed["changed"]) == ({"factor": "DOUBLE"}, False)
    for wrong in (("--request", "factor"), ("--request", "factor:DOUBLE")):
        assert mlops("features", "transform", "add", "top", "--sql", "SELECT 1 AS id", *wrong)[0] == 5


def test_skew_ends_with_one_where_values_differ(room, mlops):
    assert "No lookup of orders was logged" in mlops("features", "skew", "orders")[2]
    assert mlops("features", "skew", "orders", "--log", "1")[0] == 0
    mlops("features", "lookup", "orders", "id=1", "id=2")
    code, out, err = mlops("features", "skew", "orders")
    assert (code, "spend" in out, "pass" in err) == (0, True, True)
    room.ingest("orders", [{"id": 1, "at": "2025-10-03", "spend": 8.0}])
    code, _, err = mlops("features", "skew", "orders", "--since", "1d")
    assert (code, "served 1.5, offline 8.0" in err, "fail" in err) == (1, True, True)
    assert mlops("features", "skew", "orders", "--tolerate", "0.5")[0] == 0
    assert json.loads(mlops("features", "skew", "orders", "--json")[1])["verdict"] == "fail"


def test_the_job_raises_an_alert_and_takes_it_back(room, workbench):
    room.log_lookups("orders", 1.0)
    room.ingest("orders", [{"id": 1, "at": "2025-10-03", "spend": 8.0}])
    room.lookup("orders", [{"id": 1}])
    job = workbench.jobs.submit("skew", "skew of orders", {"name": "orders", "since": None})
    found = KINDS["skew"](workbench, job, lambda *told: None)
    assert found is not None
    assert found["verdict"] == "fail"
    (alert,) = workbench.alerts.list()
    assert (alert.rule, alert.subject, "100.00% of 1 values of spend" in alert.detail) == ("skew", "orders", True)
    job = workbench.jobs.submit("skew", "skew of orders", {"name": "orders", "tolerate": 1.0})
    KINDS["skew"](workbench, job, lambda *told: None)
    assert [alert.state for alert in workbench.alerts.list()] == ["resolved"]
