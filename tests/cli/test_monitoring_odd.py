"""`mlops monitors outliers` and `clients`, as typed."""

from __future__ import annotations

import json

import pytest

from mlops_tui import rules
from mlops_tui.core import clock as time
from mlops_tui.domains.alerts.rules import Finding, Rule, Watch
from mlops_tui.domains.monitoring.odd_records import OddRow, OddWindow, Pattern
from mlops_tui.domains.monitoring.odd_store import OddStore


@pytest.fixture
def looked(mlops, workbench, clock, monkeypatch):
    """A deployment that was looked at twice."""
    store = OddStore(workbench.context)
    monkeypatch.setattr(type(workbench.monitoring), "get", lambda room, name: name)
    monkeypatch.setattr(type(workbench.serving), "get", lambda room, name: name)
    for odd in (2, 50):
        clock.advance(time.MINUTE)
        pattern = Pattern("churn", "mallory", clock.now, 100, 90, close=0.3, verdict="evasion", words="a search")
        row = OddRow(f"p{odd}", "churn", 1, clock.now, 0.00123456, "age")
        store.put(OddWindow("churn", 1, clock.now, 0, clock.now, 100, odd, 0.01), [row], [pattern])
    return mlops


def test_odd_rows_and_shares_are_listed_newest_first(looked):
    rows = json.loads(looked("monitors", "outliers", "churn", "--json")[1])
    assert [(row["id"], row["p"], row["why"]) for row in rows] == [("p50", 0.00123, "age"), ("p2", 0.00123, "age")]
    windows = json.loads(looked("monitors", "outliers", "churn", "--windows", "--json")[1])
    assert [window["share"] for window in windows] == [0.5, 0.02]


def test_each_client_is_shown_as_it_was_last_seen(looked):
    [client] = json.loads(looked("monitors", "clients", "churn", "--json")[1])
    assert (client["caller"], client["verdict"], client["close"]) == ("mallory", "evasion", 0.3)


def test_the_share_of_odd_rows_is_a_series_that_rules_look_at(looked, workbench, clock):
    rule = Rule("odd", "monitor.outliers", "churn", Watch.ABOVE, 0.1, 30 * time.SECOND)
    assert [value for _, value, _ in rules.values(workbench, rule, 0)] == [0.02, 0.5]
    assert workbench.alerts.rules.look(rule, rules.source(workbench)).finding is Finding.PENDING
    burn = Rule("burn", "monitor.outliers", "churn", Watch.BURNS, 10.0, time.HOUR, objective=99.0)
    rules.check(workbench, burn)
    assert workbench.alerts.rules.look(burn, rules.source(workbench)).finding is Finding.HOLDS


def test_nothing_to_look_at_is_said(mlops, workbench, monkeypatch):
    monkeypatch.setattr(type(workbench.monitoring), "get", lambda room, name: name)
    assert "No odd row" in mlops("monitors", "outliers", "churn")[2]
    assert "No client" in mlops("monitors", "clients", "churn")[2]


def test_why_says_what_was_odd_about_a_prediction(looked, workbench, monkeypatch):
    from mlops_tui import why
    from mlops_tui.domains.serving.records import Prediction

    found = Prediction("p50", 0, "churn", "m", 1, 1.0, 200, "", 1, None, {"age": 900}, marks="range:age")
    monkeypatch.setattr(type(workbench.serving), "prediction", lambda room, name: found)
    monkeypatch.setattr(why, "_version", lambda *given: [])
    [step] = why.explain(workbench, "p50")
    assert step.facts["odd"] == "range:age, p 0.0012 by age against the training rows"
