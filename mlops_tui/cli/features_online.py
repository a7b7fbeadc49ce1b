"""`mlops features materialize`, `lookup`, `push` and `flush`: the newest values of entities."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import click

from mlops_tui.cli.output import emit, emit_one, json_option, pass_workbench, progress_bar, say
from mlops_tui.core import clock
from mlops_tui.core.errors import InvalidInput

if TYPE_CHECKING:
    from mlops_tui.workbench import Workbench


@click.command("materialize")
@click.argument("name")
@click.option("--full", is_flag=True, help="Make it anew instead of adding what came since.")
@json_option
@pass_workbench
def materialize(workbench: Workbench, name: str, full: bool, as_json: bool) -> None:
    """Bring the newest row of each entity online, for lookups in microseconds.

    \b
    Example: mlops features materialize customers
    """
    with progress_bar(f"materialize {name}") as report:
        report(0, None, "")
        done = workbench.features.materialize(name, full=full)
    if as_json:
        emit_one(done, as_json)
        return
    whole = "anew" if not done.since else f"from @{done.since} on"
    say(f"{name}@{done.version} is online ({whole}): {done.written} of {done.read} rows were newer.")
    say(f"{done.entities} entities. Ask: mlops features lookup {name} KEY=VALUE")


@click.command("lookup")
@click.argument("name")
@click.argument("keys", nargs=-1, required=True, metavar="KEY=VALUE...")
@click.option("--columns", metavar="A,B", help="Only these columns.")
@json_option
@pass_workbench
def lookup(workbench: Workbench, name: str, keys: tuple[str, ...], columns: str | None, as_json: bool) -> None:
    """Show the newest values of entities; the same key again asks for one more.

    \b
    Example: mlops features lookup customers customer_id=7 customer_id=8
    """
    room = workbench.features
    kinds = room.asked_types(name)
    wanted = [part.strip() for part in columns.split(",")] if columns else None
    found = room.lookup(name, _rows(keys, kinds), columns=wanted)
    if as_json:
        emit(found, [], as_json=True)
        return
    rows = [{**one.key, "status": one.status, "age": _age(one.age_ms), **one.values} for one in found]
    emit(rows, [(field, field) for field in rows[0]])


@click.command("push")
@click.argument("name")
@click.argument("rows", metavar="JSON")
@json_option
@pass_workbench
def push(workbench: Workbench, name: str, rows: str, as_json: bool) -> None:
    """Put values known just now online, and in the lake; JSON is an object, a list of them, or - for standard input.

    \b
    Example: mlops features push customers '{"customer_id": 7, "at": "2026-11-21T08:00Z", "spend": 12.5}'
    """
    try:
        given = json.loads(sys.stdin.read() if rows == "-" else rows)
    except ValueError as error:
        raise InvalidInput(f"This is not JSON: {error}.", hint="Quote it: '{\"customer_id\": 7}'") from error
    listed = given if isinstance(given, list) else [given]
    if not all(isinstance(row, dict) for row in listed):
        raise InvalidInput("A row is an object of columns and values.", hint="Write '{\"customer_id\": 7}'")
    newer = workbench.features.push(name, listed)
    flushed = workbench.features.flush(name)
    if as_json:
        emit_one({"pushed": len(listed), "newer": newer, "flushed": flushed}, as_json)
    else:
        say(f"{len(listed)} rows are in {name}; {newer} of them were newer than what was online.")


@click.command("flush")
@click.argument("name")
@json_option
@pass_workbench
def flush(workbench: Workbench, name: str, as_json: bool) -> None:
    """Take rows that programs have pushed into the lake, as a snapshot.

    \b
    Example: mlops features flush customers
    """
    done = workbench.features.flush(name)
    if as_json:
        emit_one({"flushed": done}, as_json)
    else:
        say(f"{done} pushed rows are in the lake now.")


def _rows(pairs: tuple[str, ...], kinds: dict[str, str]) -> list[dict[str, Any]]:
    """Entities from KEY=VALUE words: a key that comes again begins the next entity."""
    rows: list[dict[str, Any]] = [{}]
    for pair in pairs:
        name, sign, value = pair.partition("=")
        if not sign:
            raise InvalidInput(f"'{pair}' is no KEY=VALUE.", hint="Write customer_id=7")
        if name in rows[-1]:
            rows.append({})
        rows[-1][name] = _value(value, kinds.get(name, ""))
    return rows


def _value(text: str, kind: str) -> Any:
    try:
        if kind in ("BIGINT", "DOUBLE"):
            return int(text) if kind == "BIGINT" else float(text)
    except ValueError:
        raise InvalidInput(f"'{text}' is not a number.", hint="The key is a number.") from None
    return {"true": True, "false": False}.get(text, text) if kind == "BOOLEAN" else text


def _age(ms: int | None) -> str | None:
    return None if ms is None else clock.duration(max(ms, 0))  # a clock that runs ahead
