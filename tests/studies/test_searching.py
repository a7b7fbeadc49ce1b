"""Trials as runs, in this process."""

from __future__ import annotations

import sys

import pytest

pytest.importorskip("optuna")

from mlops_tui.archive import restore
from mlops_tui.core.errors import AlreadyExists, InvalidInput, NotAllowed, NotFound
from mlops_tui.studies import optuna_study
from mlops_tui.studies.book import Book
from mlops_tui.studies.records import read_param
from mlops_tui.studies.running import optimize
from mlops_tui.studies.searching import Limits, Search, objective_of
from mlops_tui.workbench import Workbench


@pytest.fixture
def bench(workspace):
    with Workbench(workspace, actor="tester") as bench:  # trials are timed by the real clock
        yield bench


@pytest.fixture
def search(workspace):
    def call(objective, study="s", trials=4, **options):
        return optimize(
            objective, study=study, trials=trials, workspace=workspace.root, sampler="random", seed=1, **options
        )

    return call


def square(trial):
    return (trial.suggest_float("x", -1, 1) - 0.5) ** 2


def test_each_trial_is_a_run_below_the_study_s_run(search, bench):
    standing = search(square)
    study = standing.study
    assert [(trial.number, trial.state) for trial in standing.trials] == [(number, "complete") for number in range(4)]
    run = bench.experiments.run(standing.trials[2].run_id)
    assert (run.parent, run.experiment, run.state) == (study.run_id, "s", "finished")
    x = float(bench.experiments.params(run.id)["x"])
    assert standing.trials[2].value == pytest.approx((x - 0.5) ** 2)
    assert standing.best.value == min(trial.value for trial in standing.trials)


def test_the_study_s_run_has_the_history_and_the_best_so_far(search, bench):
    standing = search(square)
    values = [point.value for point in bench.experiments.history(standing.study.run_id, "objective")]
    best = [point.value for point in bench.experiments.history(standing.study.run_id, "best")]
    assert best == [min(values[: place + 1]) for place in range(4)] == [trial.best for trial in standing.trials]
    assert bench.experiments.run(standing.study.run_id).state == "finished"


def test_it_goes_on_where_it_was_and_maximizes_when_told(search):
    search(square, trials=2, direction="maximize")
    standing = search(square, trials=3, direction="maximize")
    assert len(standing.trials) == 3
    assert standing.best.value == max(trial.value for trial in standing.trials)
    with pytest.raises(InvalidInput, match="cannot minimize"):
        search(square)


def test_a_failed_trial_keeps_its_words_and_the_study_goes_on(search, bench):
    def sometimes(trial):
        if trial.number == 1:
            raise ValueError("no good")
        return square(trial)

    standing = search(sometimes, trials=3)
    assert [trial.state for trial in standing.trials] == ["complete", "failed", "complete", "complete"]
    assert "no good" in bench.experiments.run(standing.trials[1].run_id).error


@pytest.mark.parametrize(("value", "said"), [(None, "no number"), ("1", "no number"), (float("nan"), "NaN")])
def test_five_failures_in_a_row_end_it(search, value, said):
    with pytest.raises(InvalidInput, match=f"5 trials in a row.*{said}"):
        search(lambda trial: value)


def test_pruned_trials_count_and_have_no_value(search, bench):
    import optuna

    def prune(trial):
        trial.report(1.0, 0)
        trial.report(2.0, 1)
        if trial.number % 2:
            raise optuna.TrialPruned
        return square(trial)

    standing = search(prune)
    assert [(trial.state, trial.value is None) for trial in standing.trials] == [
        ("complete", False),
        ("pruned", True),
    ] * 2
    assert [point.value for point in bench.experiments.history(standing.trials[1].run_id, "reported")] == [1.0, 2.0]


def test_a_trial_that_was_lost_is_tried_again_with_its_parameters(search, bench, workspace):
    search(square, trials=1)
    book = Book(bench)
    study = book.get("s")
    found = optuna_study.opened(study, book.journal("s"))
    found.enqueue_trial({"x": 0.125})
    lost = found.ask()
    x = lost.suggest_float("x", -1, 1)
    with book.journal("s").open("a") as file:
        file.write('{"op_code":5,"half a li')  # and the kill came in the middle of a line
    standing = search(square, trials=2)
    assert [trial.number for trial in standing.trials] == [0, 2]
    assert float(standing.trials[1].params["x"]) == x


