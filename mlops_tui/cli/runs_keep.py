"""`mlops runs note`, `tag`, `rename`, `delete`, `restore`, `remove` and `gc`: looking after what was logged."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click

from mlops_tui.cli.output import (
    confirm,
    emit_one,
    human_bytes,
    json_option,
    pass_workbench,
    say,
    why_option,
    yes_option,
)
from mlops_tui.cli.runs_rows import refresh
from mlops_tui.core import clock
from mlops_tui.core.errors import NotFound
from mlops_tui.domains.experiments.records import NOTE_TAG, Freed, Run
from mlops_tui.workbench import Workbench

R = TypeVar("R")
_MOST = 100_000


def text_of(text: str | None, file: str | None) -> str | None:
    """What was typed, or what is in a file (- is stdin); None when neither was given."""
    if file is None:
        return text
    if text is not None:
        raise click.UsageError("Give the text or --file, not both.")
    try:
        return sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise NotFound(f"{file} cannot be read as text: {error}.", hint="Name a Markdown file in UTF-8.") from error


def file_option(function: Callable[..., R]) -> Callable[..., R]:
    """`--file`: the text is in a file."""
    return click.option("--file", "-F", metavar="FILE", help="Take the text from this file; - is stdin.")(function)


@click.command("note")
@click.argument("run")
@click.argument("text", required=False)
@file_option
@pass_workbench
def note(workbench: Workbench, run: str, text: str | None, file: str | None) -> None:
    """Keep a note in Markdown with a run; an empty one takes it away, none prints it.

    \b
    Example: mlops runs note 3f2a "best so far, seed 7"
    """
    refresh(workbench)
    given = text_of(text, file)
    if given is None:
        kept = workbench.experiments.run(run).tags.get(NOTE_TAG, "")
        click.echo(kept) if kept else say("This run has no note.")
        return
    found = workbench.experiments.note(run, given)
    say(f"Noted with run {found.id}." if given.strip() else f"Run {found.id} has no note now.")


@click.command("tag")
@click.argument("words", nargs=-1, required=True, metavar="[RUN]... KEY=VALUE...")
@click.option("--query", "-q", metavar="QUERY", help="All runs that meet a query instead of named ones.")
@click.option("--remove", "-r", "removed", multiple=True, metavar="KEY", help="Take this tag away; may be given again.")
@why_option
@pass_workbench
def tag(workbench: Workbench, words: tuple[str, ...], query: str | None, removed: tuple[str, ...], why: str) -> None:
    """Set tags of runs, named or found by a query, all or none of them.

    \b
    Example: mlops runs tag --query 'experiment:churn metrics.auc>=0.9' reviewed=yes
    """
    refresh(workbench)
    pairs = [word.partition("=") for word in words if "=" in word]
    ids = [word for word in words if "=" not in word]
    tags: dict[str, str | None] = {**dict.fromkeys(removed), **{key: value for key, _, value in pairs}}
    if bool(ids) == bool(query):
        raise click.UsageError("Name runs, or give --query.")
    if not tags:
        raise click.UsageError("Give at least one KEY=VALUE, or --remove KEY.")
    if query:
        ids = [run.id for run in workbench.experiments.runs(query=query, limit=_MOST)]
        if not ids:
            raise NotFound("No run meets the query.", hint=f"Try it: mlops runs list {query!r}")
    changed = workbench.experiments.tag_many(ids, tags, why=why)
    say(f"{changed} of {len(ids)} runs changed.")


@click.command("rename")
@click.argument("run")
@click.argument("name")
@pass_workbench
def rename(workbench: Workbench, run: str, name: str) -> None:
    """Give a run another name.

    \b
    Example: mlops runs rename 3f2a "wider, seed 7"
    """
    refresh(workbench)
    found = workbench.experiments.rename_run(run, name)
    say(f"Run {found.id} is now called {found.name}.")


@click.command("delete")
@click.argument("run", nargs=-1, required=True)
@why_option
@pass_workbench
def delete(workbench: Workbench, run: tuple[str, ...], why: str) -> None:
    """Hide runs from every list until they are restored or `mlops runs gc` removes them.

    \b
    Example: mlops runs delete 3f2a --why "wrong data"
    """
    refresh(workbench)
    found = [workbench.experiments.run(each) for each in dict.fromkeys(run)]
    for each in found:
        workbench.experiments.delete_run(each.id, why=why)
    say(f"Deleted {_names(found)}. Back again: mlops runs restore {found[0].id[:8]}")


@click.command("restore")
@click.argument("run", nargs=-1, required=True)
@why_option
@pass_workbench
def restore(workbench: Workbench, run: tuple[str, ...], why: str) -> None:
    """Bring deleted runs back.

    \b
    Example: mlops runs restore 3f2a
    """
    found = [workbench.experiments.run(each) for each in dict.fromkeys(run)]
    for each in found:
        workbench.experiments.restore_run(each.id, why=why)
    say(f"Restored {_names(found)}.")


@click.command("remove")
@click.argument("run", nargs=-1, required=True)
@why_option
@yes_option
@pass_workbench
def remove(workbench: Workbench, run: tuple[str, ...], why: str, yes: bool) -> None:
    """Remove runs with everything they logged.

    \b
    Example: mlops runs remove 3f2a 91bc --why "wrong data"
    """
    refresh(workbench)
    found = [workbench.experiments.run(each) for each in dict.fromkeys(run)]
    names = ", ".join(each.id[:8] for each in found)
    confirm(f"Remove {len(found)} runs for good: {names}?", yes=yes)
    for each in found:
        workbench.experiments.remove_run(each.id, why=why)
    say(f"Removed {names}.")


@click.command("gc")
@click.option(
    "--older-than", default="30d", show_default=True, metavar="SPAN", help="What was deleted longer ago than this."
)
@click.option("--dry-run", is_flag=True, help="Only say which runs would go.")
@json_option
@yes_option
@pass_workbench
def gc(workbench: Workbench, older_than: str, dry_run: bool, as_json: bool, yes: bool) -> None:
    """Remove deleted runs and experiments for good, and the files of removed runs that nobody names.

    Files stay while a run, a logged model or a registered version names them, and for an hour after they were stored.

    \b
    Example: mlops runs gc --older-than 7d --dry-run
    """
    refresh(workbench)
    age = clock.parse_span(older_than)
    rooms = workbench.experiments
    due = rooms.collect(older_than_ms=age, dry_run=True)
    if (due.runs or due.experiments) and not dry_run:
        confirm(f"Remove {_due(due)} for good?", yes=yes)
    found = rooms.collect(older_than_ms=age, hold=_registered(workbench), dry_run=dry_run)
    if as_json:
        emit_one(found, True)
        return
    went = "would go" if dry_run else "went"
    freed = "" if dry_run else f", {found.files} files with {human_bytes(found.bytes)}"
    click.echo(f"{_due(found)} {went}{freed}")


def _due(found: Freed) -> str:
    count = len(found.experiments)
    whole = f" and {count} experiment{'s' * (count > 1)}" if count else ""
    return f"{len(found.runs)} deleted runs{whole}"


def _registered(workbench: Workbench) -> set[str]:
    """Hashes of all files of all model versions."""
    registry, store = workbench.registry, workbench.context.artifacts
    shas = {version.sha for model in registry.models() for version in registry.versions(model.name)}
    return shas | {file for sha in shas for file in store.manifest(sha).values()}


def _names(found: list[Run]) -> str:
    return ", ".join(each.id[:8] for each in found)
