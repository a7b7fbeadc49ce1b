"""A version that people are asked about: it goes on as its pipeline says once they agreed, and not otherwise."""

from __future__ import annotations

import json
import shlex

import pytest

from mlops_tui import incident, questions
from mlops_tui.cli.app import main
from mlops_tui.domains.pipelines.records import GateVerdict, Outcome
from mlops_tui.domains.pipelines.steps import deploy
from mlops_tui.domains.pipelines.work import Skip
from mlops_tui.domains.registry.records import Health
from mlops_tui.domains.serving import staging

SIGNATURE = {"task": "regression", "target": "y", "inputs": [{"name": "x", "type": "float64"}], "outputs": [],
             "labels": None}  # fmt: skip
DEPLOY = '[deploy]\nto = "production"\ndeployment = "live"\nstrategy = "canary"\nsteps = [10, 50]\napproval = true\n'


@pytest.fixture
def shown():
    """What a version shows before it gets traffic."""
    return [Health("metrics", True, "as recorded")]


@pytest.fixture
def asked(workbench, tmp_path, shown, monkeypatch):
    """A run that a trigger started and that waits for people to agree to m/2, while m/1 serves as `live`."""
    monkeypatch.setattr(staging, "prove", lambda folder, order: shown)
    folder = tmp_path / "package"
    folder.mkdir()
    (folder / "signature.json").write_text(json.dumps(SIGNATURE))
    (folder / "environment.json").write_text('{"python": "3.11", "libraries": {}}')
    for name in ("model.joblib", "sample.parquet"):
        (folder / name).write_bytes(b"never read here")
    monkeypatch.setattr(workbench.context, "actor", "daemon")
    workbench.registry.register("m", folder)
    workbench.serving.deploy("live", "m/1")
    workbench.registry.promote("m/1")
    workbench.features.create("labels", ["id"])
    workbench.features.ingest("labels", [{"id": 1, "x": 0.5, "count": 1}])
    path = workbench.pipelines.new("m", "regression", spine="labels", target="count")
    path.write_text(path.read_text().partition("[deploy]")[0] + DEPLOY)
    alert = workbench.alerts.raise_alert("performance", "live", title="Worse")
    job = workbench.pipelines.run("m", cause={"kind": "performance", "alert": alert.id})
    run = workbench.pipelines.run_of_job(job)
    workbench.registry.register("m", folder, pipeline="m", pipeline_run=run.id)
    with pytest.raises(Skip) as said:
        deploy.put(workbench.pipelines.recipe("m"), workbench.serving, workbench.registry, "m/2", "better by 0.1")
    store = workbench.pipelines._store
    with workbench.context.catalog.write() as tx:
        now = workbench.context.now()
        blessed = GateVerdict(Outcome.BLESSED, [], "m/1", "better by 0.1")
        store.update(tx, run.id, state="waiting", version="m/2", verdict=blessed, ended_at=now)
        store.update_step(tx, run.id, "deploy", state="skipped", ended_at=now, detail=str(said.value))
    monkeypatch.setattr(workbench.context, "actor", "ann")
    return run.id


def go_on(workbench):
    """What the daemon and its jobs do about the answers."""
    return [workbench.pipelines.carry_on(job.spec["run_id"]) for job in workbench.pipelines.follow()]


def test_nothing_moves_before_somebody_agreed(workbench, asked):
    assert workbench.pipelines.follow() == []
    assert workbench.pipelines.carry_on(asked).state == "waiting"
    assert workbench.serving.rollouts.list() == []


def test_the_answer_begins_the_rollout_that_the_definition_wants(workbench, asked):
    questions.ask(workbench)
    [question] = workbench.alerts.list(rule="approval")
    assert (
        "mlops models approve m/2, or mlops models refuse m/2 --why WHY. Then: Gives it 10 %, 50 % of live"
        in question.detail
    )
    request, words = questions.approve(workbench, "m/2", "looked at the slices", promote=True)
    assert request.state == "approved"
    assert "pipeline m goes on. Gives it 10 %, 50 % of live" in words
    assert "mlops daemon start" in words
    assert workbench.registry.version("m/2").stage == "None"  # nothing is the champion before it has served
    [run] = go_on(workbench)
    assert run.state == "succeeded"
    [rollout] = workbench.serving.rollouts.list()
    assert (rollout.ref, rollout.steps, rollout.to) == ("m/2", (10.0, 50.0, 100.0), "production")
    assert rollout.why == f"pipeline m run {asked[:8]}: approved by ann: looked at the slices"
    assert workbench.registry.version("m@champion").version == 1


