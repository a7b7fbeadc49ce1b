"""What waits for a person is an alert that ends with the answer."""

from __future__ import annotations

from mlops_tui import questions
from mlops_tui.domains.registry.records import Request, RequestState


def test_a_version_that_waits_for_approval_is_an_alert_until_it_is_answered(workbench, monkeypatch):
    waiting = []
    monkeypatch.setattr(type(workbench.registry.approvals), "list", lambda room, model=None, open_only=False: waiting)

    def asked(version):
        return Request(version, "bikes", version, RequestState.OPEN, "retrained", "daemon", 0, (), 1, None)

    assert questions.ask(workbench) == []
    waiting.append(asked(2))
    for _ in range(2):
        assert questions.ask(workbench) == ["bikes"]
    [alert] = workbench.alerts.list(rule="approval")
    assert (alert.title, alert.count, alert.subject) == ("bikes/2 waits for approval", 1, "bikes")
    assert "mlops models approve bikes/2" in alert.detail
    waiting.insert(0, asked(3))  # the newest of two is the one that counts
    questions.ask(workbench)
    assert {one.title: str(one.state) for one in workbench.alerts.list(rule="approval")} == {
        "bikes/2 waits for approval": "resolved",
        "bikes/3 waits for approval": "open",
    }
    waiting.clear()
    assert questions.ask(workbench) == []
    assert workbench.alerts.open_count() == 0