def test_a_study_runs_once_at_a_time_and_stops_when_asked(search, bench):
    search(square, trials=1)
    book = Book(bench)
    assert book.stop("s") is False

    def stopping(trial):
        assert book.stop("s") is True
        with pytest.raises(NotAllowed, match="runs already"):
            book.hold("s")
        return square(trial)

    assert len(search(stopping, trials=9).trials) == 2
    assert len(search(square, trials=3).trials) == 3


def test_a_backup_holds_the_study(search, bench, tmp_path):
    search(square, trials=2)
    bench.backup(tmp_path / "copy.tar")
    restored = restore(tmp_path / "copy.tar", tmp_path / "elsewhere")
    standing = optimize(square, study="s", trials=3, workspace=restored.root)
    assert [trial.number for trial in standing.trials] == [0, 1, 2]


def test_a_removed_study_leaves_its_runs_and_its_name_free(search, bench):
    standing = search(square, study="s.1", trials=1)
    search(square, trials=1)
    book = Book(bench)
    book.remove("s.1")
    assert [study.name for study in book.all()] == ["s"]
    assert bench.experiments.run(standing.trials[0].run_id).state == "finished"
    assert len(search(square, study="s.1", trials=1).trials) == 1
    assert [entry.verb for entry in bench.audit.list(kind="study", name="s.1")] == ["create", "remove", "create"]
    book.remove("s")
    assert book.get("s.1").name == "s.1"


def test_importance_is_of_the_parameters_that_matter(search, bench):
    def two(trial):
        trial.suggest_float("idle", 0, 1)
        return square(trial)

    standing = search(two, trials=12)
    shares = optuna_study.importance(standing.study, Book(bench).journal("s"))
    assert sum(shares.values()) == pytest.approx(1)
    assert list(shares) == ["x", "idle"]


def test_there_is_no_importance_of_nothing(search, bench):
    standing = search(lambda trial: 1.0 + 0 * trial.suggest_float("x", 0, 1), trials=3)
    assert optuna_study.importance(standing.study, Book(bench).journal("s")) in ({}, {"x": 0.0})
    assert optuna_study.importance(Book(bench).create("empty"), Book(bench).journal("empty")) == {}


def test_a_command_s_last_line_is_its_value_and_a_grid_ends_by_itself(bench, tmp_path):
    (tmp_path / "t.py").write_text("import sys\nprint('working')\nprint('loss =', float(sys.argv[1]) ** 2)\n")
    params = (read_param("x=int:-1:1"),)
    study = Book(bench).create("g", sampler="grid", command=(sys.executable, "t.py", "{x}"), params=params)
    Search(bench, study, objective_of(study, tmp_path)).go(Limits())
    standing = Book(bench).standing(study)
    assert sorted(trial.value for trial in standing.trials) == [0.0, 1.0, 1.0]
    assert bench.experiments.artifact_file(standing.best.run_id, "output.txt").read_text() == "working\nloss = 0.0\n"


def test_a_command_that_fails_says_why(bench, tmp_path):
    study = Book(bench).create(
        "c", command=("sh", "-c", "echo broken {x} >&2; exit 3"), params=(read_param("x=int:1:2"),)
    )
    with pytest.raises(InvalidInput, match="ended with 3: broken"):
        Search(bench, study, objective_of(study, tmp_path)).go(Limits(1))


def test_objectives_that_are_not_there_are_said(bench, tmp_path):
    book = Book(bench)
    for name, objective in (("a", "no_such_module_x:f"), ("b", "json:no_such")):
        with pytest.raises(NotFound):
            objective_of(book.create(name, objective=objective), tmp_path)
    with pytest.raises(InvalidInput, match="made by a script"):
        objective_of(book.create("c"), tmp_path)


def test_settings_that_cannot_be_make_nothing(bench):
    book = Book(bench)
    for options in (
        {"direction": "up"},
        {"sampler": "magic"},
        {"pruner": "axe"},
        {"objective": "no colon"},
        {"objective": "a:b", "command": ("x",)},
        {"sampler": "grid"},
    ):
        with pytest.raises(InvalidInput):
            book.create("s", **options)
    with pytest.raises(InvalidInput):
        book.create("../x")
    assert bench.experiments.runs() == []
    book.create("s")
    with pytest.raises(AlreadyExists):
        book.create("s")
    with pytest.raises(NotFound, match="no study 'z'"):
        book.get("z")
    (book.folder / "s.json").write_text("{}")
    with pytest.raises(InvalidInput, match="does not describe"):
        book.get("s")
