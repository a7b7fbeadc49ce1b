"""What a deployment answered from against the offline join: keys among the inputs or beside them, and each way to differ."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from mlops_tui import job as runner
from mlops_tui.core.errors import InvalidInput, NotFound
from mlops_tui.core.segments import SegmentWriter
from mlops_tui.domains.serving.log import prediction_record

INPUTS = [("city", "string"), ("temp", "float64"), ("gusts", "float64"), ("hour", "int64")]


@pytest.fixture
def room(workbench, clock, tmp_path):
    """A deployment `rides` of a model that takes features of the table `weather`, and a function that logs an answer."""
    now = datetime.fromtimestamp(clock.now / 1000, UTC)
    workbench.features.create("weather", ["city"], time="t", ttl="3h")
    rows = [
        {"city": city, "t": now - timedelta(hours=n), "temp": 10.0 * place + n, "wind": float(n)}
        for place, city in enumerate("ab")
        for n in (1, 2)
    ]
    workbench.features.ingest("weather", rows)
    workbench.features.add_aggregates("weather", ["max(wind) over 3h as gusts"])
    folder = tmp_path / "package"
    folder.mkdir()
    signature = {"task": "regression", "inputs": [{"name": name, "type": kind} for name, kind in INPUTS], "outputs": []}
    (folder / "signature.json").write_text(json.dumps(signature | {"labels": None}))
    (folder / "environment.json").write_text('{"python": "3.11", "libraries": {}}')
    (folder / "model.joblib").write_bytes(b"never unpickled here")
    (folder / "sample.parquet").write_bytes(b"never read here")
    workbench.registry.register("hire", folder)
    workbench.serving.deploy("rides", "hire/1")
    writer = SegmentWriter(workbench.workspace.segments, "predictions")
    numbers = iter(range(1000))

    def answer(status=200, **values):
        name = f"p{clock.now:011x}{next(numbers):012x}"
        columns = {column: [value] for column, value in values.items()}
        writer.append(
            prediction_record(ids=[name], at=clock.now, deployment="rides", model="hire", version=1, latency_ms=1.0,
                              columns=columns, prediction=[1.0] if status == 200 else None, status=status)
        )  # fmt: skip
        return name

    yield answer
    writer.close()


FROM = {"features": ["weather:temp,gusts"]}


def told(report):
    return report.verdict, report.vectors, {one.column: (one.compared, one.differing) for one in report.columns}


def test_answers_from_what_training_would_see_agree_also_when_it_is_too_old(room, workbench, clock):
    room(city="a", temp=1.0, gusts=2.0, hour=3)
    clock.advance(3 * 3_600_000)
    room(city="a", temp=None, gusts=None, hour=3)  # past the time to live, and out of the window
    room(city="z", temp=None, gusts=None, hour=3)
    room(400, city="a", temp=99.0, gusts=0.0, hour=3)  # was not answered
    report = workbench.skew("deployment:rides", **FROM)
    assert told(report) == ("pass", 3, {"temp": (3, 0), "gusts": (3, 0)})
    assert (report.others, report.left_out) == (("city", "hour"), 0)


def test_what_was_served_other_than_it_is_joined_is_told_with_key_and_moment(room, workbench, clock):
    room(city="a", temp=1.0, gusts=2.0, hour=3)
    room(city="b", temp=11.5, gusts=2.0, hour=3)
    report = workbench.skew("deployment:rides", **FROM)
    assert told(report) == ("fail", 2, {"temp": (2, 1), "gusts": (2, 0)})
    assert report.columns[0].examples == ({"row": {"city": "b"}, "at": clock.now, "served": 11.5, "offline": 11.0},)
    assert workbench.skew("deployment:rides", tolerate=0.5, **FROM).verdict == "pass"


def test_keys_that_are_no_inputs_come_from_a_file_or_a_table(room, workbench, tmp_path):
    known, lost = room(temp=1.0, gusts=2.0, hour=3), room(temp=5.0, gusts=2.0, hour=3)
    with pytest.raises(InvalidInput, match=r"which entity they were about \(city\)"):
        workbench.skew("deployment:rides", **FROM)
    file = tmp_path / "who.csv"
    pd.DataFrame({"prediction_id": [known], "city": ["a"]}).to_csv(file, index=False)
    workbench.features.create("who", ["prediction_id"])
    workbench.features.ingest("who", file)
    for entities in (str(file), "who"):
        report = workbench.skew("deployment:rides", entities=entities, **FROM)
        assert (report.verdict, report.vectors, report.left_out) == ("pass", 1, 1)
    with pytest.raises(NotFound):
        workbench.skew("deployment:rides", entities=lost, **FROM)
    with pytest.raises(InvalidInput, match="which prediction a row is about"):
        workbench.skew("deployment:rides", entities="weather", **FROM)


def test_a_pipeline_says_where_the_inputs_come_from(room, workbench, monkeypatch):
    room(city="a", temp=1.0, gusts=2.0, hour=3)
    with pytest.raises(InvalidInput, match="Nothing says which tables"):
        workbench.skew("deployment:rides")
    run = type("Run", (), {"facts": {"pins": {"features": ["weather@1:temp"]}}})
    version = workbench.registry.version("hire/1")
    made = type("Version", (), {"ref": "hire/1", "pipeline": "p", "pipeline_run": "r", "signature": version.signature})
    text = '[pipeline]\nname = "p"\n[data]\nspine = "t"\ntarget = "y"\nttl = "30m"\n'
    text += '[model]\ntask = "regression"\nestimator = "sklearn.linear_model.Ridge"\n'
    monkeypatch.setattr(workbench.pipelines, "get_run", lambda name: run)
    monkeypatch.setattr(workbench.pipelines, "definition_of", lambda name: text)
    monkeypatch.setattr(workbench.registry, "version", lambda ref: made)
    (temp,) = workbench.skew("deployment:rides").columns
    assert (temp.column, temp.differing, temp.examples[0]["offline"]) == ("temp", 1, None)  # older than half an hour


def test_a_job_raises_an_alert_while_they_differ_and_ends_it(room, workbench):
    room(city="a", temp=5.0, gusts=2.0, hour=3)
    spec = {"name": "deployment:rides", **FROM}
    asked = workbench.jobs.submit("skew", "skew", spec)
    runner.KINDS["skew"](workbench, asked, lambda *said: None)
    (alert,) = workbench.alerts.list()
    assert (alert.rule, alert.subject, alert.facts["column"]) == ("skew", "deployment:rides", "temp")
    asked = workbench.jobs.submit("skew", "skew", {**spec, "tolerate": 1.0})
    runner.KINDS["skew"](workbench, asked, lambda *said: None)
    assert workbench.alerts.open_count() == 0


def test_nothing_to_compare_and_unknown_names_are_told(room, workbench):
    assert workbench.skew("deployment:rides", **FROM).verdict == "empty"
    with pytest.raises(NotFound, match="ride"):
        workbench.skew("deployment:ride", **FROM)
    with pytest.raises(InvalidInput, match="named for a deployment"):
        workbench.skew("weather", **FROM)
