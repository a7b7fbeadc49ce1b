"""What people do with alerts and monitors in the terminal: look how right a model is and for whom, open an incident, write it down."""

from __future__ import annotations

from pathlib import Path

from mlops_tui.core.workspace import Workspace
from mlops_tui.domains.monitoring.explained import Effect, Explanation, Moved, Since
from mlops_tui.domains.monitoring.measure_store import MeasureStore
from mlops_tui.domains.monitoring.records import FeatureDrift, Report, Verdict
from mlops_tui.domains.monitoring.store import MonitoringStore
from mlops_tui.incident import Event
from mlops_tui.tui.history import Place
from mlops_tui.tui.screens.incident import IncidentDesk, place
from mlops_tui.workbench import Workbench

from .conftest import Open, desk_of, press, settle, text_of
from .filling import HOUR, NOW
from .test_registry_desk import fill


def drifted(workspace: Workspace) -> int:
    """A report whose drift was explained, and the alert that it raised."""
    column = FeatureDrift("temp", "numeric", 0.5, 0.1, 0.4, 0.1, mean=19.0, mean_reference=12.0, drifted=True,
                          bins=["<= 10", "> 10", "(missing)"], reference=[0.5, 0.5, 0.0], current=[0.1, 0.9, 0.0])  # fmt: skip
    report = Report(
        0, "bikes", "hire", 2, NOW - HOUR, NOW - 2 * HOUR, NOW - HOUR, 300, 300, Verdict.DRIFT, features=[column]
    )
    with Workbench(workspace, actor="ana", now=lambda: NOW - HOUR) as bench:
        before = bench.monitoring.get("bikes")
        number = MonitoringStore(bench.context).save(report, None, [], before)
        since = Since(NOW - 3 * HOUR, NOW - 4 * HOUR, NOW - 3 * HOUR, 6, 0.01)
        moved = Moved("temp", 5.0, 0.7, 3.5, "mean rose from 12 to 19", since, [], Effect(140.0, 110.0, 0.0))
        MeasureStore(bench.context).put_explanation(
            Explanation(number, "bikes", 2, NOW - HOUR, [moved], "", None, True)
        )
        bench.alerts.resolve_by("drift", "bikes")
        alert = bench.alerts.raise_alert("drift", "bikes", title="temp moved", facts={"report": number})
    return int(alert.id)


async def test_performance_says_what_labels_and_what_the_estimate_say(open_app: Open, filled: Workspace) -> None:
    async with open_app(filled, "monitoring", (120, 50)) as pilot:
        desk_of(pilot).go("performance")
        await settle(pilot)
        shown = text_of(pilot)
        assert "27 (25 to 29)" in shown
        assert "≈ 24.5" in shown
        assert "▲ worse" in shown
        assert "An estimate without labels" in shown
        desk_of(pilot).go("fairness")
        await settle(pilot)
        assert "Gaps between groups of station" in text_of(pilot)


async def test_enter_on_an_alert_opens_its_incident_with_all_its_parts(open_app: Open, filled: Workspace) -> None:
    alert = drifted(filled)
    async with open_app(filled, "monitoring", (100, 40)) as pilot:
        desk_of(pilot).go("alerts", key=str(alert))
        await settle(pilot)
        await press(pilot, "enter")
        page = pilot.app.screen
        assert isinstance(page, IncidentDesk)
        assert "warning: temp moved" in text_of(pilot)
        page.action_section(2)
        await settle(pilot)
        moved = " ".join(text_of(pilot).split())
        assert "Mean rose from 12 to 19." in moved
        assert "the mean answer is 140, 110 had it not moved (+30)" in moved.lower()
        page.action_section(1)
        await settle(pilot)
        assert "MAE 27 (25 to 29)" in text_of(pilot)
        await press(pilot, "a")
        assert "acknowledged" in text_of(pilot)
        await press(pilot, "escape")
        assert not isinstance(pilot.app.screen, IncidentDesk)


async def test_an_incident_without_a_deployment_says_what_it_does_not_know(open_app: Open, filled: Workspace) -> None:
    with Workbench(filled, actor="ana", now=lambda: NOW) as bench:
        alert = bench.alerts.raise_alert("job_failed", "compact", title="Compaction failed")
    async with open_app(filled, "monitoring", (80, 24)) as pilot:
        await pilot.app.open_at("monitoring", "incident", str(alert.id))  # type: ignore[attr-defined]
        await settle(pilot)
        pilot.app.screen.action_section(2)  # type: ignore[attr-defined]
        await settle(pilot)
        assert "No drift of this deployment was explained" in text_of(pilot)


async def test_the_incident_is_written_to_the_file_that_is_asked_for(
    open_app: Open, filled: Workspace, tmp_path: Path
) -> None:
    alert, out = drifted(filled), tmp_path / "alert.html"
    async with open_app(filled, "monitoring", (100, 40)) as pilot:
        await pilot.app.open_at("monitoring", "incident", str(alert))  # type: ignore[attr-defined]
        await settle(pilot)
        await press(pilot, "E")
        await fill(pilot, out=str(out))
        assert "temp moved" in out.read_text()
        assert "<rect" in out.read_text()


def test_a_line_of_a_story_leads_to_what_it_tells_of_and_one_about_the_alert_itself_nowhere() -> None:
    def to(kind: str, name: str, command: str = "mlops x") -> Place | None:
        return place(Event(NOW, kind, name, "", command), "3", "bikes")

    assert to("alert", "3") is None
    assert to("alert", "4") == Place("monitoring", "incident", "4")
    assert to("told", "ops") == Place("monitoring", "deliveries", filter="channel:ops")
    assert to("gate", "15376194", "mlops pipelines gate 15376194dbcea1ef") == Place(
        "pipelines", "execution", "15376194dbcea1ef"
    )
    assert to("rollout", "4") == Place("serving", "deployments", "bikes")
    assert to("a kind to come", "x") is None