def test_whoever_is_killed_in_between_it_is_done_once(workbench, asked, monkeypatch):
    questions.approve(workbench, "m/2")
    first, second = workbench.pipelines.follow(), workbench.pipelines.follow()
    assert [job.id for job in first] == [job.id for job in second]
    with monkeypatch.context() as killed:
        killed.setattr(workbench.pipelines._store, "update_step", lambda *args, **values: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            workbench.pipelines.carry_on(asked)
    assert workbench.serving.rollouts.list() == []  # the traffic and what the run says of it move together
    assert workbench.pipelines.get_run(asked).state == "waiting"
    for _ in range(2):
        assert workbench.pipelines.carry_on(asked).state == "succeeded"
    assert len(workbench.serving.rollouts.list()) == 1
    assert workbench.pipelines.follow() == []


def test_it_waits_for_another_rollout_and_goes_on_after_it(workbench, asked, clock):
    copy = workbench.registry.checkout("m/1", workbench.workspace.tmp / "copy")
    workbench.registry.register("m", copy)
    workbench.serving.rollouts.start("live", "m/3", [20], why="by hand")
    questions.approve(workbench, "m/2")
    assert workbench.pipelines.follow() == []
    assert workbench.pipelines.carry_on(asked).state == "waiting"
    workbench.serving.rollouts.abort("live")
    [run] = go_on(workbench)
    assert run.state == "succeeded"
    assert workbench.serving.rollouts.list()[0].ref == "m/2"


@pytest.mark.parametrize(("verb", "state"), [("refuse", "blocked"), ("withdraw", "cancelled")])
def test_a_no_ends_the_run(workbench, asked, monkeypatch, verb, state):
    monkeypatch.setattr(workbench.context, "actor", "ann" if verb == "refuse" else "daemon")
    getattr(workbench.registry.approvals, verb)(workbench.registry.version("m/2"), "worse at night")
    assert workbench.pipelines.follow() == []
    run = workbench.pipelines.get_run(asked)
    assert (run.state, workbench.serving.rollouts.list()) == (state, [])
    assert run.error.endswith("worse at night")


def test_what_shows_other_scores_than_recorded_is_not_served_even_when_people_agreed(workbench, asked, shown):
    shown[:] = [Health("metrics", False, "rmse 10 recorded, 30 served")]
    questions.approve(workbench, "m/2")
    [run] = go_on(workbench)
    assert run.state == "blocked"
    assert "30 served" in run.error
    assert workbench.serving.rollouts.list() == []


def test_the_incident_tells_of_question_answer_and_rollout_in_order(workbench, asked, clock, monkeypatch):
    clock.advance(1000)
    questions.ask(workbench)
    clock.advance(1000)
    questions.approve(workbench, "m/2", "fine")
    clock.advance(1000)
    go_on(workbench)
    clock.advance(1000)
    workbench.serving.rollouts.abort("live", "worse")
    [alert] = workbench.alerts.list(rule="performance")
    told = [(one.kind, one.words) for one in incident.tell(workbench, alert.id)]
    kinds = [kind for kind, _ in told]
    assert kinds == ["alert", "job", "gate", "approval", "pipeline run", "alert", "approval", "job", "pipeline run",
                     "rollout", "rollout"]  # fmt: skip
    assert [told[at][1] for at in (4, 6)] == ["waiting with m/2", "approved by ann: fine"]
    assert "m/2 has 10 % of live" in told[8][1]
    assert told[10][1].endswith(": worse")
    [question] = workbench.alerts.list(rule="approval")
    assert "rollout" in [one.kind for one in incident.tell(workbench, question.id)]
    monkeypatch.setenv("MLOPS_WORKSPACE", str(workbench.workspace.root))
    for line in {one.command for one in incident.tell(workbench, alert.id)}:
        with pytest.raises(SystemExit) as ended:
            main(shlex.split(line)[1:])
        assert ended.value.code == 0, line


def test_the_question_is_the_same_while_the_run_that_asks_has_not_ended(workbench, asked):
    with workbench.context.catalog.write() as tx:
        workbench.pipelines._store.update(tx, asked, state="running")
    questions.ask(workbench)
    [question] = workbench.alerts.list(rule="approval")
    assert "--promote" not in question.detail


def test_once_it_serves_alone_nothing_is_said_of_the_version_before(workbench, asked):
    workbench.alerts.raise_alert("drift", "live", title="Moved", facts={"version": 1})
    questions.approve(workbench, "m/2")
    go_on(workbench)
    workbench.monitoring.catch_up("live")
    assert workbench.alerts.list(rule="drift")[0].active  # the version before still answers
    workbench.serving.rollouts.promote("live")
    workbench.monitoring.catch_up("live")
    [alert] = workbench.alerts.list(rule="drift")
    assert (alert.state, alert.why) == ("resolved", "version 2 took over from 1")


def test_nothing_is_said_of_a_deployment_that_is_gone(workbench, asked):
    for rule in ("monitor", "drift", "rollout"):
        workbench.alerts.raise_alert(rule, "live", title="x")
    workbench.monitoring.sweep()
    assert all(one.active for one in workbench.alerts.list(subject="live"))
    workbench.serving.remove("live")
    workbench.monitoring.sweep()
    assert not any(one.active for one in workbench.alerts.list(subject="live"))
