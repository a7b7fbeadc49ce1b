"""`mlops audit`: what was done, and whether the record of it is whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

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


@audit.command("list")
@click.option("--kind", metavar="KIND", help="Only changes of that kind of thing: model, deployment, job, ...")
@click.option("--name", metavar="NAME", help="Only changes of the thing of that name.")
@click.option("--actor", metavar="NAME", help="Only changes by that person or process.")
@click.option("--since", metavar="TIME", help="Only changes since then: 7d, or 2026-11-01.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1), help="How many at most.")
@json_option
@pass_workbench
def list_audit(
    workbench: Workbench,
    kind: str | None,
    name: str | None,
    actor: str | None,
    since: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """List changes, newest first.

    \b
    Example: mlops audit list --kind model --since 7d
    """
    begin = clock.parse_time(since, now=workbench.context.now()) if since else None
    entries = workbench.audit.list(limit=limit, kind=kind, name=name, actor=actor, since=begin)
    columns = [("id", "Id"), ("at", "At"), ("actor", "Actor"), ("verb", "Verb"), ("kind", "Kind"), ("name", "Name")]
    emit(entries, [*columns, ("why", "Why")], as_json=as_json, empty="No changes yet.")


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
@json_option
@pass_workbench
def verify_audit(workbench: Workbench, as_json: bool) -> None:
    """Prove that nobody edited the trail; exit code 1 if somebody did.

    \b
    Example: mlops audit verify
    """
    result = workbench.audit.verify()
    if as_json:
        emit_one(result, as_json)
    elif result.ok:
        say(f"The chain of {result.checked} entries is whole.")
    else:
        say(f"The trail was changed: entry {result.first_bad}. {result.reason}")
    if not result.ok:
        raise click.exceptions.Exit(1)
