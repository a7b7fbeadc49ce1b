"""`mlops runs compare`, `metrics`, `health` and `watch`: how runs did."""

from __future__ import annotations

from typing import Any

import click

from mlops_tui.cli import plotting
from mlops_tui.cli.output import emit, emit_one, json_option, pass_workbench, say
from mlops_tui.cli.runs_rows import METRIC_COLUMNS, as_row, fields, refresh
from mlops_tui.core import clock
from mlops_tui.domains.experiments.records import Comparison, RunState
from mlops_tui.workbench import Workbench

MARK_COLUMNS = [("kind", "What"), ("key", "Metric"), ("step", "Since step"), ("detail", "Detail")]
_PAIR_COLUMNS = [
    ("train", "Training"),
    ("valid", "Validation"),
    ("gap", "Gap"),
    ("gap_slope", "Gap a step"),
    ("best_step", "Best step"),
    ("best_value", "Best"),
    ("worse_since", "Worse since"),
    ("advice", "Advice"),
]


@click.command("compare")
@click.argument("run", nargs=-1, required=True)
@click.option("--differing", is_flag=True, help="Leave out parameters that are the same in all runs.")
@click.option("--diff", "as_diff", is_flag=True, help="Print how the code of two runs differs.")
@click.option("--over", type=click.Choice(["step", "time", "epoch"]), default="step", show_default=True,
              help="With --plot: what curves go over.")  # fmt: skip
@plotting.plot_options
@json_option
@pass_workbench
def compare(
    workbench: Workbench,
    run: tuple[str, ...],
    differing: bool,
    as_diff: bool,
    over: str,
    as_plot: bool,
    as_ascii: bool,
    as_json: bool,
) -> None:
    """Compare runs side by side: parameters, metrics (the best marked *), packages, code and data.

    \b
    Example: mlops runs compare 3f2a 91bc --differing
    """
    refresh(workbench)
    plotting.alone(as_plot, as_json)
    if as_diff:
        if len(run) != 2:
            raise click.UsageError("--diff is between two runs.")
        text = workbench.experiments.code_diff(*run)
        click.echo(text, nl=False) if text else say("Nothing is known to differ in their code.")
        return
    if as_plot:
        draw = plotting.pictures().compared
        plotting.show(lambda on: draw(workbench, run, on, over), ascii_only=as_ascii)
        return
    found = workbench.experiments.compare(run)
    shown = {key: values for key, values in found.params.items() if not differing or key in found.differing}
    if as_json:
        document = {**fields(found), "runs": [as_row(each) for each in found.runs]}
        emit_one({**document, "params": shown, "differing": found.differing}, True)
        return
    ids = [each.id[:8] for each in found.runs]
    lines: list[tuple[str, tuple[Any, ...]]] = [
        *_heads(found),
        *((f"param {key}", values) for key, values in shown.items()),
        *((f"metric {key}", _starred(values, found.best.get(key))) for key, values in found.metrics.items()),
        *((f"data {key}", values) for key, values in found.data.items()),
        *((f"package {key}", values) for key, values in found.packages.items()),
    ]
    rows = [{"": name, **dict(zip(ids, values, strict=True))} for name, values in lines]
    emit(rows, [("", "Run"), *((each, each) for each in ids)])


def _starred(values: tuple[float | None, ...], best: int | None) -> tuple[Any, ...]:
    return tuple(f"{value:.6g} *" if place == best else value for place, value in enumerate(values))


@click.command("metrics")
@click.argument("run")
@click.option("--key", "-k", metavar="NAME", help="All points of this metric instead of the latest of each.")
@click.option("--after", type=int, metavar="STEP", help="With --key: only points after this step.")
@click.option("--limit", "-n", type=click.IntRange(1), help="With --key: at most so many points.")
@click.option("--over", type=click.Choice(["step", "time", "epoch"]), default="step", show_default=True,
              help="With --plot: what curves go over.")  # fmt: skip
@plotting.plot_options
@json_option
@pass_workbench
def metrics(
    workbench: Workbench,
    run: str,
    key: str | None,
    after: int | None,
    limit: int | None,
    over: str,
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
        plotting.show(lambda on: draw(workbench, run, keys, on, after, over), ascii_only=as_ascii)
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
    emit(rows, METRIC_COLUMNS, as_json=as_json, empty="This run logged no metrics.")


@click.command("health")
@click.argument("run")
@json_option
@pass_workbench
def health(workbench: Workbench, run: str, as_json: bool) -> None:
    """Tell whether a run overfits, diverged, stands still or fell silent; exit code 1 when it does.

    \b
    Example: mlops runs health 3f2a
    """
    refresh(workbench)
    found = workbench.experiments.health(run)
    if as_json:
        emit_one(found, True)
    else:
        emit(
            [fields(mark) for mark in found.marks], MARK_COLUMNS, empty="Nothing is wrong with the numbers of this run."
        )
        if found.pairs:
            if found.marks:
                click.echo()
            emit([{**fields(pair), "advice": _advice(pair)} for pair in found.pairs], _PAIR_COLUMNS)
    if found.marks:
        raise click.exceptions.Exit(1)


def _advice(pair: Any) -> str:
    if pair.stop:
        return f"stop; keep step {pair.best_step}"
    return f"go on (patience {pair.patience})" if pair.patience else "too few points"


@click.command("watch")
@click.argument("run", required=False)
@click.option(
    "--key", "-k", "keys", multiple=True, metavar="NAME", help="Only this metric, with a chart; may be given again."
)
@click.option("--every", "every_s", type=click.FloatRange(0.1), default=1.0, show_default=True, metavar="SECONDS",
              help="How often it looks.")  # fmt: skip
@click.option("--ascii", "as_ascii", is_flag=True, help="ASCII characters only.")
@pass_workbench
def watch(workbench: Workbench, run: str | None, keys: tuple[str, ...], every_s: float, as_ascii: bool) -> None:
    """Follow a run in place until it ends, the newest that runs by default; exit code 1 when it failed. In a pipe: a line now and then.

    \b
    Example: mlops runs watch 3f2a --key loss
    """
    from mlops_tui.cli import watching

    run = run or watching.newest(workbench)
    found = watching.watch(workbench, run, keys, every_s=every_s, ascii_only=as_ascii)
    if found.state != RunState.FINISHED:
        say(f"The run {found.state}. {found.error.strip().splitlines()[-1] if found.error.strip() else ''}".rstrip())
        raise click.exceptions.Exit(1)


def _heads(comparison: Comparison) -> list[tuple[str, tuple[Any, ...]]]:
    found = comparison.runs
    return [
        ("experiment", tuple(run.experiment for run in found)),
        ("name", tuple(run.name for run in found)),
        ("state", tuple(run.state.value for run in found)),
        ("took", tuple(clock.duration(run.duration) for run in found)),
        ("python", tuple(run.python for run in found)),
        ("host", tuple(run.host for run in found)),
        ("commit", comparison.code),
    ]
