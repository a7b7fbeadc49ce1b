"""The reading side: each record once, whoever dies in between."""

from __future__ import annotations

import os
import threading

import pytest

from mlops_tui.core import segments
from mlops_tui.core.ids import new_id
from mlops_tui.core.segments import SegmentWriter
from mlops_tui.domains.experiments import intake as intake_module
from mlops_tui.domains.experiments import spool
from mlops_tui.domains.experiments.intake import RECOVERED
from mlops_tui.domains.experiments.records import RunState
from mlops_tui.domains.experiments.spool import RunWriter
from mlops_tui.workbench import Workbench


@pytest.fixture
def run(workbench):
    return workbench.experiments.start("churn")


@pytest.fixture
def writer(workbench, run):
    writer = RunWriter(workbench.workspace, run.id)
    yield writer
    writer.close()


def left(workspace):
    return segments.segments(spool.folder(workspace))


def test_nothing_in_the_spool_is_nothing_to_do(workbench):
    assert workbench.experiments.take_in() == 0


def test_a_spool_that_another_reader_has_just_emptied_is_nothing_to_do(workbench):
    spool.folder(workbench.workspace).mkdir()
    assert workbench.experiments._intake.take_in() == 0


def test_records_are_taken_in_once(workbench, run, writer):
    writer.metrics([("loss", 0, 1.0)])
    writer.metrics([("loss", 1, 2.0)])
    assert workbench.experiments.take_in() == 2
    assert workbench.experiments.take_in() == 0
    writer.metrics([("loss", 2, 3.0)])
    assert workbench.experiments.take_in() == 1
    assert workbench.experiments.metrics(run.id)["loss"].count == 3


def test_a_segment_stays_while_its_writer_may_go_on_and_goes_when_it_is_done(workbench, run, writer):
    writer.metrics([("loss", 0, 1.0)])
    workbench.experiments.take_in()
    assert len(left(workbench.workspace)) == 1
    writer.finish(RunState.FINISHED)
    workbench.experiments.take_in()
    assert left(workbench.workspace) == []
    assert workbench.context.metrics.value("SELECT count(*) FROM intake") == 0


def test_the_segment_of_a_dead_process_goes_though_it_never_said_goodbye(workbench, run):
    child = os.fork()
    if child == 0:
        RunWriter(workbench.workspace, run.id).metrics([("loss", 0, 1.0)])
        os._exit(0)
    os.waitpid(child, 0)
    assert workbench.experiments.take_in() == 1
    assert left(workbench.workspace) == []


def test_a_full_segment_goes_as_soon_as_its_writer_has_begun_the_next(workbench, run, writer):
    writer._segment.max_bytes = 200
    for step in range(20):
        writer.metrics([("loss", step, 1.0)])
    assert len(left(workbench.workspace)) > 2
    assert workbench.experiments.take_in() == 20
    assert len(left(workbench.workspace)) == 1


