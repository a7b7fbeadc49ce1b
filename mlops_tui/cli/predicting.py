"""Predictions asked for over HTTP, and what turned out to be true."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path
from typing import Any

import click

from mlops_tui.cli.asking import Asker
from mlops_tui.cli.output import emit_one, json_option, pass_workbench, progress_bar
from mlops_tui.core.errors import InvalidInput
from mlops_tui.workbench import Workbench


@click.command()
@click.argument("name")
@click.option("--json", "data", metavar="ROWS", help="One row as an object, several as an array of objects.")
@click.option("--file", "path", type=click.Path(path_type=Path), help="A .csv with a header, or a .json with rows.")
@pass_workbench
def predict(workbench: Workbench, name: str, data: str | None, path: Path | None) -> None:
    """Ask a deployment for predictions over HTTP, with the token in $MLOPS_TOKEN if there is one; prints one JSON document.

    \b
    Example: mlops predict churn --json '{"tenure": 12, "plan": "basic"}'
    """
    if (data is None) == (path is None):
        raise click.UsageError("Give the rows either with --json or with --file.")
    url = workbench.serving.get(name).url
    context = workbench.context
    chain = context.settings.serving.certificate
    asker = Asker(
        url.removesuffix(f"/v2/models/{name}/infer"),
        name,
        token=os.environ.get("MLOPS_TOKEN", ""),
        certificate=context.workspace.root / chain if chain else None,
    )
    rows = _rows(data, "--json") if data is not None else []
    with asker, progress_bar("Predicting") as report:
        if path is not None and path.suffix.lower() == ".csv":
            answer = asker.csv(_csv(path), report)
        else:
            answer = asker.rows(_rows(_text(path), str(path)) if path is not None else rows, report)
    emit_one(answer, as_json=True)


@click.command()
@click.argument("prediction_id", metavar="[PREDICTION_ID", required=False)
@click.argument("label", metavar="LABEL]", required=False)
@click.option("--at", help="When it became known (ISO 8601, or a span back from now); default now.")
@click.option("--deployment", metavar="NAME", help="With --key: whose prediction it was.")
@click.option(
    "--key", "keys", multiple=True, metavar="INPUT=VALUE", help="Instead of an id: an input's value, or request_id=..."
)
@click.option(
    "--time", "made", help="With --key: when the prediction had been made (ISO 8601, or a span); default now."
)
@click.option(
    "--file",
    "path",
    type=click.Path(path_type=Path),
    help="A .csv or .json with id, label and perhaps at; or deployment, key.INPUT, label and perhaps time and at.",
)
@json_option
@pass_workbench
def feedback(
    workbench: Workbench,
    prediction_id: str | None,
    label: str | None,
    at: str | None,
    deployment: str | None,
    keys: tuple[str, ...],
    made: str | None,
    path: Path | None,
    as_json: bool,
) -> None:
    """Report what was true: of a prediction by its id, of the newest one with a key, or of a file of them.

    \b
    Example: mlops feedback p19ad2f0c1b3a1b2c3d4e5f6 1
             mlops feedback 1 --deployment churn --key customer_id=7 --time 2h
    """
    known = {"at": at} if at else {}
    if path is not None and prediction_id is None and not keys:
        rows = _csv_rows(path) if path.suffix.lower() == ".csv" else _rows(_text(path), str(path))
    elif path is None and keys and deployment and prediction_id is not None and label is None:
        key = dict(map(_pair, keys))
        when = {"time": made} if made else {}
        rows = [{"deployment": deployment, "key": key, "label": _value(prediction_id), **when, **known}]
    elif path is None and not keys and prediction_id is not None and label is not None:
        rows = [{"id": prediction_id, "label": _value(label), **known}]
    else:
        raise click.UsageError("Give a prediction id and its label, a label with --deployment and --key, or --file.")
    count = workbench.serving.feedback(rows)
    emit_one({"accepted": count}, as_json=as_json)


@click.command("labels")
@click.argument("name")
@click.option("--into", metavar="TABLE", help="Append them to a feature table, made when it is not there.")
@json_option
@pass_workbench
def labels(workbench: Workbench, name: str, into: str | None, as_json: bool) -> None:
    """Count what is known to be true of a deployment's predictions, or take it into a feature table.

    \b
    Example: mlops deployments labels churn --into churn_labels
    """
    waiting = workbench.serving.labels_waiting(name)
    if into is None:
        emit_one({"labelled": len(workbench.serving.labelled(name)), "waiting": waiting}, as_json=as_json)
        return
    snapshot = workbench.serving.publish_labels(name, into)
    facts = {"table": into, "added_rows": snapshot.added_rows if snapshot else 0, "waiting": waiting}
    emit_one(facts, as_json=as_json)


def _pair(text: str) -> tuple[str, Any]:
    name, sign, value = text.partition("=")
    if not sign or not name:
        raise InvalidInput(f"{text[:40]!r} is no part of a key.", hint="Write INPUT=VALUE: --key customer_id=7")
    return name, _value(value)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror}.", hint="Check the name.") from error
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{path} is not UTF-8 text.", hint="Save it as UTF-8.") from error


def _rows(text: str, source: str) -> list[dict[str, Any]]:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise InvalidInput(
            f"{source} is not JSON: {error}.", hint='One row is {"x": 1}, several [{"x": 1}].'
        ) from error
    rows = value if isinstance(value, list) else [value]
    if not rows or not all(isinstance(row, dict) for row in rows):
        raise InvalidInput(f"{source} holds no rows.", hint='One row is {"x": 1}, several [{"x": 1}, {"x": 2}].')
    return rows


def _csv(path: Path) -> list[list[str]]:
    lines = [line for line in csv.reader(_text(path).splitlines(keepends=True)) if line]
    if len(lines) < 2:
        raise InvalidInput(f"{path} holds no rows.", hint="A header line and at least one row are needed.")
    return lines


def _csv_rows(path: Path) -> list[dict[str, Any]]:
    head, *lines = _csv(path)
    return [_fields(dict(zip(head, line, strict=False))) for line in lines]


def _fields(line: dict[str, str]) -> dict[str, Any]:
    """One line of a file of labels; columns `key.NAME` become its key."""
    row: dict[str, Any] = {
        name: _value(text) if name == "label" else text
        for name, text in line.items()
        if text and not name.startswith("key.")
    }
    key = {name.removeprefix("key."): _value(text) for name, text in line.items() if text and name.startswith("key.")}
    return {**row, "key": key} if key else row


def _value(text: str) -> Any:
    """A label as JSON reads it (1, 0.5, true), else the text itself."""
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, int | float | bool) else text
