"""The story of an alert: everything that was done about it, in the order it was done. The whole of one is in the demo's test."""

from __future__ import annotations

import pytest

from mlops_tui import incident
from mlops_tui.core import clock as time
from mlops_tui.core.errors import NotFound
from mlops_tui.domains.schedules.records import Fire, FireState


def test_what_people_did_and_were_told_stands_in_order(workbench, clock):
    alerts = workbench.alerts
    other = alerts.raise_alert("latency", "churn", title="Slow")
    alert = alerts.raise_alert("drift", "churn", title="Inputs | moved", detail="psi 0.3", facts={"psi": 0.3})
    alerts.telling.add("chat", "slack", "{NOWHERE}")
    clock.advance(time.MINUTE)
    alerts.telling.deliver()
    alerts.acknowledge(alert.id, "mine")
    clock.advance(time.MINUTE)
    alerts.resolve(other.id)
    alerts.resolve(alert.id, "retrained")
    events = incident.tell(workbench, alert.id)
    assert [(event.kind, event.words) for event in events] == [
        ("alert", "warning: Inputs | moved. psi 0.3"),
        ("told", "raised, waiting: There is no secret NOWHERE."),
        ("alert", "acknowledged by tester: mine"),
        ("alert", "resolved by tester: retrained"),
    ]
    page = incident.markdown(workbench, alert.id)
    assert page.startswith(
        "# Alert 2: Inputs | moved\n\ndrift of churn, warning, resolved after 2 min.\n\n- psi: 0.3\n"
    )
    assert "| warning: Inputs \\| moved. psi 0.3 | `mlops alerts show 2` |" in page


def test_a_retraining_it_asked_for_belongs_to_it_and_others_do_not(workbench):
    alert = workbench.alerts.raise_alert("performance", "churn", title="Worse")
    cause = {"kind": "performance", "alert": alert.id, "reason": "Alert 1: Worse"}
    mine = workbench.jobs.submit("pipeline", "Train churn", {"run_id": "gone"}, cause=cause, name="churn")
    workbench.jobs.submit("pipeline", "Train churn", {"run_id": "x"}, cause={"kind": "manual"}, name="churn")
    past = {"kind": "override", "run": "gone", "why": "the market changed"}
    workbench.jobs.submit("pipeline", "Train churn", {"run_id": "next"}, cause=past, name="churn")
    [_, training, again] = incident.tell(workbench, alert.id)
    assert again.words == "retraining of churn: the market changed"
    assert (training.kind, training.name) == ("job", str(mine.id))
    assert training.words == "retraining of churn: Alert 1: Worse"


def test_the_story_begins_with_what_was_said_first(workbench, clock):
    alert = workbench.alerts.raise_alert("performance", "churn", title="mae 47", detail="47 against 30")
    clock.advance(time.MINUTE)
    workbench.alerts.raise_alert("performance", "churn", title="mae 59", detail="59 against 30")
    assert incident.tell(workbench, alert.id)[0].words == "warning: mae 47"


def test_a_trigger_that_got_no_job_is_part_of_it(workbench, monkeypatch):
    alert = workbench.alerts.raise_alert("performance", "churn", title="Worse")
    now = workbench.context.now()
    held, other, ran = (
        Fire(1, "retrain", "churn", slot, now, FireState.SKIPPED, job, "Cooling down.", now)
        for slot, job in ((f"held:alert:{alert.id}", None), (f"alert:{alert.id}1", None), (f"alert:{alert.id}", 3))
    )
    monkeypatch.setattr(type(workbench.schedules), "fires", lambda room, **asked: [held, other, ran])
    [_, event] = incident.tell(workbench, alert.id)
    assert (event.kind, event.name, event.words) == ("trigger", "retrain", "skipped: Cooling down.")


def test_an_alert_that_is_not_there_has_no_story(workbench):
    with pytest.raises(NotFound):
        incident.tell(workbench, 7)
