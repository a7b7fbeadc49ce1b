"""`mlops studies`: searches for the best parameters."""

from __future__ import annotations

import dataclasses
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mlops_tui.cli import plotting
from mlops_tui.cli.output import confirm, emit, emit_one, json_option, pass_workbench, progress_bar, say, yes_option
from mlops_tui.core.errors import Unavailable
from mlops_tui.workbench import Workbench

if TYPE_CHECKING:
    from mlops_tui.cli.paper import Paper
    from mlops_tui.studies.book import Book
    from mlops_tui.studies.records import Standing, Trial
    from mlops_tui.tui.lines import Line

_COLUMNS = [
    ("number", "Trial"),
    ("state", "State"),
    ("value", "Objective"),
    ("best", "Best so far"),
    ("params", "Parameters"),
    ("run_id", "Run"),
    ("why", "Why"),
]


@click.group()
def studies() -> None:
    """Searches for the best parameters: a study is a run, each trial a run below it. Needs: pip install 'mlops-tui[optuna]'.

    \b
    Example: mlops studies create depth --objective train:objective --direction maximize
    """


@studies.command()
@click.argument("name")
@click.option(
    "--objective", default="", metavar="MODULE:FUNCTION", help="A function of an Optuna trial that returns a number."
)
@click.option("--command", "command", default="", help="A command with {holes}; the last line it writes is the number.")
@click.option(
    "--param", "params", multiple=True, metavar="NAME=...", help="A parameter of the command; may be given again."
)
@click.option("--direction", default="minimize", show_default=True, help="minimize or maximize.")
@click.option("--sampler", default="tpe", show_default=True, help="tpe, random or grid.")
@click.option("--pruner", default="none", show_default=True, help="none, median or hyperband.")
@click.option("--seed", type=int, help="Makes what is tried repeatable with one job.")
@click.option("--experiment", default="", help="The experiment of its runs; else the study's name.")
@json_option
@pass_workbench
def create(
    workbench: Workbench,
    name: str,
    objective: str,
    command: str,
    params: tuple[str, ...],
    direction: str,
    sampler: str,
    pruner: str,
    seed: int | None,
    experiment: str,
    as_json: bool,
) -> None:
    """Make a study of a Python function or of a command; nothing is tried yet.

    The function is called with an Optuna trial: trial.suggest_float("lr", 1e-5, 0.1, log=True) and so on give the parameters;
    trial.report(value, step) and trial.should_prune() end what does not promise much; trial.run is the trial's run.

    \b
    Example: mlops studies create lr --objective train:objective
    Example: mlops studies create net --command 'python train.py --lr {lr}' --param lr=float:1e-5:0.1:log
    """
    from mlops_tui.studies.records import read_param

    if not objective and not command:
        raise click.UsageError(
            "Say what to try: --objective MODULE:FUNCTION or --command '...' (a script uses mlops.optimize)."
        )
    try:
        words = tuple(shlex.split(command))
    except ValueError as error:
        raise click.BadParameter(f"{error}", param_hint="--command") from None
    study = _book(workbench).create(
        name,
        experiment=experiment,
        direction=direction,
        sampler=sampler,
        pruner=pruner,
        seed=seed,
        objective=objective,
        command=words,
        params=tuple(map(read_param, params)),
    )
    if as_json:
        emit_one(study, as_json)
    else:
        say(f"Made the study {name}. Run it: mlops studies run {name} --trials 50")


@studies.command("list")
@json_option
@pass_workbench
def list_studies(workbench: Workbench, as_json: bool) -> None:
    """List studies with their best value, the newest first.

    \b
    Example: mlops studies list
    """
    book = _book(workbench)
    rows = [_summary(book.standing(study)) for study in book.all()]
    columns = [
        ("name", "Name"),
        ("direction", "Direction"),
        ("running", "Running"),
        ("trials", "Trials"),
        ("failed", "Failed"),
    ]
    columns += [("best", "Best"), ("best_trial", "Of trial"), ("created_at", "Made")]
    emit(
        rows,
        columns,
        as_json=as_json,
        empty="No studies yet. Make one: mlops studies create NAME --objective MODULE:FUNCTION",
    )


