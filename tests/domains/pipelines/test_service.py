from __future__ import annotations

import os
import signal

import msgspec
import pytest

from mlops_tui.core.errors import AlreadyExists, InvalidInput, NotAllowed, NotFound, Unavailable
from mlops_tui.domains.pipelines import runner
from mlops_tui.domains.pipelines.operating import Trigger
from mlops_tui.domains.pipelines.records import STEPS
from mlops_tui.domains.pipelines.work import Skip

pytestmark = pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")


@pytest.fixture
def pipelines(workbench):
    workbench.features.create("labels", ["id"])
    workbench.features.ingest("labels", [{"id": number, "x": number / 2, "count": number} for number in range(5)])
    workbench.pipelines.new("bikes", "regression", spine="labels", target="count")
    return workbench.pipelines


def verdict(outcome):
    checks = [{"name": "loads", "passed": outcome == "blessed", "detail": "said the test"}]
    return {"outcome": outcome, "checks": checks, "champion": "bikes/1", "reason": "said the test"}


@pytest.fixture
def steps(monkeypatch):
    """What each step does, in place of the real ones: in a forked child, as in life."""
    doing = {name: lambda: {"detail": "done"} for name in STEPS}
    doing["gate"] = lambda: {"verdict": verdict("blessed")}
    doing["register"] = lambda: {"version": "bikes/2"}
    monkeypatch.setattr(runner.doing, "step", lambda name, work: doing[name]())
    monkeypatch.setattr(runner.warming, "preload", lambda: None)
    return doing


def execute(pipelines):
    """Run the pipeline in this process; the run and what it raised."""
    run_id = pipelines.run("bikes").spec["run_id"]
    try:
        pipelines.execute(run_id, lambda done, total, note: None)
    except InvalidInput as error:
        return pipelines.get_run(run_id), error
    return pipelines.get_run(run_id), None


def states(run):
    return {step.name: str(step.state) for step in run.steps}


def test_a_run_is_queued_with_a_frozen_copy_of_its_definition(pipelines, workbench):
    job = pipelines.run("bikes", cause={"kind": "schedule"})
    path = workbench.workspace.pipelines / "bikes.toml"
    before = path.read_text()
    path.write_text(before.replace("200", "300"))
    run = pipelines.run_of_job(job)
    assert (run.state, run.job_id, run.cause) == ("queued", job.id, {"kind": "schedule"})
    assert pipelines.definition_of(run.id) == before
    assert set(states(run).values()) == {"pending"}


def test_the_same_key_starts_one_run(pipelines):
    assert pipelines.run("bikes", key="fire-1").id == pipelines.run("bikes", key="fire-1").id
    assert len(pipelines.runs()) == 1


def test_limits_of_the_definition_become_limits_of_the_job(pipelines, workbench):
    path = workbench.workspace.pipelines / "bikes.toml"
    path.write_text(path.read_text() + '\n[resources]\ntimeout = "2h"\nmemory = "1.5GB"\nretries = 2\n')
    job = pipelines.run("bikes")
    assert (job.timeout_s, job.memory_bytes, job.retries) == (7200, 1_500_000_000, 2)


