"""`mlops runs`: what was tried and what came of it."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path, PurePosixPath
from typing import Any

import click

from mlops_tui.cli import plotting, runs_upkeep
from mlops_tui.cli.output import confirm, emit, emit_one, json_option, pass_workbench, say, why_option, yes_option
from mlops_tui.cli.querying import NO_MATCH, query_options
from mlops_tui.core import clock
from mlops_tui.core.errors import AlreadyExists, NotFound, Unavailable
from mlops_tui.domains.experiments.records import Run, RunState
from mlops_tui.workbench import Workbench

NO_RUNS = "No runs yet. Log one: with mlops_tui.start_run(experiment='first') as run: run.log_metric('loss', 0.3)"


COLUMNS = [
    ("id", "Run"),
    ("experiment", "Experiment"),
    ("name", "Name"),
    ("state", "State"),
    ("started_at", "Started"),
    ("duration", "Took"),
    ("user", "User"),
]
_METRIC_COLUMNS = [
    ("key", "Name"),
    ("value", "Latest"),
    ("step", "Step"),
    ("min", "Min"),
    ("max", "Max"),
    ("count", "Points"),
]


@click.group()
def runs() -> None:
    """Runs: parameters, metrics, artifacts.

    \b
    Example: mlops runs list --experiment churn --sort -auc
    """


for _command in runs_upkeep.COMMANDS:
    runs.add_command(_command)


@runs.command("list")
@click.option("--experiment", "-e", metavar="NAME", help="Only runs of this experiment.")
@click.option("--state", type=click.Choice([state.value for state in RunState]), help="Only runs in this state.")
@click.option("--parent", metavar="RUN", help="Only children of this run.")
@click.option("--sort", default="-started_at", metavar="[-]KEY", help="A field or a metric; a leading - is descending.")
@click.option("--limit", "-n", default=50, type=click.IntRange(1), help="At most so many (50).")
@json_option
@pass_workbench
@query_options("runs")
def list_runs(
    workbench: Workbench,
    experiment: str | None,
    state: str | None,
    parent: str | None,
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
    found = rooms.runs(experiment, state=state, parent=above, order=sort, limit=limit, query=query)
    rows = [as_row(run) for run in found]
    columns = list(COLUMNS)
    metric = rooms.metric_of(sort)
    if metric is not None:
        values = rooms.latest(metric, [row["id"] for row in rows])
        for row in rows:
            row["metric"] = values.get(row["id"])
        columns.append(("metric", metric))
    emit(rows, columns, as_json=as_json, empty=NO_MATCH if query else NO_RUNS)


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
        emit_one({**as_row(found), "params": params, "metrics": metrics, "artifacts": artifacts}, as_json)
        return
    facts = {name: value for name, value in as_row(found).items() if value not in ("", None, {}, False)}
    for name in ("id", "error", "duration_ms"):
        facts.pop(name, None)
    emit_one(facts, title=f"Run {found.id}")
    _section(
        "Parameters",
        [{"key": key, "value": value} for key, value in params.items()],
        [("key", "Name"), ("value", "Value")],
    )
    _section("Metrics", [{"key": key, **fields(metric)} for key, metric in metrics.items()], _METRIC_COLUMNS)
    _section("Artifacts", [fields(item) for item in artifacts], [("path", "Path"), ("size", "Size")])
    if found.error:
        click.echo(f"\n{found.error.rstrip()}")


@runs.command("compare")
@click.argument("run", nargs=-1, required=True)
@click.option("--differing", is_flag=True, help="Leave out parameters that are the same in all runs.")
@plotting.plot_options
@json_option
@pass_workbench
def compare_runs(
    workbench: Workbench, run: tuple[str, ...], differing: bool, as_plot: bool, as_ascii: bool, as_json: bool
) -> None:
    """Compare the parameters and metrics of runs side by side.

    \b
    Example: mlops runs compare 3f2a 91bc --differing
    """
    refresh(workbench)
    plotting.alone(as_plot, as_json)
    if as_plot:
        draw = plotting.pictures().compared
        plotting.show(lambda on: draw(workbench, run, on), ascii_only=as_ascii)
        return
    found = workbench.experiments.compare(run)
    shown = {key: values for key, values in found.params.items() if not differing or key in found.differing}
    if as_json:
        emit_one(
            {
                "runs": [as_row(each) for each in found.runs],
                "params": shown,
                "metrics": found.metrics,
                "differing": found.differing,
            },
            True,
        )
        return
    ids = [each.id[:8] for each in found.runs]
    lines: list[tuple[str, tuple[Any, ...]]] = [
        *_heads(found.runs),
        *((f"param {key}", values) for key, values in shown.items()),
        *((f"metric {key}", values) for key, values in found.metrics.items()),
    ]
    rows = [{"": name, **dict(zip(ids, values, strict=True))} for name, values in lines]
    emit(rows, [("", "Run"), *((each, each) for each in ids)])


@runs.command("metrics")
@click.argument("run")
@click.option("--key", "-k", metavar="NAME", help="All points of this metric instead of the latest of each.")
@click.option("--after", type=int, metavar="STEP", help="With --key: only points after this step.")
@click.option("--limit", "-n", type=click.IntRange(1), help="With --key: at most so many points.")
@plotting.plot_options
@json_option
@pass_workbench
def show_metrics(
    workbench: Workbench,
    run: str,
    key: str | None,
    after: int | None,
    limit: int | None,
    as_plot: bool,
    as_ascii: bool,
    as_json: bool,
) -> None:
    """Show the latest value and range of each metric, or all points of one.

    \b
    Example: mlops runs metrics 3f2a --key loss --plot
    """
    plotting.alone(as_plot, as_json)
    refresh(workbench)
    if as_plot:
        keys = [key] if key is not None else list(workbench.experiments.metrics(run))
        draw = plotting.pictures().metrics
        plotting.show(lambda on: draw(workbench, run, keys, on, after), ascii_only=as_ascii)
        return
    if key is not None:
        points = workbench.experiments.history(run, key, after=after, limit=limit)
        emit(
            points,
            [("step", "Step"), ("value", "Value"), ("ts", "Time")],
            as_json=as_json,
            empty=f"No points after step {after}.",
        )
        return
    rows = [{"key": name, **fields(metric)} for name, metric in workbench.experiments.metrics(run).items()]
    emit(rows, _METRIC_COLUMNS, as_json=as_json, empty="This run logged no metrics.")


@runs.command("watch")
@click.argument("run")
@click.option("--key", "-k", "keys", multiple=True, metavar="NAME", help="Only this metric; may be given again.")
@click.option("--every", "every_s", type=click.FloatRange(0.1), default=1.0, show_default=True, metavar="SECONDS",
              help="How often it looks.")  # fmt: skip
@click.option("--ascii", "as_ascii", is_flag=True, help="ASCII characters only.")
@pass_workbench
def watch_run(workbench: Workbench, run: str, keys: tuple[str, ...], every_s: float, as_ascii: bool) -> None:
    """Draw the curves of a run in place until it ends; exit code 1 when it failed. In a pipe: a line per change.

    \b
    Example: mlops runs watch 3f2a --key loss
    """
    from mlops_tui.cli.watching import watch

    found = watch(workbench, run, keys, every_s=every_s, ascii_only=as_ascii)
    if found.state != RunState.FINISHED:
        say(f"The run {found.state}. {found.error.strip().splitlines()[-1] if found.error.strip() else ''}".rstrip())
        raise click.exceptions.Exit(1)


@runs.command("artifacts")
@click.argument("run")
@click.option("--get", "path", metavar="PATH", help="Copy this file out of the store.")
@click.option("--to", type=click.Path(path_type=Path), help="Where to; the current folder by default.")
@json_option
@pass_workbench
def show_artifacts(workbench: Workbench, run: str, path: str | None, to: Path | None, as_json: bool) -> None:
    """List the files of a run, or copy one of them out.

    \b
    Example: mlops runs artifacts 3f2a --get plots/roc.png --to roc.png
    """
    refresh(workbench)
    if path is None:
        columns = [("path", "Path"), ("size", "Size"), ("logged_at", "Logged")]
        emit(workbench.experiments.artifacts(run), columns, as_json=as_json, empty="This run kept no files.")
        return
    source = workbench.experiments.artifact_file(run, path)
    target = to or Path(PurePosixPath(path).name)
    target = target / PurePosixPath(path).name if target.is_dir() else target
    _copy(source, target)
    emit_one({"path": path, "to": str(target), "size": target.stat().st_size}, as_json)


@runs.command("logs")
@click.argument("run")
@pass_workbench
def show_logs(workbench: Workbench, run: str) -> None:
    """Print the text logs kept with a run.

    \b
    Example: mlops runs logs 3f2a
    """
    found = workbench.experiments.run(run)
    folder = workbench.experiments.log_dir(found.id)
    logs = sorted(folder.glob("*.log")) if folder.is_dir() else []
    if not logs:
        raise NotFound(
            f"Run {found.id} kept no log.",
            hint="Pipelines keep one for each step; of a script's run see: mlops runs show RUN",
        )
    for log in logs:
        if len(logs) > 1:
            say(f"== {log.name}")
        click.echo(log.read_text(errors="replace"), nl=False)


@runs.command("note")
@click.argument("run")
@click.argument("text")
@pass_workbench
def note_run(workbench: Workbench, run: str, text: str) -> None:
    """Keep a note with a run; an empty one takes it away.

    \b
    Example: mlops runs note 3f2a "best so far, seed 7"
    """
    refresh(workbench)
    found = workbench.experiments.note(run, text)
    say(f"Noted with run {found.id}." if text.strip() else f"Run {found.id} has no note now.")


@runs.command("remove")
@click.argument("run", nargs=-1, required=True)
@why_option
@yes_option
@pass_workbench
def remove_runs(workbench: Workbench, run: tuple[str, ...], why: str, yes: bool) -> None:
    """Remove runs with everything they logged.

    \b
    Example: mlops runs remove 3f2a 91bc --why "wrong data"
    """
    refresh(workbench)
    found = [workbench.experiments.run(each) for each in dict.fromkeys(run)]
    names = ", ".join(each.id[:8] for each in found)
    confirm(f"Remove {len(found)} runs for good: {names}?", yes=yes)
    for each in found:
        workbench.experiments.remove_run(each.id, why=why)
    say(f"Removed {names}.")


def refresh(workbench: Workbench) -> None:
    """Take in what running or dead scripts left; a list is shown even where that cannot be done."""
    try:
        workbench.experiments.sweep()
    except Unavailable as error:
        say(f"What is new was not taken in: {error.message}")


def fields(record: Any) -> dict[str, Any]:
    return {field.name: getattr(record, field.name) for field in dataclasses.fields(record)}


def as_row(run: Run) -> dict[str, Any]:
    row = fields(run)
    row["duration_ms"] = run.duration
    row["duration"] = clock.duration(run.duration)
    return row


def _heads(found: tuple[Run, ...]) -> list[tuple[str, tuple[Any, ...]]]:
    return [
        ("experiment", tuple(run.experiment for run in found)),
        ("name", tuple(run.name for run in found)),
        ("state", tuple(run.state.value for run in found)),
        ("took", tuple(clock.duration(run.duration) for run in found)),
        ("commit", tuple(run.git_commit[:10] + ("+" if run.git_dirty else "") for run in found)),
    ]


def _section(title: str, rows: list[dict[str, Any]], columns: list[tuple[str, str]]) -> None:
    if rows:
        click.echo("\n" + click.style(title, bold=True))
        emit(rows, columns)


def _copy(source: Path, target: Path) -> None:
    """Never over a file that is there, never half a file."""
    if target.exists():
        raise AlreadyExists(f"{target} exists already.", hint="Name another place: --to FILE")
    staged = target.with_name(f".{target.name}.part")
    try:
        shutil.copyfile(source, staged)
        staged.rename(target)
    except OSError as error:
        raise Unavailable(
            f"{target} could not be written: {error.strerror}.", hint="Name another place: --to FILE"
        ) from error
    finally:
        staged.unlink(missing_ok=True)
