"""`mlops pipelines`, as typed; the training itself is in tests/e2e."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from mlops_tui.core import processes
from mlops_tui.domains.jobs.records import JobState
from mlops_tui.domains.pipelines.records import GateCheck, GateVerdict, Outcome, RunState, Trial
from mlops_tui.domains.pipelines.store import PipelinesStore


@pytest.fixture
def bikes(mlops, workbench):
    workbench.features.create("labels", ["id"])
    workbench.features.ingest("labels", [{"id": number, "x": number / 2, "count": number} for number in range(5)])
    assert mlops("pipelines", "new", "bikes", "--target", "count")[0] == 0
    return mlops


@pytest.fixture
def ends(workbench, monkeypatch):
    """Let the job end at once, the run in a given state."""

    def choose(state, outcome):
        store = PipelinesStore(workbench.context)
        check = GateCheck("rmse", outcome is Outcome.BLESSED, 3.0, "<= 2", detail="rmse is 3, wanted <= 2")

        def run_here(jobs, job, at_once=False, fork=None):
            with workbench.context.catalog.write() as tx:
                verdict = GateVerdict(outcome, [check], "", "rmse is 3, wanted <= 2")
                store.update(tx, job.spec["run_id"], state=state, verdict=verdict)
            assert [claimed.id for claimed in jobs.claim(1)] == [job.id]
            assert jobs.finish(job.id, 1, JobState.SUCCEEDED)
            return jobs.get(job.id)

        monkeypatch.setattr("mlops_tui.domains.jobs.service.Jobs.run_here", run_here)
        monkeypatch.setattr("mlops_tui.cli.attending.ForkServer.open", lambda server: None)

    return choose


def test_a_new_pipeline_is_listed_and_shown(bikes):
    found = json.loads(bikes("pipelines", "list", "--json")[1])
    assert [(item["name"], item["task"], item["last_run"], item["problems"]) for item in found] == [
        ("bikes", "regression", None, [])
    ]
    code, out, err = bikes("pipelines", "show", "bikes")
    assert code == 0
    assert "HistGradientBoostingRegressor" in out
    assert "mlops pipelines run bikes" in err


def test_triggers_are_shown_one_by_one_with_what_was_given(bikes, workspace):
    with (workspace.pipelines / "bikes.toml").open("a") as file:
        file.write(
            '\n[[triggers]]\nkind = "performance"\ncooldown = "1h"\n\n[[triggers]]\nkind = "new_data"\nrows = 500\n'
        )
    (line,) = [line for line in bikes("pipelines", "show", "bikes")[1].splitlines() if line.startswith("triggers")]
    first, second = line.split("; ")
    assert "kind=performance" in first
    assert "cooldown=1h" in first
    assert "rows" not in first
    assert "rows=500" in second


def test_an_empty_list_says_what_comes_next(mlops):
    assert "mlops pipelines new NAME" in mlops("pipelines", "list")[2]


def test_new_does_not_write_over_a_file(bikes):
    assert bikes("pipelines", "new", "bikes")[0] == 4
    assert bikes("pipelines", "new", "other", "--template", "clasification")[0] == 3


def test_a_file_with_mistakes_is_tested_with_all_of_them(bikes, workspace):
    path = workspace.pipelines / "bikes.toml"
    assert bikes("pipelines", "test", str(path))[0] == 0
    path.write_text(path.read_text().replace("margin", "margn").replace('"time"', '"tim"'))
    code, out, _ = bikes("pipelines", "test", str(path))
    assert code == 1
    assert len(out.splitlines()) == 2
    assert bikes("pipelines", "run", "bikes")[0] == 5


@pytest.mark.parametrize(
    ("state", "outcome", "code"),
    [
        (RunState.SUCCEEDED, Outcome.BLESSED, 0),
        (RunState.BLOCKED, Outcome.BLOCKED, 1),
        (RunState.WAITING, Outcome.NEEDS_PERSON, 1),
    ],
)
def test_waiting_for_a_run_ends_with_the_gates_word_as_exit_code(bikes, ends, state, outcome, code):
    ends(state, outcome)
    ended, out, _ = bikes("pipelines", "run", "bikes", "--wait")
    assert ended == code
    assert f"gate: {outcome} - rmse is 3, wanted <= 2" in out


def test_without_waiting_the_run_is_started_and_can_be_shown_by_its_id(bikes, ends):
    ends(RunState.BLOCKED, Outcome.BLOCKED)
    code, out, _ = bikes("pipelines", "run", "bikes", "--json")
    assert code == 0
    run = json.loads(out)
    shown = json.loads(bikes("pipelines", "show", run["id"][:8], "--json")[1])
    assert shown["verdict"]["checks"][0]["value"] == 3.0
    assert [step["name"] for step in shown["steps"]][-3:] == ["gate", "register", "deploy"]
    assert shown["created_at"].endswith("Z")


def test_following_prints_the_verdict_too(bikes, ends):
    ends(RunState.BLOCKED, Outcome.BLOCKED)
    code, out, _ = bikes("pipelines", "run", "bikes", "--follow")
    assert code == 1
    assert "state           blocked" in out


def test_the_gate_of_a_run_is_shown_with_its_word_as_exit_code(bikes, ends):
    ends(RunState.BLOCKED, Outcome.BLOCKED)
    bikes("pipelines", "run", "bikes", "--wait")
    code, out, _ = bikes("pipelines", "gate", "bikes")
    assert code == 1
    assert "gate: blocked - rmse is 3, wanted <= 2" in out
    assert json.loads(bikes("pipelines", "gate", "bikes", "--json")[1])["checks"][0]["value"] == 3.0
    assert bikes("pipelines", "gate", "bikes", "--override", " ")[0] == 5


def test_a_gate_that_was_never_asked_has_nothing_to_say(bikes):
    assert "has not run yet" in bikes("pipelines", "gate", "bikes")[2]
    assert bikes("pipelines", "gate", "beef")[0] == 3


def test_a_run_says_one_thing_to_run(bikes):
    assert bikes("pipelines", "run")[0] == 2
    assert bikes("pipelines", "run", "bikes", "--like", "abcd")[0] == 2
    assert bikes("pipelines", "run", "--like", "abcd")[0] == 3
    assert bikes("pipelines", "run", "--resume", "abcd")[0] == 3


def test_the_settings_a_search_tried_are_listed(bikes, ends, workbench):
    ends(RunState.SUCCEEDED, Outcome.BLESSED)
    bikes("pipelines", "run", "bikes", "--wait")
    assert "No settings were searched" in bikes("pipelines", "trials", "bikes")[2]
    store, run = PipelinesStore(workbench.context), workbench.pipelines.runs("bikes")[0]
    with workbench.context.catalog.write() as tx:
        store.begin_study(tx, run.id, "study")
        store.put_trial(tx, "study", Trial(0, "done", {"depth": 3, "rate": 0.125}, 1.5, [1.0, 2.0], run=run.id))
        store.put_trial(tx, "study", Trial(1, "pruned", {"depth": 9, "rate": 0.5}, None, [4.0], run=run.id))
    code, out, _ = bikes("pipelines", "trials", run.id[:8])
    assert code == 0
    assert "depth 3, rate 0.125" in out
    assert [item["state"] for item in json.loads(bikes("pipelines", "trials", "bikes", "--json")[1])] == [
        "done",
        "pruned",
    ]


def test_an_unknown_pipeline_is_not_found_with_the_nearest_name(bikes):
    for command in ("show", "run"):
        code, _, err = bikes("pipelines", command, "bkes")
        assert code == 3
        assert "Did you mean 'bikes'?" in err


def test_starting_a_run_loads_none_of_the_heavy_libraries(bikes, workspace):
    script = f"""
