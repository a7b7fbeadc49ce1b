"""Monitors end to end over real Parquet: windows, verdicts, alerts, labels fed once, versions that change."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mlops_tui.core.errors import AlreadyExists, InvalidInput, NotFound
from mlops_tui.domains.monitoring.records import Verdict
from mlops_tui.domains.registry.profile import build_profile
from mlops_tui.domains.serving.records import Route, State


def test_a_window_like_the_reference_is_fine_and_says_so(bench: Any) -> None:
    bench.answer()
    report = bench.monitoring.check("bikes")
    assert (report.verdict, report.rows, report.version) == (Verdict.OK, 300, 1)
    assert {column.name for column in report.features} == {"temp", "sky"}
    assert report.prediction is not None
    assert (report.error_rate, report.latency_p95_ms) == (0.0, 5.0)
    assert bench.open() == {}
    assert bench.monitoring.latest("bikes") == report


def test_too_few_predictions_wait_and_leave_no_report(bench: Any) -> None:
    bench.answer(150)
    report = bench.monitoring.check("bikes")
    assert (report.verdict, report.id, report.notes) == (Verdict.WAITING, 0, ["150 of 200 new predictions."])
    assert bench.monitoring.reports("bikes") == []
    bench.answer(150)
    assert bench.monitoring.check("bikes").rows == 300


def test_one_drifted_window_is_reported_and_two_of_three_raise_an_alert_that_ends_by_itself(bench: Any) -> None:
    bench.answer(shift=4)
    first = bench.monitoring.check("bikes")
    assert first.verdict == Verdict.DRIFT
    assert [column.name for column in first.drifted] == ["temp", "prediction"] or first.drifted[0].size > 1
    assert bench.open() == {}
    bench.answer(shift=4)
    bench.monitoring.check("bikes")
    alert = bench.open()["drift"]
    assert "temp" in alert.title
    assert "PSI" in alert.detail
    assert "limit" in alert.detail
    assert alert.facts["columns"]["temp"]["psi"] > alert.facts["columns"]["temp"]["psi_threshold"]
    for _ in range(2):
        bench.answer()
        bench.monitoring.check("bikes")
    assert "drift" not in bench.open()


def test_each_prediction_is_in_one_window_only(bench: Any) -> None:
    bench.answer(300)
    first = bench.monitoring.check("bikes")
    assert bench.monitoring.check("bikes").verdict == Verdict.WAITING
    bench.answer(250)
    bench.serving.merge()  # the file of the first window is the file of the second now
    second = bench.monitoring.check("bikes")
    assert second.rows == 250
    assert second.since is not None
    assert first.until is not None
    assert second.since > first.until


def test_a_window_holds_the_newest_rows_up_to_its_size(bench: Any) -> None:
    bench.answer(700)
    report = bench.monitoring.check("bikes", window=300)
    assert (report.rows, report.seen) == (300, 700)
    assert "newest 300 of 700" in report.notes[0]


def test_labels_like_before_give_metrics_near_the_baseline_and_no_alarm(bench: Any) -> None:
    frame, ids = bench.answer(400)
    bench.label(frame, ids)
    found = bench.monitoring.check("bikes").performance
    assert found is not None
    assert found.metric == "mae"
    assert found.low < found.value < found.high
    assert found.value == pytest.approx(found.baseline, rel=0.15)
    assert set(found.metrics) == {"mae", "rmse", "rmsle", "r2"} or set(found.metrics) == {"mae", "rmse", "r2"}
    assert (found.worse, found.concept_drift, found.new_labels) == (False, False, 400)


def test_worse_predictions_are_a_critical_alert_with_the_numbers_and_end_when_it_is_good_again(bench: Any) -> None:
    frame, ids = bench.answer(400)
    bench.label(frame, ids, noise=4.0)
    report = bench.monitoring.check("bikes")
    assert report.verdict == Verdict.PERFORMANCE
    assert report.performance is not None
    assert report.performance.worse
    assert report.performance.concept_drift
    alert = bench.open()["performance"]
    assert alert.severity == "critical"
    assert "mae" in alert.title
    assert "ADWIN" in alert.detail
    for _ in range(6):
        frame, ids = bench.answer(400)
        bench.label(frame, ids)
        report = bench.monitoring.check("bikes")
    assert report.verdict == Verdict.OK
    assert "performance" not in bench.open()


def test_each_label_is_fed_once_in_the_order_of_arrival_whatever_the_number_of_checks(bench: Any) -> None:
    from mlops_tui.domains.monitoring.store import MonitoringStore

    store = MonitoringStore(bench.workbench.context)
    old_frame, old_ids = bench.answer(300)
    frame, ids = bench.answer(300)
    bench.label(frame, ids)
    bench.monitoring.check("bikes")
    first = store.detector("bikes")
    assert first is not None
    bench.monitoring.check("bikes")
    assert store.detector("bikes") == first
    bench.label(old_frame, old_ids)  # labels of earlier predictions that arrive later
    report = bench.monitoring.check("bikes")
    second = store.detector("bikes")
    assert second is not None
    assert second.errors.startswith(first.errors)
    assert len(second.errors) - len(first.errors) == 4 * 300
    assert report.performance is not None
    assert report.performance.new_labels == 300


def test_labels_alone_make_a_report_without_a_window(bench: Any) -> None:
    frame, ids = bench.answer(300)
    bench.monitoring.check("bikes")
    bench.label(frame, ids)
    report = bench.monitoring.check("bikes")
    assert (report.rows, report.features) == (0, [])
    assert report.performance is not None


def test_a_new_version_starts_anew(bench: Any) -> None:
    from mlops_tui.domains.monitoring.store import MonitoringStore

    for _ in range(2):
        frame, ids = bench.answer(300, shift=4)
        bench.label(frame, ids, noise=5)
        bench.monitoring.check("bikes")
    assert set(bench.open()) == {"drift", "performance"}
    bench.put_version(2)
    bench.serving.routes = (Route(1, 10.0), Route(2, 90.0))
    frame, ids = bench.answer(300, number=2)
    bench.label(frame, ids)
    report = bench.monitoring.check("bikes")
    assert (report.version, report.verdict) == (2, Verdict.OK)
    detector = MonitoringStore(bench.workbench.context).detector("bikes")
    assert detector is not None
    assert (detector.version, detector.concept_at) == (2, None)
    assert bench.open() == {}


def test_a_new_version_that_is_bad_too_gets_an_alert_of_its_own(bench: Any) -> None:
    for number in (1, 2):
        if number == 2:
            bench.put_version(2)
            bench.serving.routes = (Route(2, 100.0),)
        frame, ids = bench.answer(300, number=number)
        bench.label(frame, ids, noise=5)
        bench.monitoring.check("bikes")
    newest, first = bench.workbench.alerts.list(rule="performance")
    assert (str(first.state), str(newest.state)) == ("resolved", "open")
    assert "version 2" in newest.title


def test_failures_and_slowness_are_alerts_of_their_own(bench: Any) -> None:
    bench.answer(300, failed=30, latency=900)
    report = bench.monitoring.check("bikes")
    assert report.verdict == Verdict.UNHEALTHY
    assert report.error_rate == pytest.approx(0.1)
    assert set(bench.open()) == {"error_rate", "latency"}
    bench.answer()
    bench.monitoring.check("bikes")
    assert bench.open() == {}


def test_only_failures_are_counted_once_and_compared_with_nothing(bench: Any) -> None:
    bench.answer(250, failed=250)
    report = bench.monitoring.check("bikes")
    assert (report.rows, report.error_rate, report.verdict) == (0, 1.0, Verdict.UNHEALTHY)
    assert bench.monitoring.check("bikes").verdict == Verdict.WAITING


def test_odd_columns_are_said_in_words(bench: Any) -> None:
    frame = bench.inputs(2000).assign(constant=7.5, empty=np.nan, gone=1.5, wild=bench.random.normal(size=2000))
    bench.put(1, build_profile(frame))
    window = bench.inputs(300).assign(constant=7.5, empty=np.nan, wild=np.inf, extra="x")
    window.loc[:150, "temp"] = None
    bench.clock.advance(1000)
    bench.serving.answer(window, np.nan, bench.clock.now)
    report = bench.monitoring.check("bikes")
    columns = {column.name: column for column in report.features}
    assert columns["constant"].note == "It is constant in the reference."
    assert not columns["constant"].drifted
    assert columns["empty"].note == "The reference has only missing values of it."
    assert not columns["empty"].drifted
    assert columns["gone"].drifted
    assert columns["gone"].note == "It is no longer sent."
    assert columns["wild"].drifted
    assert columns["temp"].drifted
    assert columns["temp"].nulls > 0.5
    assert any("extra" in note for note in report.notes)


def test_all_missing_is_drift_with_a_plain_note(bench: Any) -> None:
    window = bench.inputs(300).assign(temp=np.nan)
    bench.clock.advance(1000)
    bench.serving.answer(window, 1.0, bench.clock.now)
    column = next(each for each in bench.monitoring.check("bikes").features if each.name == "temp")
    assert column.drifted
    assert (column.ks, column.note) == (None, "All values are missing in this window.")


def test_a_version_without_a_profile_is_still_watched_for_errors(bench: Any) -> None:
    bench.put(1, None)
    bench.answer(300, failed=60)
    report = bench.monitoring.check("bikes")
    assert report.features == []
    assert any("no reference profile" in note for note in report.notes)
    assert "error_rate" in bench.open()
    bench.answer(300)
    assert bench.monitoring.check("bikes").verdict == Verdict.NO_REFERENCE


def test_a_tiny_or_empty_reference_is_said_and_does_not_alarm(bench: Any) -> None:
    bench.put(1, build_profile(bench.inputs(30)))
    bench.answer()
    report = bench.monitoring.check("bikes")
    assert not report.drifted
    assert all("only 30 rows" in column.note for column in report.features)
    bench.put(1, build_profile(bench.inputs(0)))
    bench.answer()
    assert bench.monitoring.check("bikes").verdict == Verdict.NO_REFERENCE


def test_every_deployment_has_a_monitor_until_it_is_removed(bench: Any) -> None:
    assert [monitor.deployment for monitor in bench.monitoring.list()] == ["bikes"]
    bench.monitoring.remove("bikes", why="gone")
    assert bench.monitoring.list() == []
    with pytest.raises(NotFound, match="no monitor 'bikes'"):
        bench.monitoring.get("bikes")
    assert bench.monitoring.add("bikes", min_rows=50).min_rows == 50
    assert [entry.verb for entry in bench.workbench.audit.list(kind="monitor")] == ["add", "remove"]


def test_settings_are_checked_together_and_kept(bench: Any) -> None:
    with pytest.raises(InvalidInput, match="min_row"):
        bench.monitoring.add("bikes", min_row=5, alpha=0)
    with pytest.raises(NotFound):
        bench.monitoring.add("nothing")
    bench.monitoring.add("bikes", min_rows=50, alpha=0.05)
    with pytest.raises(AlreadyExists):
        bench.monitoring.add("bikes")
    monitor = bench.monitoring.add("bikes", margin=0.2)
    assert (monitor.min_rows, monitor.alpha, monitor.margin) == (50, 0.05, 0.2)
    assert bench.monitoring.get("bikes").margin == 0.2


def test_a_paused_monitor_is_left_alone(bench: Any) -> None:
    bench.answer()
    bench.monitoring.pause("bikes")
    assert not bench.monitoring.due()
    assert bench.monitoring.check_all() == []
    bench.monitoring.resume("bikes")
    assert bench.monitoring.due()
    assert [report.verdict for report in bench.monitoring.check_all()] == [Verdict.OK]
    assert not bench.monitoring.due()


def test_due_waits_for_enough_predictions_and_gathers_labels_for_a_while(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLOPS_DAEMON_MONITOR_S", "120")
    assert not bench.monitoring.due()
    bench.answer(100)
    assert not bench.monitoring.due()
    frame, ids = bench.answer(150)
    assert bench.monitoring.due()
    bench.monitoring.check_all()
    bench.label(frame, ids)
    assert not bench.monitoring.due()
    bench.clock.advance(120_000)
    assert bench.monitoring.due()
    bench.monitoring.check_all()
    assert not bench.monitoring.due()


def test_a_look_that_found_too_little_is_not_repeated_at_once(bench: Any) -> None:
    bench.answer(100)
    bench.answer(150, number=2)  # a canary's traffic counts as traffic, but not for this window
    assert bench.monitoring.due()
    assert bench.monitoring.check_all()[0].verdict == Verdict.WAITING
    assert not bench.monitoring.due()
    bench.clock.advance(120_000)
    assert bench.monitoring.due()


def test_one_monitor_that_cannot_run_does_not_keep_others_from_it(bench: Any) -> None:
    bench.serving.names = ["bikes", "cars"]
    honest = bench.registry.version

    calls: list[str] = []

    def broken(ref: str) -> Any:
        calls.append(ref)
        if len(calls) == 1:
            raise NotFound("the version is gone")
        return honest(ref)

    bench.registry.version = broken
    bench.answer()
    reports = bench.monitoring.check_all()
    assert [report.deployment for report in reports] == ["cars"]
    assert "could not run" in bench.open()["monitor"].title
    bench.monitoring.check_all()
    assert "monitor" not in bench.open()


def test_two_checks_of_the_same_rows_make_one_report(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from mlops_tui.domains.monitoring.checking import Check

    bench.answer()
    honest = Check.run
    inner: list[Any] = []

    def overtaken(self: Check, *args: Any) -> Any:
        found = honest(self, *args)
        if not inner:
            inner.append(None)
            inner[0] = bench.monitoring.check("bikes")
        return found

    monkeypatch.setattr(Check, "run", overtaken)
    assert bench.monitoring.check("bikes").id == inner[0].id
    assert len(bench.monitoring.reports("bikes")) == 1


def test_a_version_that_took_other_types_is_no_trouble_to_the_next(bench: Any) -> None:
    frame, before = bench.inputs(300), bench.inputs(2000)
    bench.serving.answer(
        frame.assign(sky=1), ["warm"] * 300, bench.clock.now
    )  # together with true or false that is 1 or 0
    bench.put(2, build_profile(before.assign(sky=before["sky"] == "sun"), 10 + before["temp"], task="regression"))
    bench.serving.routes = (Route(2, 100.0, State.READY),)
    bench.clock.advance(60_000)
    bench.serving.answer(frame.assign(sky=frame["sky"] == "sun"), 10 + frame["temp"], bench.clock.now, number=2)
    report = bench.monitoring.check("bikes")
    assert (report.version, report.rows, report.verdict, report.drifted, report.malformed) == (2, 300, "ok", [], [])
