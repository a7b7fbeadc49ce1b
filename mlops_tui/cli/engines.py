"""`mlops models engine`: how a version is asked for predictions."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import click

from mlops_tui.cli.output import emit, emit_one, json_option, pass_workbench, why_option
from mlops_tui.domains.registry.records import ENGINES, EngineChoice
from mlops_tui.workbench import Workbench

TASKS = ("classification", "regression", "clustering", "anomaly")
_COLUMNS = [
    ("engine", "Engine"),
    ("agrees", "Agrees"),
    ("difference", "Largest difference"),
    ("flipped", "Other labels"),
    ("us_one", "us, 1 row"),
    ("us_many", "us, 32 rows"),
    ("note", "Note"),
]
UNTRIED = "No engine was tried at registration; the worker chooses one when it loads the model."


@click.command()
@click.argument("ref")
@click.option("--force", type=click.Choice(ENGINES), help="Serve it with this one, if it agreed on the stored sample.")
@click.option("--auto", is_flag=True, help="Leave the choice to the trial again.")
@why_option
@json_option
@pass_workbench
def engine(workbench: Workbench, ref: str, force: str | None, auto: bool, why: str, as_json: bool) -> None:
    """Show which engine serves a version and what each showed on the stored sample, or force one.

    \b
    Example: mlops models engine churn/3 --force frame
    """
    if force and auto:
        raise click.UsageError("Give either --force or --auto.")
    choice = workbench.registry.force_engine(ref, force, why) if force or auto else workbench.registry.engine(ref)
    if as_json:
        emit_one(dataclasses.asdict(choice) if choice else {"engine": None, "forced": False, "trials": []}, as_json)
    else:
        tell(choice)


@click.command("import")
@click.argument("model")
@click.argument("path", type=click.Path(path_type=Path))
@click.option(
    "--sample", required=True, type=click.Path(path_type=Path), help="A .csv or .parquet with rows of its inputs."
)
@click.option("--task", type=click.Choice(TASKS), default="classification", show_default=True, help="What it does.")
@click.option(
    "--trust-pickle", is_flag=True, help="Load a pickle, which may run any code; its imports are shown without."
)
@click.option("--description", default="", help="What is special about this version.")
@json_option
@pass_workbench
def import_(
    workbench: Workbench,
    model: str,
    path: Path,
    sample: Path,
    task: str,
    trust_pickle: bool,
    description: str,
    as_json: bool,
) -> None:
    """Register a model file made elsewhere (.onnx, .skops, .joblib, .pkl) as the next version of MODEL.

    \b
    Example: mlops models import churn churn.onnx --sample rows.csv
    """
    found = workbench.registry.import_file(model, path, sample, task=task, trust=trust_pickle, description=description)
    emit_one(found, as_json) if as_json else click.echo(f"Registered {found.ref}.")


def tell(choice: EngineChoice | None) -> None:
    """Print a choice with its trials."""
    if choice is None:
        click.echo(UNTRIED)
        return
    click.echo(f"Engine: {choice.engine}" + (" (forced)" if choice.forced else ""))
    emit(list(choice.trials), _COLUMNS, empty=UNTRIED)
