"""`mlops pipelines`: write, check and run training pipelines, and see what the gate said."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import click

from mlops_tui.cli import packages
from mlops_tui.cli.attending import Attending, warming
from mlops_tui.cli.output import emit, emit_one, json_option, pass_workbench, say
from mlops_tui.core import clock
from mlops_tui.core.errors import NotFound
from mlops_tui.domains.pipelines.records import PipelineRun

if TYPE_CHECKING:
    from mlops_tui.workbench import Workbench


@click.group()
def pipelines() -> None:
    """Training pipelines: check, run, gate.

    \b
    Example: mlops pipelines run churn --follow
    """


@pipelines.command()
@click.argument("name")
@click.option(
    "--template",
    default="regression",
    show_default=True,
    help="regression, classification, semi-supervised, clustering or anomaly.",
)
@click.option("--spine", default="labels", show_default=True, metavar="TABLE", help="Feature table with the target.")
@click.option("--target", default="target", show_default=True, metavar="COLUMN", help="The column to predict.")
@pass_workbench
def new(workbench: Workbench, name: str, template: str, spine: str, target: str) -> None:
    """Write pipelines/NAME.toml from a template.

    \b
    Example: mlops pipelines new churn --template classification --spine labels --target left
    """
    path = workbench.pipelines.new(name, template, spine=spine, target=target)
    click.echo(str(path))
    say(f"Look through it, then: mlops pipelines run {name} --follow")


@pipelines.command("list")
@json_option
@pass_workbench
def list_(workbench: Workbench, as_json: bool) -> None:
    """List pipelines with their last run.

    \b
    Example: mlops pipelines list
    """
    rows = []
    for definition in workbench.pipelines.list():
        last = next(iter(workbench.pipelines.runs(definition.name, 1)), None)
        rows.append({**_fields(definition), "last_run": last.state if last else None, "last_at": _at(last)})
    shown = rows if as_json else [{**row, "problems": len(row["problems"]) or None} for row in rows]
    columns = [("name", "Name"), ("task", "Task"), ("spine", "Spine"), ("model", "Model"), ("last_run", "Last run")]
    columns += [("last_at", "At"), ("problems", "Mistakes")]
    emit(shown, columns, as_json=as_json, empty="No pipelines yet. Make one: mlops pipelines new NAME")


@pipelines.command()
@click.argument("name")
@json_option
@pass_workbench
def show(workbench: Workbench, name: str, as_json: bool) -> None:
    """Show a pipeline and its runs, or one run (by its id) with its steps and the gate's verdict.

    \b
    Example: mlops pipelines show churn
    """
    known = {definition.name for definition in workbench.pipelines.list()}
    if name not in known and set(name) <= set("0123456789abcdef"):
        try:
            run = workbench.pipelines.get_run(name)
        except NotFound:
            run = None
        if run is not None:
            _show_run(run, as_json)
            return
    definition = workbench.pipelines.get(name)
    runs = workbench.pipelines.runs(name, 10)
    if as_json:
        emit_one({**_fields(definition), "runs": runs}, as_json)
        return
    shown = {key: value for key, value in _fields(definition).items() if key != "problems"}
    # What is empty or nought was not given: a trigger says what it does, not what it could.
    shown["triggers"] = [{key: value for key, value in each.items() if value} for each in definition.triggers]
    emit_one(shown, title=name)
    for problem in definition.problems:
        say(problem)
    click.echo()
    columns = [("id", "Run"), ("state", "State"), ("version", "Version"), ("created_at", "Asked"), ("actor", "By")]
    emit(runs, columns, empty=f"No runs yet. Start one: mlops pipelines run {name} --follow")
    if runs:
        click.echo()
        _show_run(runs[0], as_json=False)


@pipelines.command()
@click.argument("name", required=False)
@click.option("--follow", "-f", "following", is_flag=True, help="Print the log until it has ended.")
@click.option("--wait", is_flag=True, help="Return when it has ended. Exit code 1 when the gate said no.")
@click.option("--key", default=None, metavar="TEXT", help="The same key starts it only once.")
@click.option("--now", "at_once", is_flag=True, help="At once, whatever it needs is held by others.")
@click.option("--no-cache", is_flag=True, help="Do every step anew, also those whose inputs were seen before.")
@click.option("--resume", default="", metavar="RUN", help="Go on with an ended run: steps that were done are kept.")
@click.option(
    "--like", default="", metavar="RUN", help="Make that run again and compare: equal to the last digit, or why not."
)
@click.option("--dry-run", is_flag=True, help="Say everything it would do and do nothing.")
@json_option
@pass_workbench
def run(
    workbench: Workbench,
    name: str | None,
    following: bool,
    wait: bool,
    key: str | None,
    at_once: bool,
    no_cache: bool,
    resume: str,
    like: str,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Run a pipeline now, in the daemon when it lives, else in a process of its own.

    It waits for what its [resources] name as long as other jobs hold it, and says so.

    \b
    Example: mlops pipelines run churn --follow
    """
    if sum(map(bool, (name, resume, like))) != 1:
        raise click.UsageError("Say which: a pipeline's NAME, --resume RUN or --like RUN.")
    if dry_run:
        if name is None:
            raise click.UsageError("--dry-run takes a pipeline's NAME.")
        lines = workbench.pipelines.plan(name)
        emit([{"would": line} for line in lines], [("would", "It would")], as_json=as_json)
        return
    with warming(workbench, wait or following) as server:
        if resume:
            job = workbench.pipelines.resume(resume)
        elif like:
            job = workbench.pipelines.run_like(like)
        else:
            cause = {"kind": "manual", "by": workbench.actor}
            job = workbench.pipelines.run(str(name), cause=cause, key=key, cache=not no_cache)
        attending = Attending(workbench, job, at_once=at_once, server=server)
    _watch(workbench, attending, following, wait, as_json)