@pytest.mark.parametrize(
    ("old", "new", "kind", "hint"),
    [
        ('"count"', '"cuont"', InvalidInput, "Did you mean 'count'?"),
        ('"labels"', '"lables"', NotFound, "labels"),
        ("margin =", "margn =", InvalidInput, "nothing was started"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_queued(pipelines, workbench, old, new, kind, hint):
    path = workbench.workspace.pipelines / "bikes.toml"
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(kind) as caught:
        pipelines.run("bikes")
    assert hint in caught.value.hint
    assert workbench.jobs.list() == []
    assert pipelines.runs() == []


def test_a_run_that_works_shows_every_step_verdict_and_version(pipelines, steps, workbench):
    run, error = execute(pipelines)
    assert error is None
    assert (run.state, run.version) == ("succeeded", "bikes/2")
    assert set(states(run).values()) == {"succeeded"}
    assert run.verdict.outcome == "blessed"
    assert run.verdict.checks[0].detail == "said the test"
    workbench.experiments.take_in()
    logged = workbench.experiments.run(run.run_id)
    assert (logged.state, logged.tags["pipeline_run"]) == ("finished", run.id)
    assert workbench.experiments.params(run.run_id)["model.max_iter"] == "200"


def test_the_state_of_each_step_is_visible_while_it_runs(pipelines, steps, workbench):
    def look():
        running = pipelines.runs()[0]
        return {"detail": f"{running.state} {states(running)['train']} {states(running)['gate']}"}

    steps["train"] = look
    run, _ = execute(pipelines)
    assert run.steps[4].detail == "running running pending"


def test_a_gate_that_says_no_stops_before_registering(pipelines, steps):
    steps["gate"] = lambda: {"verdict": verdict("blocked")}
    run, error = execute(pipelines)
    assert error is None
    assert (run.state, run.version, run.verdict.outcome) == ("blocked", "", "blocked")
    assert states(run)["register"] == states(run)["deploy"] == "skipped"


def test_a_gate_that_cannot_tell_leaves_the_run_waiting_for_a_person(pipelines, steps):
    steps["gate"] = lambda: {"verdict": verdict("needs_person")}
    run, _ = execute(pipelines)
    assert (run.state, run.version) == ("waiting", "bikes/2")


def test_a_step_that_fails_ends_the_run_with_its_reason(pipelines, steps, workbench):
    def fail():
        raise InvalidInput("too few rows.")

    steps["check"] = fail
    run, error = execute(pipelines)
    assert "Step check failed: too few rows." in error.message
    assert (run.state, run.error) == ("failed", "step check: too few rows.")
    assert [states(run)[name] for name in ("load", "check", "split")] == ["succeeded", "failed", "skipped"]
    assert workbench.experiments.run(run.run_id).state == "failed"
    assert "too few rows" in pipelines.step_log(run.id, "check")


def test_a_step_killed_from_outside_is_a_failed_step_with_the_signal(pipelines, steps):
    steps["train"] = lambda: os.kill(os.getpid(), signal.SIGKILL)
    run, error = execute(pipelines)
    assert "SIGKILL" in error.message
    assert (run.state, states(run)["train"]) == ("failed", "failed")


def test_a_step_with_nothing_to_do_is_skipped_with_the_reason(pipelines, steps):
    def nothing():
        raise Skip('[deploy] to = "none"')

    steps["deploy"] = nothing
    run, _ = execute(pipelines)
    assert (run.state, run.steps[-1].state, run.steps[-1].detail) == ("succeeded", "skipped", '[deploy] to = "none"')


def test_a_run_that_ended_well_is_not_done_again_and_one_that_failed_is(pipelines, steps):
    steps["train"] = lambda: os._exit(1)
    run, _ = execute(pipelines)
    assert run.state == "failed"
    steps["train"] = lambda: {"detail": "done"}
    silent = lambda done, total, note: None  # noqa: E731
    assert pipelines.execute(run.id, silent)["state"] == "succeeded"
    assert pipelines.get_run(run.id).error == ""
    steps["load"] = lambda: os._exit(1)
    assert pipelines.execute(run.id, silent)["state"] == "succeeded"


def test_a_lost_run_is_closed_once_and_keeps_what_it_registered(pipelines, workbench):
    run_id = pipelines.run("bikes").spec["run_id"]
    assert pipelines.mark_lost(run_id, "the machine went down") is True
    assert pipelines.mark_lost(run_id, "again") is False
    run = pipelines.get_run(run_id)
    assert (run.state, run.error) == ("lost", "the machine went down")
    assert workbench.audit.verify().ok


def test_a_run_whose_job_was_cancelled_is_closed_when_it_is_looked_at(pipelines, workbench):
    job = pipelines.run("bikes")
    workbench.jobs.cancel(job.id, "not now")
    run = pipelines.run_of_job(job)
    assert (run.state, states(run)["load"]) == ("cancelled", "skipped")


def test_a_run_is_found_by_the_beginning_of_its_id(pipelines):
    run_id = pipelines.run("bikes").spec["run_id"]
    assert pipelines.get_run(run_id[:6]).id == run_id
    for wrong in ("ffff0000ffff", "", "*", "x"):
        with pytest.raises(NotFound):
            pipelines.get_run(wrong)


def test_a_definition_with_mistakes_is_listed_with_them(pipelines, workbench):
    (workbench.workspace.pipelines / "broken.toml").write_text("[pipeline]\nnme = 'x'\n")
    found = {definition.name: definition.problems for definition in pipelines.list()}
    assert found["bikes"] == []
    assert "broken.toml:2: pipeline.nme: unknown key. Did you mean 'name'?" in found["broken"]


def test_a_template_is_not_written_over_a_file(pipelines, workbench):
    with pytest.raises(AlreadyExists):
        pipelines.new("bikes")
    with pytest.raises(NotFound) as caught:
        pipelines.new("other", "regresion")
    assert caught.value.hint == "Did you mean 'regression'?"
    assert [path.name for path in workbench.workspace.pipelines.iterdir()] == ["bikes.toml"]


def test_triggers_come_with_every_field(pipelines, workbench):
    path = workbench.workspace.pipelines / "bikes.toml"
    path.write_text(path.read_text() + '\n[[triggers]]\nkind = "performance"\ncooldown = "6h"\n')
    (trigger,) = pipelines.triggers("bikes")
    assert (trigger["kind"], trigger["cooldown"], trigger["missed"], trigger["rows"]) == (
        "performance",
        "6h",
        "latest",
        0,
    )
    assert set(trigger) == {field.name for field in msgspec.structs.fields(Trigger)}


def test_a_checked_file_is_added_and_one_with_mistakes_is_not(pipelines, workbench, tmp_path):
    source = tmp_path / "other.toml"
    source.write_text(pipelines.definition_of(pipelines.run("bikes").spec["run_id"]).replace('"bikes"', '"other"'))
    assert pipelines.add(source).name == "other"
    source.write_text("[pipeline]\n")
    with pytest.raises(InvalidInput, match="mistakes"):
        pipelines.add(source)


def test_the_files_of_old_runs_go_and_their_rows_stay(pipelines, steps, clock):
    execute(pipelines)
    run = pipelines.runs()[0]
    clock.advance(89 * 86_400_000)
    assert pipelines.prune() == 0
    clock.advance(2 * 86_400_000)
    assert pipelines.prune() == 1
    assert not pipelines.folder(run.id).exists()
    assert pipelines.get_run(run.id).state == run.state


def test_a_waiting_run_is_let_through_by_a_person_with_a_reason(pipelines, steps, workbench):
    steps["gate"] = lambda: {"verdict": verdict("needs_person")}
    run, _ = execute(pipelines)
    with pytest.raises(InvalidInput, match="needs a reason"):
        pipelines.override(run.id, " ")
    decided = pipelines.override(run.id, "we looked at it")
    assert (decided.state, decided.verdict.outcome) == ("succeeded", "blessed")
    assert decided.verdict.checks[-1].name == "override"
    assert decided.verdict.reason.startswith("tester decided: we looked at it")
    (entry,) = [entry for entry in workbench.audit.list(kind="pipeline_run") if entry.verb == "override"]
    assert (entry.name, entry.why) == (run.id, "we looked at it")
    with pytest.raises(NotAllowed, match="nothing to override"):
        pipelines.override(run.id, "again")


def test_a_blocked_run_is_overridden_by_running_it_again_past_the_gate(pipelines, steps):
    steps["gate"] = lambda: {"verdict": verdict("blocked")}
    run, _ = execute(pipelines)
    again = pipelines.run_of_job(pipelines.override(run.id, "the market changed"))
    assert again.options["override"] == {"by": "tester", "why": "the market changed"}
    assert again.cause == {"kind": "override", "run": run.id, "why": "the market changed"}
    assert pipelines.definition_of(again.id) == pipelines.definition_of(run.id)


def test_a_run_is_resumed_from_its_own_definition_when_it_has_ended(pipelines, steps, workbench):
    steps["train"] = lambda: os._exit(1)
    run, _ = execute(pipelines)
    path = workbench.workspace.pipelines / "bikes.toml"
    path.write_text(path.read_text().replace("200", "300"))
    again = pipelines.run_of_job(pipelines.resume(run.id))
    assert pipelines.definition_of(again.id) == pipelines.definition_of(run.id)
    with pytest.raises(NotAllowed, match="is queued"):
        pipelines.resume(again.id)


def test_a_run_like_another_reads_what_that_one_read_and_ends_after_its_scores(pipelines, steps, workbench):
    pins = {"spine": "labels@1", "features": [], "at": []}
    steps["load"] = lambda: {"snapshots": ["labels@1"], "pins": pins}
    scores = iter([{"rmse": 1.0}, {"rmse": 1.5}])
    first, second = next(scores), next(scores)
    steps["evaluate"] = lambda: {"metrics": first}
    run, _ = execute(pipelines)
    workbench.features.ingest("labels", [{"id": 9, "x": 1.0, "count": 2}])
    job = pipelines.run_like(run.id)
    like = pipelines.run_of_job(job)
    assert like.options == {"cache": False, "like": run.id, "pins": pins}
    assert [step.name for step in like.steps] == ["load", "check", "split", "preprocess", "train", "evaluate"]
    pipelines.execute(like.id, lambda done, total, note: None)
    assert pipelines.get_run(like.id).state == "succeeded"
    steps["evaluate"] = lambda: {"metrics": second}
    other = pipelines.run_of_job(pipelines.run_like(run.id))
    pipelines.execute(other.id, lambda done, total, note: None)
    ended = pipelines.get_run(other.id)
    assert (ended.state, ended.facts["like"]["differences"]) == ("blocked", ["rmse 1.0 -> 1.5"])
    assert ended.version == ""


def test_a_library_that_is_missing_is_said_before_a_person_waits_for_the_run(pipelines, workbench, monkeypatch):
    monkeypatch.setattr("mlops_tui.core.extras.find_spec", lambda name: None)
    path = workbench.workspace.pipelines / "bikes.toml"
    text = path.read_text()
    shap = text.replace("[explain]", "[explain]\nshap = true")
    for asked, extra in ((shap, "shap"), (f'{text}\n[resources]\nengine = "ray"\n', "ray")):
        path.write_text(asked)
        with pytest.raises(Unavailable) as missing:
            pipelines.run("bikes")
        assert missing.value.hint == f"pip install 'mlops-tui[{extra}]'"
    assert workbench.jobs.list() == []
    assert pipelines.run("bikes", cause={"kind": "schedule"}).state == "queued"  # its job ends with an alert
