"""`mlops experiments best`, `group`, `importance`, `scatter`: conclusions over all runs of an experiment."""

from __future__ import annotations

import click

from mlops_tui.cli import plotting
from mlops_tui.cli.output import emit, emit_one, json_option, pass_workbench, say
from mlops_tui.cli.runs_rows import as_row, fields, refresh
from mlops_tui.workbench import Workbench

_query = click.option("--query", "-q", default="", metavar="QUERY", help="Only runs that meet a query.")
_metric = click.option("--metric", "-m", required=True, metavar="NAME", help="The metric it is about.")


@click.command("best")
@click.argument("name")
@_metric
@click.option("--lower/--higher", default=None, help="Which is better; the name tells where neither is said.")
@_query
@json_option
@pass_workbench
def best(workbench: Workbench, name: str, metric: str, lower: bool | None, query: str, as_json: bool) -> None:
    """Show the finished run with the best latest value of a metric.

    \b
    Example: mlops experiments best churn --metric auc
    """
    refresh(workbench)
    rooms = workbench.experiments
    found = rooms.best(name, metric, lower=lower, query=query)
    value, params = rooms.metrics(found.id)[metric].value, rooms.params(found.id)
    if as_json:
        emit_one({**as_row(found), "metric": metric, "value": value, "params": params}, True)
        return
    emit_one({"run": found.id, "name": found.name, metric: value, **params})


@click.command("group")
@click.argument("name")
@click.option("--by", required=True, multiple=True, metavar="PARAM", help="A parameter; may be given again.")
@_metric
@_query
@json_option
@pass_workbench
def group(workbench: Workbench, name: str, by: tuple[str, ...], metric: str, query: str, as_json: bool) -> None:
    """Show mean and spread of a metric over the runs with the same parameters, such as several seeds, the best mean first.

    \b
    Example: mlops experiments group churn --by lr --by depth --metric auc
    """
    refresh(workbench)
    found = workbench.experiments.groups(name, by, metric, query=query)
    rows = [{**fields(one), **{f"p{at}": value for at, value in enumerate(one.values)}} for one in found]
    if as_json:
        emit([{**fields(one), "values": dict(zip(by, one.values, strict=True))} for one in found], [], as_json=True)
        return
    columns = [*((f"p{at}", param) for at, param in enumerate(by)), ("runs", "Runs"), ("mean", f"Mean {metric}")]
    emit(rows, [*columns, ("std", "Std"), ("min", "Min"), ("max", "Max")], empty="No run has a finite value.")
    if left := sum(one.left_out for one in found):
        say(f"{left} runs without a finite value are left out.")


@click.command("importance")
@click.argument("name")
@_metric
@_query
@json_option
@pass_workbench
def importance(workbench: Workbench, name: str, metric: str, query: str, as_json: bool) -> None:
    """Tell which parameters mattered for a metric: how much worse a random forest does on unseen runs without each.

    \b
    Example: mlops experiments importance churn --metric auc
    """
    refresh(workbench)
    found = workbench.experiments.importance(name, metric, query=query)
    if as_json:
        emit_one({**fields(found), "params": dict(found.params)}, True)
        return
    rows = [{"param": param, "share": f"{share:.1%}"} for param, share in found.params]
    emit(rows, [("param", "Parameter"), ("share", "Share")])
    say(f"{found.runs} runs; R² on unseen runs {found.score:.2f}.")
    if found.skipped:
        say(f"Left out, since they only name the run: {', '.join(found.skipped)}.")
    if found.warning:
        say(found.warning)


@click.command("scatter")
@click.argument("name")
@click.option("--param", "-p", required=True, metavar="PARAM", help="Across.")
@_metric
@_query
@plotting.plot_options
@json_option
@pass_workbench
def scatter(
    workbench: Workbench, name: str, param: str, metric: str, query: str, as_plot: bool, as_ascii: bool, as_json: bool
) -> None:
    """Set a parameter against a metric, a point a run; with --plot as a picture.

    \b
    Example: mlops experiments scatter churn --param lr --metric auc --plot
    """
    refresh(workbench)
    plotting.alone(as_plot, as_json)
    points = workbench.experiments.scatter(name, param, metric, query=query)
    if as_plot:
        draw = plotting.pictures().scatter
        plotting.show(lambda on: draw(points, param, metric, on), ascii_only=as_ascii)
        return
    rows = [{"param": text, "metric": value} for text, value in points]
    empty = f"No run has both {param} and a finite {metric}."
    emit(rows, [("param", param), ("metric", metric)], as_json=as_json, empty=empty)