@pipelines.command()
@click.argument("run")
@click.option("--override", default="", metavar="WHY", help="Have the last word over the gate; the reason is kept.")
@click.option("--follow", "-f", "following", is_flag=True, help="With --override: print the log until it has ended.")
@json_option
@pass_workbench
def gate(workbench: Workbench, run: str, override: str, following: bool, as_json: bool) -> None:
    """Say what the gate of a run decided and by which numbers; exit code 1 unless it said yes. RUN is a run or a pipeline.

    \b
    Example: mlops pipelines gate churn
    """
    found = _newest(workbench, run)
    if override:
        ended = workbench.pipelines.override(found.id, override)
        if not isinstance(ended, PipelineRun):
            _watch(workbench, Attending(workbench, ended), following, not following, as_json)
            return
        found = ended
    if found.verdict is None:
        raise NotFound(
            f"Run {found.id[:8]} has no verdict: it {found.state}.", hint=f"See: mlops pipelines show {found.id[:8]}"
        )
    if as_json:
        emit_one(found.verdict, as_json)
    else:
        _show_verdict(found)
    if found.verdict.outcome != "blessed":
        raise click.exceptions.Exit(1)


@pipelines.command()
@click.argument("run")
@json_option
@pass_workbench
def trials(workbench: Workbench, run: str, as_json: bool) -> None:
    """List the settings that the search of a run tried, so far. RUN is a run, or a pipeline for its newest.

    \b
    Example: mlops pipelines trials churn
    """
    found = workbench.pipelines.trials(_newest(workbench, run).id)
    shown = (
        found
        if as_json
        else [{**_fields(item), "params": _words(item.params), "folds": len(item.folds)} for item in found]
    )
    columns = [("number", "Trial"), ("state", "State"), ("value", "Value"), ("folds", "Folds"), ("params", "Settings")]
    emit(
        shown,
        [*columns, ("error", "Error")],
        as_json=as_json,
        empty="No settings were searched. See [tune] of the definition.",
    )


def _newest(workbench: Workbench, name: str) -> PipelineRun:
    """The newest run of a pipeline, or the run of that id."""
    if name in {definition.name for definition in workbench.pipelines.list()}:
        runs = workbench.pipelines.runs(name, 1)
        if not runs:
            raise NotFound(f"{name} has not run yet.", hint=f"mlops pipelines run {name} --follow")
        return runs[0]
    return workbench.pipelines.get_run(name)


def _words(params: dict[str, Any]) -> str:
    return ", ".join(
        f"{key} {value:.4g}" if isinstance(value, float) else f"{key} {value}" for key, value in params.items()
    )


def _watch(workbench: Workbench, attending: Attending, following: bool, wait: bool, as_json: bool) -> None:
    """Follow a job as asked, and end with the gate's word as exit code."""
    job = attending.job
    if following and not as_json:
        attending.follow()
    elif wait or following:
        attending.watch()
    result = workbench.pipelines.run_of_job(job)
    if not (wait or following):
        emit_one(result, as_json) if as_json else click.echo(f"{result.id}  job {job.id} {attending.job.state}")
        attending.leave()
        say(f"Follow it: mlops jobs logs {job.id}; the verdict: mlops pipelines show {result.id[:8]}")
        return
    _show_run(result, as_json)
    if result.state != "succeeded":
        raise click.exceptions.Exit(1)


def _show_run(run: PipelineRun, as_json: bool) -> None:
    if as_json:
        emit_one(run, as_json)
        return
    took = clock.duration(run.ended_at - run.started_at) if run.ended_at and run.started_at else None
    facts = {"state": run.state, "version": run.version, "experiment_run": run.run_id, "job": run.job_id, "took": took}
    emit_one({**facts, "cause": run.cause, "error": run.error}, title=f"run {run.id}")
    click.echo()
    rows = [{**_fields(step), "took": _took(step)} for step in run.steps]
    emit(rows, [("name", "Step"), ("state", "State"), ("took", "Took"), ("detail", "Detail")])
    like = run.facts.get("like")
    if like:
        click.echo()
        same = "equal to the last digit" if like["equal"] else "different: " + "; ".join(like["differences"])
        click.echo(f"like run {like['run']}: {same}")
    if run.verdict is not None:
        click.echo()
        _show_verdict(run)


def _show_verdict(run: PipelineRun) -> None:
    assert run.verdict is not None
    click.echo(click.style(f"gate: {run.verdict.outcome}", bold=True) + f" - {run.verdict.reason}")
    columns = [("name", "Check"), ("passed", "Passed"), ("value", "Value"), ("limit", "Limit"), ("detail", "Detail")]
    emit(run.verdict.checks, columns)


def _took(step: Any) -> str | None:
    return clock.duration(step.ended_at - step.started_at) if step.ended_at and step.started_at else None


def _at(run: PipelineRun | None) -> int | None:
    return run.ended_at or run.started_at or run.created_at if run else None


def _fields(record: Any) -> dict[str, Any]:
    return {field.name: getattr(record, field.name) for field in dataclasses.fields(record)}


for _command in packages.COMMANDS:
    pipelines.add_command(_command)
