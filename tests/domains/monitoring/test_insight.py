"""Performance over time: late labels land where their prediction was made, what changed is measured again and nothing else."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlops_tui.core.clock import DAY, HOUR, MINUTE
from mlops_tui.core.errors import InvalidInput
from mlops_tui.domains.monitoring import measuring
from mlops_tui.domains.registry import trust
from mlops_tui.domains.registry.evidence import Evidence

from .conftest import version


@pytest.fixture
def hours(bench: Any) -> Any:
    """Three hours of traffic, the first two with labels that came at once."""
    bench.clock.now = 1_800_000_000_000 // HOUR * HOUR
    bench.sent = []
    for hour in range(3):
        frame, ids = bench.answer(rows=300)
        bench.sent.append((frame, ids))
        if hour < 2:
            bench.label(frame, ids)
        bench.clock.advance(HOUR - 2 * MINUTE)
    return bench


def test_each_stretch_is_measured_from_its_own_labels(hours: Any) -> None:
    standing = hours.monitoring.insight.measure("bikes")
    assert [(one.labels.rows, one.labels.labelled) for one in standing.stretches] == [(300, 300), (300, 300), (300, 0)]
    assert standing.whole.labels.coverage == pytest.approx(2 / 3)
    assert standing.whole.metric("mae").value == pytest.approx(np.sqrt(2 / np.pi), abs=0.1)
    assert standing.stretches[2].metrics == []
    assert hours.monitoring.insight.standing("bikes") == standing


def test_late_labels_are_counted_where_their_prediction_was_made(hours: Any) -> None:
    insight = hours.monitoring.insight
    before = insight.measure("bikes").stretches
    hours.clock.advance(5 * DAY)
    hours.label(*hours.sent[2], noise=3.0)
    after = insight.measure("bikes").stretches
    assert after[:2] == before[:2]
    assert after[2].labels.labelled == 300
    assert after[2].labels.delay_ms == pytest.approx(5 * DAY + HOUR, abs=2 * MINUTE)
    assert after[2].metric("mae").value > 2 * after[0].metric("mae").value


def test_only_what_changed_is_measured_again(hours: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    insight, asked = hours.monitoring.insight, []
    insight.measure("bikes")
    honest = measuring.measure
    monkeypatch.setattr(measuring, "measure", lambda *args: asked.append(args[2].since) or honest(*args))
    insight.measure("bikes")
    assert asked == []
    hours.label(hours.sent[2][0].head(1), hours.sent[2][1][:1])
    last = insight.measure("bikes").stretches[2]
    assert asked == [last.since, insight.standing("bikes").whole.since]  # that stretch, and the whole


def test_a_corrected_label_counts_and_a_contradiction_is_said(hours: Any) -> None:
    insight = hours.monitoring.insight
    _, ids = hours.sent[0]
    first = insight.measure("bikes").stretches[0].metric("mae")
    hours.serving.label(ids[:50], [1000.0] * 50, hours.clock.now)
    standing = insight.measure("bikes")
    assert standing.stretches[0].metric("mae").value > 10 * first.value
    assert standing.stretches[0].labels.contradicted == 50
    assert any("50 predictions were given different labels" in note for note in standing.notes)


def test_stretches_grow_with_the_time_there_is(bench: Any) -> None:
    def length(minutes: list[int], rows: int) -> int:
        return measuring.length_of(pd.DataFrame({"minute": minutes, "rows": rows}), 200)

    assert length([0], 10) == MINUTE
    assert length([each * MINUTE for each in range(30)], 300) == MINUTE
    assert length([each * MINUTE for each in range(600)], 300) == 15 * MINUTE
    assert length([each * HOUR for each in range(24 * 30)], 100) == DAY
    assert length([each * HOUR for each in range(48)], 3) == 6 * HOUR  # thin: as long as still gives five
    assert measuring.length_of(pd.DataFrame({"minute": [], "rows": []}), 200) == MINUTE


def test_when_stretches_grow_the_short_ones_are_forgotten(hours: Any) -> None:
    insight = hours.monitoring.insight
    short = insight.measure("bikes").stretches
    assert {one.until - one.since for one in short} == {5 * MINUTE}
    hours.monitoring.add("bikes", min_rows=900)
    hours.clock.advance(1)
    long = insight.measure("bikes").stretches
    assert len({one.until - one.since for one in long}) == 1
    assert long[0].until - long[0].since > HOUR
    assert sum(one.labels.rows for one in long) == 900


def test_groups_and_slices_come_from_the_pipeline_or_from_the_monitor(hours: Any) -> None:
    insight = hours.monitoring.insight
    hours.registry.kept = Evidence(
        definition={"fairness": {"sensitive": ["sky", "height"]}, "evaluate": {"slices": ["sky"]}}
    )
    standing = insight.measure("bikes")
    assert {gap.measure for gap in standing.whole.gaps} == {"selection", "error"}
    assert [one.words for one in standing.slices if one.declared] == ["sky = sun", "sky = rain"] or len(
        standing.slices
    ) == 2
    assert any("height" in note for note in standing.notes)
    series = insight.series("bikes", "selection_gap", 0)
    assert [at for at, _ in series] == [one.until for one in standing.stretches]


def test_a_sensitive_column_has_to_be_an_input(bench: Any) -> None:
    found = dataclasses.replace(version(1), signature={"labels": [], "inputs": [{"name": "sky", "type": "string"}]})
    bench.registry.put(found, None)
    with pytest.raises(InvalidInput, match="'sex' is no input") as caught:
        bench.monitoring.add("bikes", sensitive=["sex"])
    assert "sky" in caught.value.hint
    assert bench.monitoring.add("bikes", sensitive=["sky"]).sensitive == ["sky"]


def test_an_estimate_that_labels_refute_is_said(hours: Any) -> None:
    frame = hours.inputs(1000)
    learned = trust.loss(frame, 10 + frame["temp"], hours.truth(frame, 0.2), held_out=True)
    found, profile = hours.registry.found[1]
    hours.registry.put(found, {**(profile or {}), "trust": learned})
    standing = hours.monitoring.insight.measure("bikes")
    assert standing.whole.estimate("mae").high < standing.whole.metric("mae").low
    assert any("concept drift" in note for note in standing.notes)
    assert standing.stretches[2].estimate("mae") is not None


def test_what_was_never_asked_is_not_measured(bench: Any) -> None:
    assert bench.monitoring.insight.measure("bikes") is None
    assert bench.monitoring.insight.standing("bikes") is None
    assert bench.monitoring.insight.stretches("bikes") == []
