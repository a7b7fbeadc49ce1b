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
@click.argument("prediction_id", required=False)
@click.argument("label", required=False)
@click.option("--at", help="When it became known (ISO 8601, or a span back from now); default now.")
@click.option("--file", "path", type=click.Path(path_type=Path), help="A .csv or .json with id, label and perhaps at.")
@json_option
@pass_workbench
def feedback(
    workbench: Workbench, prediction_id: str | None, label: str | None, at: str | None, path: Path | None, as_json: bool
) -> None:
    """Report what was true, for one prediction or for a file of them.

    \b
    Example: mlops feedback p19ad2f0c1b3a1b2c3d4e5f6 1
    """
    if path is not None and prediction_id is None:
        rows = _csv_rows(path) if path.suffix.lower() == ".csv" else _rows(_text(path), str(path))
    elif path is None and prediction_id is not None and label is not None:
        rows = [{"id": prediction_id, "label": _value(label), **({"at": at} if at else {})}]
    else:
        raise click.UsageError("Give a prediction id and its label, or --file.")
    count = workbench.serving.feedback(rows)
    emit_one({"accepted": count}, as_json=as_json)


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
    return [
        {name: _value(text) if name == "label" else text for name, text in zip(head, line, strict=False) if text}
        for line in lines
    ]


def _value(text: str) -> Any:
    """A label as JSON reads it (1, 0.5, true), else the text itself."""
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, int | float | bool) else text
