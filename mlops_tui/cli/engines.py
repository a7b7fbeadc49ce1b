"""`mlops models engine`: how a version is asked for predictions."""

from __future__ import annotations

import dataclasses

import click

from mlops_tui.cli.output import emit, emit_one, json_option, pass_workbench, why_option
from mlops_tui.domains.registry.records import ENGINES, EngineChoice
from mlops_tui.workbench import Workbench

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


def tell(choice: EngineChoice | None) -> None:
    """Print a choice with its trials."""
    if choice is None:
        click.echo(UNTRIED)
        return
    click.echo(f"Engine: {choice.engine}" + (" (forced)" if choice.forced else ""))
    emit(list(choice.trials), _COLUMNS, empty=UNTRIED)
