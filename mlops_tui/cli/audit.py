"""`mlops audit`: what was done, and whether the record of it is whole."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mlops_tui.cli.output import emit, emit_one, json_option, pass_workbench, say
from mlops_tui.core import clock

if TYPE_CHECKING:
    from mlops_tui.workbench import Workbench


@click.group()
def audit() -> None:
    """Who did what, when and why.

    \b
    Example: mlops audit list
    """


def _filters(function: Callable[..., Any]) -> Callable[..., Any]:
    """Which changes, for `list` and for `export`."""
    options = [
        click.option("--kind", metavar="KIND", help="Only changes of that kind of thing: model, deployment, job, ..."),
        click.option("--name", metavar="NAME", help="Only changes of the thing of that name."),
        click.option("--actor", metavar="NAME", help="Only changes by that person or process."),
        click.option("--verb", metavar="VERB", help="Only changes of that sort: add, promote, pause, ..."),
        click.option("--since", metavar="TIME", help="Only changes since then: 7d, or 2026-11-01."),
        click.option("--until", metavar="TIME", help="Only changes before then."),
    ]
    for option in reversed(options):
        function = option(function)
    return function


def _read(workbench: Workbench, wanted: dict[str, str | None]) -> dict[str, Any]:
    now = workbench.context.now()
    times = {name: clock.parse_time(text, now=now) for name in ("since", "until") if (text := wanted[name])}
    return {**wanted, "since": times.get("since"), "until": times.get("until")}


@audit.command("list")
@_filters
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1), help="How many at most.")
@json_option
@pass_workbench
def list_audit(workbench: Workbench, limit: int, as_json: bool, **wanted: str | None) -> None:
    """List changes, newest first.

    \b
    Example: mlops audit list --kind model --since 7d
    """
    entries = workbench.audit.list(limit=limit, **_read(workbench, wanted))
    columns = [("id", "Id"), ("at", "At"), ("actor", "Actor"), ("verb", "Verb"), ("kind", "Kind"), ("name", "Name")]
    emit(entries, [*columns, ("why", "Why")], as_json=as_json, empty="No changes yet.")


@audit.command("export")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--format", "form", type=click.Choice(["jsonl", "csv"]), help="By default as the file's name ends.")
@_filters
@json_option
@pass_workbench
def export_audit(workbench: Workbench, file: Path, form: str | None, as_json: bool, **wanted: str | None) -> None:
    """Write changes to FILE, oldest first, with their hashes, so that whoever holds it can prove it.

    \b
    Example: mlops audit export trail.jsonl --since 90d
    """
    chosen = form or ("csv" if file.suffix == ".csv" else "jsonl")
    done = workbench.audit.export(file, chosen, **_read(workbench, wanted))
    if as_json:
        emit_one(done, as_json)
    elif done.entries:
        say(f"Wrote {done.entries} changes, {done.first} to {done.last}. Keep the last hash elsewhere: {done.hash}")
    else:
        say("No change is of that kind; the file is empty.")


@audit.command("show")
@click.argument("entry_id", type=int)
@json_option
@pass_workbench
def show_audit(workbench: Workbench, entry_id: int, as_json: bool) -> None:
    """Show one change with the values before and after it.

    \b
    Example: mlops audit show 3
    """
    emit_one(workbench.audit.get(entry_id), as_json)


@audit.command("verify")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False), required=False)
@json_option
@pass_workbench
def verify_audit(workbench: Workbench, file: Path | None, as_json: bool) -> None:
    """Prove that nobody edited the trail, or an exported FILE of it; exit code 1 if somebody did.

    \b
    Example: mlops audit verify
    """
    result = workbench.audit.verify_file(file) if file else workbench.audit.verify()
    if as_json:
        emit_one(result, as_json)
    elif result.ok:
        say(
            f"Each of {result.checked} entries has its hash; entries are left out in {result.gaps} places."
            if result.gaps
            else f"The chain of {result.checked} entries is whole."
        )
    else:
        where = f" entry {result.first_bad}." if result.first_bad else ""
        say(f"The trail was changed:{where} {result.reason}")
    if not result.ok:
        raise click.exceptions.Exit(1)
