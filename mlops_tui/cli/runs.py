"""`mlops runs`: what was tried and what came of it."""

from __future__ import annotations

from typing import Any

import click

from mlops_tui.cli import runs_compare, runs_files, runs_keep, runs_start, runs_stopping
from mlops_tui.cli.output import emit, emit_one, json_option, pass_workbench
from mlops_tui.cli.querying import NO_MATCH, query_options
from mlops_tui.cli.runs_compare import MARK_COLUMNS
from mlops_tui.cli.runs_rows import COLUMNS, METRIC_COLUMNS, NO_RUNS, as_row, fields, refresh
from mlops_tui.domains.experiments.records import NOTE_TAG, RunState
from mlops_tui.workbench import Workbench

MACHINE = "system/"
INPUT_COLUMNS = [("name", "Name"), ("source_type", "Kind"), ("source", "Source"), ("digest", "Hash")]


@click.group()
def runs() -> None:
    """Runs: parameters, metrics, artifacts.

    \b
    Example: mlops runs list --experiment churn --sort -auc
    """


@runs.command("list")
@click.option("--experiment", "-e", metavar="NAME", help="Only runs of this experiment.")
@click.option("--state", type=click.Choice([state.value for state in RunState]), help="Only runs in this state.")
@click.option("--parent", metavar="RUN", help="Only children of this run.")
@click.option("--deleted", is_flag=True, help="Those that can be restored, instead of the others.")
@click.option(
    "--sort",
    default="-started_at",
    metavar="[-]KEY",
    help="A field, a metric or param:NAME; a leading - is descending.",
)
@click.option("--limit", "-n", default=50, type=click.IntRange(1), help="At most so many (50).")
@json_option
@pass_workbench
@query_options("runs")
def list_runs(
    workbench: Workbench,
    experiment: str | None,
    state: str | None,
    parent: str | None,
    deleted: bool,
    sort: str,
    limit: int,
    as_json: bool,
    query: str,
) -> None:
    """List runs, newest first or ranked by a metric, all or those that meet a query.

    \b
    Example: mlops runs list 'metrics.auc>=0.9 params.lr<1e-2' --sort -auc --limit 10
    """
    refresh(workbench)
    rooms = workbench.experiments
    above = rooms.run(parent).id if parent else None
    found = rooms.runs(experiment, state=state, parent=above, deleted=deleted, order=sort, limit=limit, query=query)
    rows = [as_row(run) for run in found]
    columns = list(COLUMNS)
    if any(run.marks for run in found):
        columns.append(("marks", "Health"))
    metric = rooms.metric_of(sort)
    if metric is not None and metric.startswith("param:"):
        columns.append(("metric", metric.removeprefix("param:")))
        for row in rows:
            row["metric"] = rooms.params(row["id"]).get(metric.removeprefix("param:"))
    elif metric is not None:
        values = rooms.latest(metric, [row["id"] for row in rows])
        for row in rows:
            row["metric"] = values.get(row["id"])
        columns.append(("metric", metric))
    empty = "No deleted runs." if deleted else NO_MATCH if query else NO_RUNS
    emit(rows, columns, as_json=as_json, empty=empty)


@runs.command("show")
@click.argument("run")
@json_option
@pass_workbench
def show_run(workbench: Workbench, run: str, as_json: bool) -> None:
    """Show one run: where it came from, its parameters, metrics and artifacts.

    \b
    Example: mlops runs show 3f2a
    """
    refresh(workbench)
    rooms = workbench.experiments
    found = rooms.run(run)
    params, metrics, artifacts = rooms.params(found.id), rooms.metrics(found.id), rooms.artifacts(found.id)
    if as_json:
        record = {**as_row(found), "params": params, "metrics": metrics, "artifacts": artifacts}
        emit_one({**record, "inputs": rooms.inputs(found.id), "health": rooms.health(found.id)}, as_json)
        return
    facts = {name: value for name, value in as_row(found).items() if value not in ("", None, {}, False)}
    for name in ("id", "error", "duration_ms", "marks"):
        facts.pop(name, None)
    note = found.tags.get(NOTE_TAG, "")
    facts["tags"] = {key: value for key, value in found.tags.items() if key != NOTE_TAG} or None
    facts = {name: value for name, value in facts.items() if value is not None}
    emit_one(facts, title=f"Run {found.id}")
    _section(
        "Parameters",
        [{"key": key, "value": value} for key, value in params.items()],
        [("key", "Name"), ("value", "Value")],
    )
    rows = [{"key": key, **fields(metric)} for key, metric in metrics.items()]
    _section("Metrics", [row for row in rows if not row["key"].startswith(MACHINE)], METRIC_COLUMNS)
    _section("Health", [fields(mark) for mark in rooms.health(found.id).marks], MARK_COLUMNS)
    _section("Machine", [row for row in rows if row["key"].startswith(MACHINE)], METRIC_COLUMNS)
    _section("Data", [fields(one) for one in rooms.inputs(found.id)], INPUT_COLUMNS)
    _section("Artifacts", [fields(item) for item in artifacts], [("path", "Path"), ("size", "Size")])
    if note:
        click.echo("\n" + click.style("Note", bold=True) + f"\n{note}")
    if found.error:
        click.echo(f"\n{found.error.rstrip()}")


for command in (
    *(runs_compare.compare, runs_compare.metrics, runs_compare.health, runs_compare.watch),
    *(runs_files.artifacts, runs_files.logs),
    *(runs_keep.note, runs_keep.tag, runs_keep.rename),
    *(runs_keep.delete, runs_keep.restore, runs_keep.remove, runs_keep.gc, runs_stopping.stop, runs_start.start),
):
    runs.add_command(command)


def _section(title: str, rows: list[dict[str, Any]], columns: list[tuple[str, str]]) -> None:
    if rows:
        click.echo("\n" + click.style(title, bold=True))
        emit(rows, columns)
