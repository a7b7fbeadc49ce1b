"""`mlops labels`: queues of rows to label, labelling them from a script, agreement, suspects, publishing."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING, Any, TextIO

import click

from mlops_tui.cli.output import (
    confirm,
    emit,
    emit_one,
    json_option,
    pass_workbench,
    say,
    why_option,
    yes_option,
)
from mlops_tui.core.errors import InvalidInput

if TYPE_CHECKING:
    from mlops_tui.domains.labels.records import Item
    from mlops_tui.workbench import Workbench

NO_QUEUES = "No label queues yet. Make one: mlops labels create bad_orders orders --class good --class bad"
labeller_option = click.option("--labeller", metavar="NAME", help="Who labels; you unless said.")


@click.group()
def labels() -> None:
    """Labelling: queues of rows, agreement, suspect labels.

    \b
    Example: mlops labels list
    """


@labels.command("list")
@json_option
@pass_workbench
def list_queues(workbench: Workbench, as_json: bool) -> None:
    """List label queues with how far they are.

    \b
    Example: mlops labels list
    """
    columns = [("name", "Name"), ("source", "Of"), ("order", "Order"), ("rows", "Rows"), ("labelled", "Labelled")]
    columns += [("labels", "Labels"), ("unpublished", "Unpublished"), ("last_at", "Last")]
    emit(workbench.labels.list(), columns, as_json=as_json, empty=NO_QUEUES)


@labels.command("create")
@click.argument("name")
@click.argument("source")
@click.option("--class", "-c", "classes", multiple=True, required=True, metavar="NAME", help="A class; repeat it.")
@click.option(
    "--order",
    type=click.Choice(["random", "uncertainty", "disagreement", "given"]),
    default="random",
    help="Which rows come first.",
)
@click.option("--model", "models", multiple=True, metavar="REF", help="A model version whose probabilities decide.")
@click.option("--score", default="", metavar="COLUMN", help="A column of probabilities, instead of a model.")
@click.option(
    "--measure",
    type=click.Choice(["margin", "entropy", "confidence"]),
    default="margin",
    help="How uncertain probabilities are.",
)
@click.option("--where", metavar="SQL", help="Only rows that meet a condition, as in: total > 20")
@click.option("--join", "joins", multiple=True, metavar="REF", help="Columns of another table at each row's time.")
@click.option("--column", "columns", multiple=True, metavar="NAME", help="Show this column; all unless said.")
@click.option("--limit", default=1000, show_default=True, help="How many rows at most.")
@click.option("--seed", default=0, show_default=True, help="What the random order hangs on.")
@click.option("--votes", default=1, show_default=True, help="How many people label each row.")
@click.option("--to", default="", metavar="TABLE", help="The feature table labels go to, NAME_labels unless said.")
@json_option
@pass_workbench
def create(workbench: Workbench, name: str, source: str, as_json: bool, **options: Any) -> None:
    """Make a queue of rows of a table (orders, orders@3) or of predictions (deployment:churn) to label.

    \b
    Example: mlops labels create bad_orders orders -c good -c bad --order uncertainty --model fraud@champion
    """
    queue = workbench.labels.create(name, source, options.pop("classes"), **options)
    if as_json:
        emit_one(queue, as_json)
        return
    how = f", {queue.order} first" + (f" ({queue.why})" if queue.why else "") if queue.order != "given" else ""
    say(
        f"{name} has {queue.rows} rows of {queue.source}{how}. Label them: mlops tui queue/{name}, or mlops labels next {name}"
    )


@labels.command("show")
@click.argument("name")
@click.option("--labels", "limit", default=10, show_default=True, help="How many of the newest labels to show.")
@json_option
@pass_workbench
def show(workbench: Workbench, name: str, limit: int, as_json: bool) -> None:
    """Show a queue, how far each person is, and the newest labels.

    \b
    Example: mlops labels show bad_orders
    """
    queue = workbench.labels.get(name)
    given = workbench.labels.labels(name)
    people = [workbench.labels.progress(name, labeller=who) for who in sorted({one.labeller for one in given})]
    newest = given[-limit:][::-1] if limit > 0 else []
    if as_json:
        emit_one({"queue": queue, "labellers": people, "labels": newest}, as_json)
        return
    emit_one(queue, title=queue.name)
    if people:
        click.echo()
        columns = [("labeller", "Labeller"), ("done", "Done"), ("skipped", "Skipped"), ("left", "Left")]
        emit(people, [*columns, ("per_hour", "Per hour")])
        click.echo()
        emit(newest, [("at", "At"), ("position", "Row"), ("label", "Label"), ("labeller", "By"), ("note", "Note")])


@labels.command("next")
@click.argument("name")
@labeller_option
@click.option("--limit", default=1, show_default=True, help="How many rows.")
@click.option("--skipped", is_flag=True, help="Rows you skipped, instead.")
@json_option
@pass_workbench
def next_(workbench: Workbench, name: str, labeller: str | None, limit: int, skipped: bool, as_json: bool) -> None:
    """Show the rows to label next.

    \b
    Example: mlops labels next bad_orders --json
    """
    items = workbench.labels.next(name, labeller=labeller, limit=limit, skipped=skipped)
    if as_json:
        emit(items, [], as_json=True)
        return
    if not items:
        say(f"Nothing is left to label in {name}. Publish: mlops labels publish {name}")
    for item in items:
        emit_one(_flat(item), title=f"{name} row {item.position}")
    if len(items) == 1:
        classes = " | ".join(workbench.labels.get(name).classes)
        say(f"mlops labels put {name} {items[0].position} {classes}")


@labels.command("put")
@click.argument("name")
@click.argument("position", type=int, metavar="ROW")
@click.argument("label", metavar="CLASS")
@labeller_option
@click.option("--note", default="", metavar="TEXT", help="A remark.")
@json_option
@pass_workbench
def put(
    workbench: Workbench, name: str, position: int, label: str, labeller: str | None, note: str, as_json: bool
) -> None:
    """Label one row; a second label of the same person takes the place of the first.

    \b
    Example: mlops labels put bad_orders 17 bad --note "no address"
    """
    given = workbench.labels.put(name, position, label, labeller=labeller, note=note)
    if as_json:
        emit_one(given, as_json)
    else:
        say(f"Row {position} is {label}, says {given.labeller}.")


@labels.command("load")
@click.argument("name")
@click.argument("file", type=click.File("r", encoding="utf-8-sig"))
@labeller_option
@json_option
@pass_workbench
def load(workbench: Workbench, name: str, file: TextIO, labeller: str | None, as_json: bool) -> None:
    """Take labels made elsewhere in, all or none: CSV or JSON lines with position (or the keys), label, labeller, note.

    FILE may be - for standard input, which is JSON lines.

    \b
    Example: mlops labels load bad_orders labels.csv --labeller ana
    """
    given = workbench.labels.put_many(name, _rows(file), labeller=labeller)
    if as_json:
        emit_one({"labels": len(given)}, as_json)
    else:
        say(f"{len(given)} labels are in {name}.")


@labels.command("skip")
@click.argument("name")
@click.argument("position", type=int, metavar="ROW")
@labeller_option
@click.option("--note", default="", metavar="TEXT", help="A remark.")
@json_option
@pass_workbench
def skip(workbench: Workbench, name: str, position: int, labeller: str | None, note: str, as_json: bool) -> None:
    """Leave a row to others.

    \b
    Example: mlops labels skip bad_orders 17
    """
    given = workbench.labels.skip(name, position, labeller=labeller, note=note)
    if as_json:
        emit_one(given, as_json)
    else:
        say(f"Row {position} is left to others.")


@labels.command("undo")
@click.argument("name")
@labeller_option
@json_option
@pass_workbench
def undo(workbench: Workbench, name: str, labeller: str | None, as_json: bool) -> None:
    """Take your newest label or skip back.

    \b
    Example: mlops labels undo bad_orders
    """
    taken = workbench.labels.undo(name, labeller=labeller)
    if as_json:
        emit_one(taken, as_json)
    else:
        said = "skip" if taken.label is None else f"label {taken.label}"
        say(f"The {said} of row {taken.position} is taken back.")


@labels.command("agreement")
@click.argument("name")
@json_option
@pass_workbench
def agreement(workbench: Workbench, name: str, as_json: bool) -> None:
    """Show how far people agree beyond chance: Cohen's kappa of each pair, Fleiss' kappa of three or more.

    \b
    Example: mlops labels agreement bad_orders
    """
    found = workbench.labels.agreement(name)
    if as_json:
        emit_one(found, as_json)
        return
    columns = [("one", "One"), ("other", "Other"), ("rows", "Rows"), ("agreed", "Agreed"), ("kappa", "Cohen's kappa")]
    emit(found.pairs, columns, empty="No row was labelled by two people yet.")
    if found.pairs:
        fleiss = (
            "" if found.fleiss is None else f" Fleiss' kappa of {len(found.labellers)} people is {found.fleiss:.3f}."
        )
        say(f"{found.disputed} of {found.rows} shared rows are disputed.{fleiss}")


@labels.command("suspects")
@click.argument("name")
@click.option("--limit", default=20, show_default=True, help="How many to show.")
@click.option("--model", default="", metavar="REF", help="Probabilities of a model that did not learn these labels.")
@click.option("--seed", default=0, show_default=True, help="What the folds hang on.")
@json_option
@pass_workbench
def suspects(workbench: Workbench, name: str, limit: int, model: str, seed: int, as_json: bool) -> None:
    """Show labels that are likely wrong, worst first, by confident learning from cross-validated probabilities.

    \b
    Example: mlops labels suspects bad_orders --limit 10
    """
    found = workbench.labels.suspects(name, limit=limit, model=model, seed=seed)
    columns = [("position", "Row"), ("label", "Label"), ("p_label", "Prob."), ("suggested", "Rather")]
    columns += [("p_suggested", "Prob."), ("confident", "Confident"), ("key", "Key")]
    emit(found, columns, as_json=as_json, empty="No label looks wrong.")


@labels.command("publish")
@click.argument("name")
@click.option("--message", "-m", default="", metavar="TEXT", help="What this publication is.")
@click.option("--feedback", is_flag=True, help="Also report labels of predictions as what was true.")
@json_option
@pass_workbench
def publish(workbench: Workbench, name: str, message: str, feedback: bool, as_json: bool) -> None:
    """Bring the queue's feature table up to date with the labels given and taken back since the last time.

    \b
    Example: mlops labels publish bad_orders -m "first hundred"
    """
    done = workbench.labels.publish(name, message=message, feedback=feedback)
    if as_json:
        emit_one(done, as_json)
    elif done.version is None:
        say(f"{done.table} is up to date.")
    else:
        said = f"{done.table}@{done.version} has {done.labels} more labels"
        said += f", {done.taken_back} taken back" if done.taken_back else ""
        say(f"{said}." + (f" {done.feedback} of them are reported as what was true." if feedback else ""))


@labels.command("remove")
@click.argument("name")
@why_option
@yes_option
@pass_workbench
def remove(workbench: Workbench, name: str, why: str, yes: bool) -> None:
    """Remove a queue with its labels; what was published stays.

    \b
    Example: mlops labels remove bad_orders --why "done"
    """
    queue = workbench.labels.get(name)
    confirm(f"Remove {name} with {queue.labels} labels, {queue.unpublished} not published?", yes=yes, typed=name)
    workbench.labels.remove(name, why=why)
    say(f"{name} is removed.")


def _rows(file: TextIO) -> list[dict[str, Any]]:
    """CSV by the ending of the name, else JSON lines. Raises InvalidInput that names the line."""
    if str(file.name).lower().endswith(".csv"):
        return list(csv.DictReader(file))
    rows = []
    for number, text in enumerate(file, 1):
        if text.strip():
            try:
                row = json.loads(text)
            except ValueError as error:
                raise InvalidInput(
                    f"Line {number} is not JSON: {error}.", hint="One object a line, or a .csv file."
                ) from error
            if not isinstance(row, dict):
                raise InvalidInput(f"Line {number} is no object.", hint='Write {"position": 1, "label": "good"}')
            rows.append(row)
    return rows


def _flat(item: Item) -> dict[str, Any]:
    score = {} if item.score is None else {"(score)": round(item.score, 4)}
    return {**item.key, **item.values, **score}