import sys
from mlops_tui.workbench import open_workbench
with open_workbench({str(workspace.root)!r}) as bench:
    bench.pipelines.run("bikes")
    bench.pipelines.runs()
    bench.registry.models()
found = {{"pandas", "numpy", "sklearn", "duckdb", "pyarrow", "textual", "joblib"}} & set(sys.modules)
sys.exit(", ".join(found) or 0)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_run_that_must_wait_says_for_what_and_how_it_starts_all_the_same(bikes, workspace, workbench, monkeypatch):
    launched = []
    monkeypatch.setattr("mlops_tui.domains.jobs.service.Jobs.launch", lambda jobs, job, fork: launched.append(job.id))
    path = workspace.pipelines / "bikes.toml"
    path.write_text(path.read_text() + "\n[resources]\ngpu = 1\n")
    holder = workbench.jobs.submit("command", "A long one", {"command": ["true"]}, needs={"gpu": 1})
    workbench.jobs.claim(1)
    workbench.jobs.begin(holder.id, 1, processes.identity())
    err = bikes("pipelines", "run", "bikes")[2]
    assert f"Waits for 1 gpu of 1, held by job {holder.id} (A long one)." in err
    assert f"mlops jobs start {holder.id + 1}" in err
    assert "No daemon runs that would start it then." in err
    assert "Waits for 1 gpu of 1" in bikes("jobs", "list")[1]
    assert launched == []
    assert bikes("pipelines", "run", "bikes", "--now")[0] == 0
    assert bikes("jobs", "start", str(holder.id + 1))[0] == 0
    assert launched == [holder.id + 2, holder.id + 1]
    assert bikes("jobs", "start", str(holder.id + 1))[0] == 6


def test_a_dry_run_says_every_step_and_starts_nothing(bikes, workbench):
    code, out, _ = bikes("pipelines", "run", "bikes", "--dry-run", "--json")
    said = " ".join(one["would"] for one in json.loads(out))
    assert code == 0
    for part in (
        "Reads labels@1 (5 rows",
        "Trains sklearn",
        "The gate wants",
        "no champion",
        "Registers the version as bikes/1",
    ):
        assert part in said, said
    assert workbench.jobs.list() == []
    assert workbench.pipelines.runs() == []
