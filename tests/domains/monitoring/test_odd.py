"""Odd rows of a window, kept with their predictions, and clients that probe, in the background of a check."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd

from mlops_tui.domains.registry.profile import build_profile


def window(bench, shift=0.0, **columns):
    frame = bench.inputs(300, shift).assign(**columns)
    bench.clock.advance(60_000)
    return bench.serving.answer(frame, 10 + frame["temp"], bench.clock.now)


def test_each_check_keeps_the_share_of_odd_rows_and_the_rows_themselves(bench):
    ids = window(bench)
    bench.monitoring.check("bikes")
    [usual] = bench.monitoring.odd.windows("bikes")
    assert (usual.rows, usual.version) == (300, 1)
    assert usual.share < 0.04
    odd = window(bench, shift=60.0)
    bench.monitoring.check("bikes")
    newest, _ = bench.monitoring.odd.windows("bikes")
    assert (newest.rows, newest.share) == (300, 1.0)
    one = bench.monitoring.odd.of(odd[0])
    assert (one.why, one.neighbours) == ("temp", None)
    assert one.p <= newest.alpha
    assert bench.monitoring.odd.of(ids[0]) is None or bench.monitoring.odd.of(ids[0]).p <= usual.alpha
    assert [row.at for row in bench.monitoring.odd.rows("bikes", 5)] == sorted(
        (row.at for row in bench.monitoring.odd.rows("bikes", 5)), reverse=True
    )


def test_distances_to_neighbours_are_measured_when_asked_for(bench):
    ids = window(bench, shift=60.0)
    bench.monitoring.odd.look("bikes", "bikes/1", 0, bench.clock.now, neighbours=True)
    assert bench.monitoring.odd.of(ids[0]).neighbours < 0.05


def test_a_version_whose_profile_has_no_scores_is_left_out(bench):
    found, profile = bench.registry.found[1]
    bench.registry.put(found, {**profile, "oddness": None})
    window(bench)
    assert bench.monitoring.check("bikes").rows == 300
    assert bench.monitoring.odd.windows("bikes") == []


def test_a_column_that_is_no_longer_sent_or_holds_text_stands_at_its_median(bench):
    frame = pd.DataFrame({"temp": ["hot"] * 300, "sky": "sun"})
    bench.serving.answer(frame, np.full(300, 25.0), bench.clock.now)
    found = bench.monitoring.odd.look("bikes", "bikes/1", 0, bench.clock.now)
    assert found.odd == 0


def test_a_client_that_probes_raises_a_warning_that_ends_by_itself(bench):
    profile = bench.registry.profile("bikes/1")
    columns = ["a", "b", "c", "d"]
    reference = pd.DataFrame(bench.random.normal(size=(2000, 4)), columns=columns)
    from mlops_tui.domains.registry.oddness import calibrate

    bench.registry.put(
        dataclasses.replace(bench.registry.version("bikes/1")), {**profile, "oddness": calibrate(reference)}
    )

    def ask(frame, caller):
        bench.clock.advance(60_000)
        since = bench.clock.now
        bench.clock.advance(60_000)
        bench.serving.answer(frame.assign(_caller=caller), np.zeros(len(frame)), bench.clock.now)
        bench.monitoring.odd.look("bikes", "bikes/1", since, bench.clock.now)

    usual = pd.DataFrame(bench.random.normal(size=(100, 4)), columns=columns)
    ask(usual, "shop")
    assert "probing" not in bench.open()
    box = pd.DataFrame(bench.random.uniform(-9, 9, size=(100, 4)), columns=columns)
    ask(pd.concat([usual, box]), ["shop"] * 100 + ["mallory"] * 100)
    alert = bench.open()["probing"]
    assert alert.facts == {"mallory": "extraction"}
    assert "mallory may be probing" in alert.title
    assert {one.caller: one.verdict for one in bench.monitoring.odd.clients("bikes")} == {
        "mallory": "extraction",
        "shop": "",
    }
    ask(usual, "shop")
    assert "probing" not in bench.open()


def test_what_is_kept_is_bounded(bench, monkeypatch):
    from mlops_tui.domains.monitoring import odd_store

    monkeypatch.setattr(odd_store, "WINDOWS", 2)
    monkeypatch.setattr(odd_store, "ROWS", 50)
    for _ in range(3):
        window(bench, shift=60.0)
        bench.monitoring.odd.look("bikes", "bikes/1", bench.clock.now - 1000, bench.clock.now)
    assert len(bench.monitoring.odd.windows("bikes")) == 2
    assert len(bench.monitoring.odd.rows("bikes", 10_000)) == 50


def test_inputs_may_be_called_as_columns_of_the_log_are(bench):
    frame = bench.inputs(3000).rename(columns={"temp": "id"}).assign(at=bench.random.normal(size=3000))
    bench.put(1, build_profile(frame))
    sent = frame.head(300).rename(columns={"id": "input.id", "at": "input.at"})
    bench.serving.answer(sent, 10.0, bench.clock.now)
    report = bench.monitoring.check("bikes")
    assert (report.rows, [one.name for one in report.features]) == (300, ["id", "sky", "at"])
    assert bench.monitoring.odd.windows("bikes")[0].rows == 300