@studies.command()
@click.argument("name")
@click.option(
    "--limit", type=click.IntRange(0), default=20, show_default=True, help="How many trials to list, the best first."
)
@plotting.plot_options
@json_option
@pass_workbench
def show(workbench: Workbench, name: str, limit: int, as_plot: bool, as_ascii: bool, as_json: bool) -> None:
    """Show a study: how far it is, the best trials, and which parameters matter.

    With --plot: every trial with the best so far, and the importance of the parameters.

    \b
    Example: mlops studies show depth --plot
    """
    plotting.alone(as_plot, as_json)
    book = _book(workbench)
    standing = book.standing(book.get(name))
    shares = _importance(book, standing)
    if as_json:
        study = dataclasses.asdict(standing.study)
        emit_one({**study, **_summary(standing), "importance": shares, "all_trials": standing.trials}, as_json)
        return
    if as_plot:
        plotting.show(lambda paper: _picture(standing, shares, paper), ascii_only=as_ascii)
        return
    emit_one(_summary(standing), title=name)
    if standing.best is not None:
        click.echo("\n" + "\n".join(f"  {key} = {value}" for key, value in standing.best.params.items()))
    if shares:
        click.echo()
        rows = [{"parameter": key, "importance": share} for key, share in shares.items()]
        emit(rows, [("parameter", "Parameter"), ("importance", "Importance")])
    click.echo()
    emit(
        [_row(one) for one in _ranked(standing)[:limit]],
        _COLUMNS,
        empty=f"No trials yet. Run it: mlops studies run {name}",
    )


@studies.command()
@click.argument("name")
@click.option("--trials", type=click.IntRange(1), help="End when it has so many complete and pruned trials in all.")
@click.option(
    "--jobs",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="Trials at the same time, each in a process.",
)
@click.option(
    "--timeout", type=click.FloatRange(0, min_open=True), metavar="SECONDS", help="Begin no trial after so long."
)
@json_option
@pass_workbench
def run(workbench: Workbench, name: str, trials: int | None, jobs: int, timeout: float | None, as_json: bool) -> None:
    """Run a study, or go on with it: a trial that was lost with its process is tried again.

    Modules and commands are looked for in the current folder. Ctrl-C ends it at once, mlops studies stop after the trials that run.

    \b
    Example: mlops studies run depth --trials 100 --jobs 2
    """
    from mlops_tui.studies.running import run as run_study

    book = _book(workbench)
    study = book.get(name)
    if trials is None and timeout is None and study.sampler != "grid":
        raise click.UsageError("Say when it ends: --trials N or --timeout SECONDS.")
    with progress_bar(name) as progress:
        run_study(
            workbench,
            study,
            trials=trials,
            jobs=jobs,
            timeout_s=timeout,
            folder=Path.cwd(),
            watched=lambda done, wanted: progress(done, wanted, ""),
        )
    emit_one(_summary(book.standing(study)), as_json, title=name)


@studies.command()
@click.argument("name")
@pass_workbench
def stop(workbench: Workbench, name: str) -> None:
    """End a study when the trials that run now are done; it can be run on later.

    \b
    Example: mlops studies stop depth
    """
    running = _book(workbench).stop(name)
    say(f"{name} ends after the trials that run now." if running else f"{name} does not run.")


@studies.command()
@click.argument("name")
@yes_option
@pass_workbench
def remove(workbench: Workbench, name: str, yes: bool) -> None:
    """Forget a study; its runs stay, and go with mlops runs remove or mlops experiments remove.

    \b
    Example: mlops studies remove depth --yes
    """
    book = _book(workbench)
    book.get(name)
    confirm(f"Forget the study {name}? It cannot be run on then.", yes=yes)
    book.remove(name)
    say(f"Forgot the study {name}; its runs are still there.")


def _book(workbench: Workbench) -> Book:
    from mlops_tui.studies.book import Book

    return Book(workbench)


def _summary(standing: Standing) -> dict[str, Any]:
    study, best, counts = standing.study, standing.best, standing.counts
    return {
        "name": study.name,
        "experiment": study.experiment,
        "run_id": study.run_id,
        "direction": study.direction,
        "sampler": study.sampler,
        "running": standing.running,
        "trials": len(standing.trials),
        "complete": counts.get("complete", 0),
        "pruned": counts.get("pruned", 0),
        "failed": counts.get("failed", 0) + counts.get("lost", 0),
        "best": None if best is None else best.value,
        "best_trial": None if best is None else best.number,
        "best_run": None if best is None else best.run_id,
        "created_at": study.created_at,
    }


def _ranked(standing: Standing) -> list[Trial]:
    """Trials with a value, the best first, then the others, the newest first."""
    sign = -1 if standing.study.maximizes else 1
    return sorted(
        standing.trials, key=lambda one: (one.value is None, -one.number if one.value is None else sign * one.value)
    )


def _row(trial: Trial) -> dict[str, Any]:
    last = (trial.error.strip().splitlines() or [""])[-1]
    return {**dataclasses.asdict(trial), "why": last.rpartition("Error: ")[2] or None}


def _importance(book: Book, standing: Standing) -> dict[str, float]:
    from mlops_tui.studies.optuna_study import importance

    try:
        return importance(standing.study, book.journal(standing.study.name))
    except Unavailable as error:
        say(f"Importance is left out: {error.message} {error.hint}")
        return {}


def _picture(standing: Standing, shares: dict[str, float], paper: Paper) -> list[Line]:
    return plotting.pictures().study(standing.study.direction, standing.trials, shares, paper)  # type: ignore[no-any-return]