def test_a_reader_that_dies_between_the_two_databases_repeats_the_chunk_harmlessly(workbench, run, writer, monkeypatch):
    writer.tags({"team": "growth"})
    writer.metrics([("loss", 0, 1.0)])
    writer.finish(RunState.FAILED, "ValueError")

    def die(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(workbench.experiments._store.numbers, "set_offset", die)
    with pytest.raises(KeyboardInterrupt):
        workbench.experiments.take_in()
    assert workbench.experiments.metrics(run.id) == {}  # the numbers fell with the offset
    assert workbench.experiments.run(run.id).state is RunState.FAILED
    monkeypatch.undo()
    workbench.experiments.take_in()
    assert workbench.experiments.metrics(run.id)["loss"].count == 1
    assert [entry.verb for entry in workbench.audit.list(kind="run")] == ["end", "start"]


def test_a_torn_tail_is_cut_and_what_cannot_be_read_is_kept_aside(workbench, run, writer):
    writer.metrics([("loss", 0, 1.0)])
    writer.close()
    (path,) = left(workbench.workspace)
    whole = path.read_bytes()
    path.write_bytes(whole + b"\x99\x00\x00\x00torn")
    workbench.experiments.take_in()
    assert workbench.experiments.metrics(run.id)["loss"].count == 1
    assert left(workbench.workspace) == []
    assert (path.parent / "torn" / path.name).read_bytes().endswith(b"torn")


def test_one_record_that_makes_no_sense_does_not_keep_the_others_out(workbench, run, caplog):
    segment = SegmentWriter(spool.folder(workbench.workspace), f"{run.id}-0")
    for record in (
        "text",
        ["metric", 1],
        ["metric", 1, [["loss", 0]]],
        ["finish", 1, "exploded", ""],
        ["future", 1, {}],
    ):
        segment.append(record)
    segment.append(["metric", 5, [["loss", 0, 1.0]]])
    segment.close()
    workbench.experiments.take_in()
    assert workbench.experiments.metrics(run.id)["loss"].count == 1
    assert caplog.text.count("was left out") == 4


def test_numbers_of_a_run_that_nobody_began_wait_while_its_process_lives(workbench):
    run_id = new_id()
    writer = RunWriter(workbench.workspace, run_id)
    writer.metrics([("loss", 0, 1.0)])
    assert workbench.experiments.take_in() == 0
    assert len(left(workbench.workspace)) == 1
    writer.close()


def test_numbers_of_a_run_that_nobody_began_are_recovered_after_a_death(workbench):
    run_id = new_id()
    child = os.fork()
    if child == 0:
        RunWriter(workbench.workspace, run_id).metrics([("loss", 0, 1.0)])
        os._exit(0)
    os.waitpid(child, 0)
    workbench.experiments.take_in()
    assert workbench.experiments.run(run_id).experiment == RECOVERED
    assert workbench.experiments.metrics(run_id)["loss"].count == 1
    assert [found.id for found in workbench.experiments.sweep()] == [run_id]


def test_only_one_reader_at_a_time_and_the_impatient_go_on(workbench, workspace, writer, monkeypatch):
    writer.metrics([("loss", 0, 1.0)])
    inside, go_on = threading.Event(), threading.Event()

    def slow():
        with Workbench(workspace, actor="slow") as other:
            take_all = other.experiments._intake._take_all

            def waiting():
                inside.set()
                go_on.wait(10)
                return take_all()

            other.experiments._intake._take_all = waiting
            taken.append(other.experiments.take_in())

    taken: list[int] = []
    thread = threading.Thread(target=slow)
    thread.start()
    assert inside.wait(10)
    assert workbench.experiments.take_in(wait=False) == 0
    go_on.set()
    thread.join()
    assert taken == [1]
    assert workbench.experiments.take_in() == 0


def test_a_forked_child_does_not_keep_the_turn(workbench, writer):
    """A child forked by another thread while the parent reads would hold the lock until it exits."""
    writer.metrics([("loss", 0, 1.0)])
    intake = workbench.experiments._intake
    take_all, statuses = intake._take_all, []

    def forking():
        (handle,) = intake_module._held
        child = os.fork()
        if child == 0:
            try:
                os.fstat(handle)
            except OSError:
                os._exit(0)
            os._exit(1)
        statuses.append(os.waitpid(child, 0)[1])
        return take_all()

    intake._take_all = forking
    assert workbench.experiments.take_in() == 1
    assert statuses == [0]


def test_the_start_of_a_run_makes_its_experiment_and_is_audited_once(workbench):
    facts = workbench.experiments.describe("fresh", name="one")
    writer = RunWriter(workbench.workspace, facts.id)
    writer.start(facts)
    writer.close()
    workbench.experiments.take_in()
    run = workbench.experiments.run(facts.id)
    assert (run.experiment, run.name, run.state) == ("fresh", "one", RunState.RUNNING)
    assert [(entry.verb, entry.kind) for entry in workbench.audit.list()] == [
        ("start", "run"),
        ("create", "experiment"),
    ]
