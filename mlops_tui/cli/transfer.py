"""`mlops import` and `mlops export`: runs from and to other trackers."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mlops_tui.cli.output import emit_one, json_option, pass_workbench, progress_bar, say
from mlops_tui.workbench import Workbench

if TYPE_CHECKING:
    from mlops_tui.transfer.records import Report

_SHOWN = 20


@click.group("import")
def import_() -> None:
    """Take over runs of another tracker; a second time takes only what is new there.

    A run is taken over whole or not at all, and keeps where it came from in the tags import.source and import.stamp.
    Exit code 1 when something was left out.

    \b
    Example: mlops import mlflow ./mlruns
    """


@import_.command()
@click.argument("source")
@click.option("--experiment", "experiments", multiple=True, metavar="NAME", help="Only this one; may be given again.")
@click.option(
    "--artifacts",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A further folder where the files of a moved store lie.",
)
@json_option
@pass_workbench
def mlflow(
    workbench: Workbench, source: str, experiments: tuple[str, ...], artifacts: Path | None, as_json: bool
) -> None:
    """Take over an MLflow store: an mlruns folder, its SQLite file, or a server by its address.

    Experiments, runs with parameters, tags, data sets, all points of all metrics and files, logged models, and registered models
    with versions, stages and aliases. Runs get an id of their own here; a run that was removed here stays away. A server's
    password is read from MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN.

    \b
    Example: mlops import mlflow mlflow.db
    Example: mlops import mlflow http://localhost:5000 --experiment churn
    """
    from mlops_tui.transfer.mlflow_in import import_mlflow

    with progress_bar("importing") as progress:
        report = import_mlflow(workbench, source, progress, experiments=experiments, artifacts=artifacts)
    _tell(report, as_json)


@import_.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--experiment", default="tensorboard", show_default=True, help="The experiment the runs go to.")
@json_option
@pass_workbench
def tensorboard(workbench: Workbench, folder: Path, experiment: str, as_json: bool) -> None:
    """Take over TensorBoard event files: each folder with such files below FOLDER is a run, its scalars are metrics.

    Texts and hyperparameters become parameters and tags; images, histograms and graphs are counted and left out. Needs no
    TensorFlow. A file that breaks off is read up to there.

    \b
    Example: mlops import tensorboard lightning_logs --experiment vision
    """
    from mlops_tui.transfer.tensorboard import import_tensorboard

    with progress_bar("importing") as progress:
        report = import_tensorboard(workbench, folder, experiment, progress)
    _tell(report, as_json)


@import_.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--experiment", default="", help="The experiment the runs go to; else the project each names, else wandb."
)
@json_option
@pass_workbench
def wandb(workbench: Workbench, folder: Path, experiment: str, as_json: bool) -> None:
    """Take over Weights & Biases runs from their folders (wandb/run-* and wandb/offline-run-*): history, config, summary, files.

    The run's own .wandb file is read; where there is none, files/wandb-history.jsonl, wandb-summary.json and config.yaml are.

    \b
    Example: mlops import wandb ./wandb
    """
    from mlops_tui.transfer.wandb import import_wandb

    with progress_bar("importing") as progress:
        report = import_wandb(workbench, folder, experiment, progress)
    _tell(report, as_json)


@import_.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--experiment", default="", help="The experiment of rows that name none; else the name of the file.")
@json_option
@pass_workbench
def csv(workbench: Workbench, file: Path, experiment: str, as_json: bool) -> None:
    """Take over runs from a CSV file in one of two forms.

    Long, with the columns run, metric, value and, if you like, step, time and experiment: a row is a point.

    \b
      run,step,metric,value
      first,0,loss,0.9
      first,1,loss,0.7

    Wide, any other header: a row is a run. Columns named run, name, experiment, state, user, started_at and ended_at say what the
    run is; params.X, metrics.X and tags.X what they hold. Of the others those with numbers in all rows become metrics, the rest
    parameters.

    \b
      run,params.lr,metrics.auc
      first,0.1,0.93

    \b
    Example: mlops import csv results.csv --experiment churn
    """
    from mlops_tui.transfer.csv_file import import_csv

    with progress_bar("importing") as progress:
        report = import_csv(workbench, file, experiment, progress)
    _tell(report, as_json)


def _tell(report: Report, as_json: bool) -> None:
    if as_json:
        emit_one(dataclasses.asdict(report), as_json)
    else:
        parts = [f"{report.added} added", f"{report.updated} updated", f"{report.unchanged} unchanged"]
        more = (
            f"; models: {report.models} added, {report.versions} versions" if report.models or report.versions else ""
        )
        click.echo(f"Runs: {', '.join(parts)}{more}.")
        for note in _some(report.notes):
            say(f"Note: {note}")
        for label, why in report.skipped[:_SHOWN]:
            say(f"Left out: {label}: {why}")
        if len(report.skipped) > _SHOWN:
            say(f"... and {len(report.skipped) - _SHOWN} more left out; --json names them all.")
    if report.skipped:
        raise click.exceptions.Exit(1)


def _some(lines: list[str]) -> list[str]:
    more = len(lines) - _SHOWN
    return [*lines[:_SHOWN], *([f"... and {more} more; --json has them all."] if more > 0 else [])]


@click.group()
def export() -> None:
    """Hand runs to other programs.

    \b
    Example: mlops export parquet out/
    """


@export.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--experiment", "experiments", multiple=True, metavar="NAME", help="Only this one; may be given again.")
@click.option("--query", default="", help="Only the runs that meet a query (docs/query.md).")
@json_option
@pass_workbench
def parquet(workbench: Workbench, folder: Path, experiments: tuple[str, ...], query: str, as_json: bool) -> None:
    """Write runs.parquet, params.parquet, metrics.parquet (all points), tags.parquet and artifacts.parquet to FOLDER.

    Files of that name are replaced, each at once when it is complete.

    \b
    Example: mlops export parquet out/ --query 'metrics.auc>0.9'
    """
    from mlops_tui.transfer.parquet import export_parquet

    with progress_bar("exporting") as progress:
        rows = export_parquet(workbench, folder, progress, experiments=experiments, query=query)
    emit_one(rows, as_json)


@export.command("mlflow")
@click.argument("target")
@click.option("--experiment", "experiments", multiple=True, metavar="NAME", help="Only this one; may be given again.")
@click.option("--query", default="", help="Only the runs that meet a query (docs/query.md).")
@json_option
@pass_workbench
def to_mlflow(workbench: Workbench, target: str, experiments: tuple[str, ...], query: str, as_json: bool) -> None:
    """Give runs and registered models to MLflow: to a server by its address, or into an mlruns folder.

    Experiments, runs with parameters, tags, all points and files. A run that was exported there before is left out, also when the
    export was broken off. MLflow 3.17 and newer opens a folder with MLFLOW_ALLOW_FILE_STORE=true, or turns it into a database with
    `mlflow migrate-filestore`.

    Registered models with versions, aliases and stages come along; with --experiment or --query those versions whose run is chosen.

    \b
    Example: mlops export mlflow http://localhost:5000 --experiment churn
    Example: mlops export mlflow ./mlruns
    """
    from mlops_tui.transfer.mlflow_out import export_mlflow

    with progress_bar("exporting") as progress:
        report = export_mlflow(workbench, target, progress, experiments=experiments, query=query)
    _tell(report, as_json)
