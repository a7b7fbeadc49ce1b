"""Alerts: one row while a condition lasts, whoever raises it and however often."""

from __future__ import annotations

from typing import Any

import pytest

from mlops_tui.core.errors import InvalidInput, NotAllowed, NotFound
from mlops_tui.domains.alerts.service import Alerts
from mlops_tui.domains.audit.service import Audit
from mlops_tui.workbench import Workbench


@pytest.fixture
def audit(workbench: Workbench) -> Audit:
    return workbench.audit


@pytest.fixture
def alerts(workbench: Workbench) -> Alerts:
    return workbench.alerts


def test_a_repeated_condition_is_counted_in_one_alert(alerts: Alerts, clock: Any) -> None:
    first = alerts.raise_alert("drift", "churn", title="Inputs moved", facts={"psi": 0.3})
    clock.advance(1000)
    second = alerts.raise_alert("drift", "churn", title="Inputs moved more", facts={"psi": 0.5})
    assert second.id == first.id
    assert (second.count, second.title, second.facts) == (2, "Inputs moved more", {"psi": 0.5})
    assert (second.first_at, second.last_at) == (clock.now - 1000, clock.now)


def test_other_rules_and_subjects_open_alerts_of_their_own(alerts: Alerts) -> None:
    ids = {
        alerts.raise_alert(rule, subject, title="x").id
        for rule, subject in [("drift", "a"), ("drift", "b"), ("latency", "a")]
    }
    assert len(ids) == 3
    assert alerts.open_count() == 3


def test_a_resolved_condition_that_returns_is_a_new_alert(alerts: Alerts) -> None:
    first = alerts.raise_alert("drift", "churn", title="x")
    resolved = alerts.resolve(first.id, "retrained")
    assert (resolved.state, resolved.resolved_by, resolved.why) == ("resolved", "tester", "retrained")
    assert alerts.raise_alert("drift", "churn", title="x").id != first.id


def test_resolving_by_rule_ends_only_that_alert_and_nothing_when_there_is_none(alerts: Alerts) -> None:
    alerts.raise_alert("drift", "churn", title="x")
    alerts.raise_alert("latency", "churn", title="y")
    ended = alerts.resolve_by("drift", "churn")
    assert ended is not None
    assert ended.state == "resolved"
    assert alerts.resolve_by("drift", "churn") is None
    assert [alert.rule for alert in alerts.list("open")] == ["latency"]


def test_acknowledging_names_the_person_and_survives_repetition(alerts: Alerts) -> None:
    alert = alerts.raise_alert("drift", "churn", title="x")
    assert alerts.acknowledge(alert.id, "mine").acknowledged_by == "tester"
    assert alerts.raise_alert("drift", "churn", title="x").state == "acknowledged"
    assert alerts.open_count() == 0


def test_an_acknowledged_alert_that_gets_worse_is_open_again(alerts: Alerts) -> None:
    alert = alerts.raise_alert("errors", "churn", title="x", severity="warning")
    alerts.acknowledge(alert.id)
    worse = alerts.raise_alert("errors", "churn", title="x", severity="critical")
    assert (worse.state, worse.acknowledged_by) == ("open", None)


def test_a_silence_ends_by_itself(alerts: Alerts, clock: Any) -> None:
    alert = alerts.raise_alert("drift", "churn", title="x")
    alerts.silence(alert.id, clock.now + 60_000, "known")
    assert alerts.get(alert.id).state == "silenced"
    assert alerts.open_count() == 0
    assert alerts.raise_alert("drift", "churn", title="x").state == "silenced"
    clock.advance(60_000)
    assert alerts.get(alert.id).state == "open"
    assert [found.id for found in alerts.list("open")] == [alert.id]
    assert alerts.list("silenced") == []


def test_impossible_moves_are_refused_in_words(alerts: Alerts, clock: Any) -> None:
    alert = alerts.raise_alert("drift", "churn", title="x")
    with pytest.raises(InvalidInput, match="has passed"):
        alerts.silence(alert.id, clock.now)
    alerts.resolve(alert.id)
    for move in (alerts.resolve, alerts.acknowledge):
        with pytest.raises(NotAllowed, match="resolved already"):
            move(alert.id)
    with pytest.raises(NotFound, match="no alert 99"):
        alerts.get(99)
    with pytest.raises(InvalidInput, match="severity"):
        alerts.raise_alert("drift", "churn", title="x", severity="loud")
    with pytest.raises(InvalidInput, match="state"):
        alerts.list("loud")


def test_every_move_is_audited_and_a_repetition_is_not(alerts: Alerts, audit: Audit, clock: Any) -> None:
    alert = alerts.raise_alert("drift", "churn", title="x")
    alerts.raise_alert("drift", "churn", title="x")
    alerts.silence(alert.id, clock.now + 1)
    alerts.acknowledge(alert.id)
    alerts.resolve(alert.id)
    verbs = [entry.verb for entry in audit.list(kind="alert")]
    assert sorted(verbs) == ["acknowledge", "raise", "resolve", "silence"]


def test_an_alert_whose_audit_note_fails_is_not_raised(alerts: Alerts, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any, **kwargs: Any) -> int:
        raise RuntimeError("no note")

    monkeypatch.setattr(Audit, "note", refuse)
    with pytest.raises(RuntimeError, match="no note"):
        alerts.raise_alert("drift", "churn", title="x")
    assert alerts.list() == []


def test_counts_name_every_state(alerts: Alerts) -> None:
    alerts.raise_alert("drift", "churn", title="x")
    assert alerts.counts() == {"open": 1, "acknowledged": 0, "silenced": 0, "resolved": 0}


def test_an_acknowledgement_and_a_silence_can_be_taken_back(alerts: Alerts, clock: Any) -> None:
    alert = alerts.raise_alert("drift", "churn", title="x")
    alerts.acknowledge(alert.id)
    opened = alerts.reopen(alert.id)
    assert (opened.state, opened.acknowledged_by, opened.acknowledged_at) == ("open", None, None)
    alerts.silence(alert.id, clock.now + 60_000)
    assert alerts.reopen(alert.id).state == "open"
    alerts.resolve(alert.id)
    with pytest.raises(NotAllowed):
        alerts.reopen(alert.id)
