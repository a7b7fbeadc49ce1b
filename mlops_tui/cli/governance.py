"""`mlops models ask|approve|refuse|...`: what people decide and say about versions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mlops_tui import questions
from mlops_tui.cli.output import confirm, emit, emit_one, json_option, pass_workbench, say, why_option, yes_option
from mlops_tui.core.errors import Unavailable

if TYPE_CHECKING:
    from mlops_tui.domains.registry.records import Request
    from mlops_tui.workbench import Workbench

REQUESTS = [
    ("ref", "Version"),
    ("state", "State"),
    ("asked_by", "Asked by"),
    ("asked_at", "At"),
    ("agreed", "Agreed"),
    ("why", "Why"),
]


@click.command()
@click.argument("model")
@click.option("--approvals", type=click.IntRange(0, 9), required=True, help="How many other people; 0 asks nobody.")
@why_option
@json_option
@pass_workbench
def require(workbench: Workbench, model: str, approvals: int, why: str, as_json: bool) -> None:
    """Let versions of MODEL go to production only after other people approved them.

    \b
    Example: mlops models require churn --approvals 1
    """
    name = workbench.registry.model(model).name
    workbench.registry.approvals.require(name, approvals, why)
    if as_json:
        emit_one({"model": name, "approvals": approvals}, as_json)
    else:
        click.echo(f"{name}: {approvals} approval{'s' * (approvals != 1)} needed before production.")


@click.command()
@click.argument("ref")
@why_option
@json_option
@pass_workbench
def ask(workbench: Workbench, ref: str, why: str, as_json: bool) -> None:
    """Ask for a version to go to production.

    \b
    Example: mlops models ask churn/4 --why "better on new customers"
    """
    _tell(workbench.registry.approvals.ask(workbench.registry.version(ref), why), as_json)


@click.command()
@click.argument("ref")
@click.option(
    "--promote",
    "then",
    is_flag=True,
    help="Promote it to production when this was the last approval needed and no pipeline does.",
)
@why_option
@json_option
@pass_workbench
def approve(workbench: Workbench, ref: str, then: bool, why: str, as_json: bool) -> None:
    """Agree that a version goes to production, as somebody other than who asked or made it.

    Where the run of a pipeline waits for it, that goes on: canary or all at once, as its definition says, and promoted in the end.

    \b
    Example: mlops models approve churn/4 --promote --why "checked the slices"
    """
    found, words = questions.approve(workbench, ref, why, promote=then)
    if not as_json:
        click.echo(words)
    elif then and found.state == "approved":
        emit_one(workbench.registry.version(found.ref), as_json)
    else:
        _tell(found, as_json)


@click.command()
@click.argument("ref")
@why_option
@json_option
@pass_workbench
def refuse(workbench: Workbench, ref: str, why: str, as_json: bool) -> None:
    """Say no to a version that is asked for; the reason is required.

    \b
    Example: mlops models refuse churn/4 --why "worse for new customers"
    """
    _tell(workbench.registry.approvals.refuse(workbench.registry.version(ref), why), as_json)


@click.command()
@click.argument("ref")
@why_option
@json_option
@pass_workbench
def withdraw(workbench: Workbench, ref: str, why: str, as_json: bool) -> None:
    """Take back what you asked for.

    \b
    Example: mlops models withdraw churn/4
    """
    _tell(workbench.registry.approvals.withdraw(workbench.registry.version(ref), why), as_json)


@click.command()
@click.argument("model", required=False)
@click.option("--all", "everything", is_flag=True, help="Ended ones too.")
@json_option
@pass_workbench
def requests(workbench: Workbench, model: str | None, everything: bool, as_json: bool) -> None:
    """List versions that wait for approval.

    \b
    Example: mlops models requests
    """
    name = workbench.registry.model(model).name if model else None
    found = workbench.registry.approvals.list(name, open_only=not everything)
    emit(
        [_row(item) for item in found],
        REQUESTS,
        as_json=as_json,
        empty="Nothing waits for approval. Ask for a version: mlops models ask NAME/VERSION",
    )


@click.command()
@click.argument("ref")
@click.argument("text", required=False)
@json_option
@pass_workbench
def note(workbench: Workbench, ref: str, text: str | None, as_json: bool) -> None:
    """Write a note about a model or a version, or without TEXT list them.

    \b
    Example: mlops models note churn/4 "trained without January"
    """
    if text is not None:
        workbench.registry.note(ref, text)
    columns = [("at", "At"), ("by", "By"), ("version", "Version"), ("text", "Note")]
    empty = f'No notes yet. Write one: mlops models note {ref} "..."'
    emit(workbench.registry.notes(ref), columns, as_json=as_json, empty=empty)


@click.command()
@click.argument("ref")
@click.argument("text")
@json_option
@pass_workbench
def describe(workbench: Workbench, ref: str, text: str, as_json: bool) -> None:
    """Say what a version is for; it heads the model card.

    \b
    Example: mlops models describe churn/4 "Weekly list of customers to call"
    """
    version = workbench.registry.describe(ref, text)
    if as_json:
        emit_one(version, as_json)
    else:
        click.echo(f"{version.ref}: {version.description}")


@click.command()
@click.argument("ref")
@click.argument("pairs", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("--remove", multiple=True, metavar="KEY", help="Take a tag away.")
@json_option
@pass_workbench
def tag(workbench: Workbench, ref: str, pairs: tuple[str, ...], remove: tuple[str, ...], as_json: bool) -> None:
    """Set or remove tags of a version; `models search tag.KEY=VALUE` finds it by them.

    \b
    Example: mlops models tag churn/4 region=north
    """
    wrong = next((pair for pair in pairs if "=" not in pair or pair.startswith("=")), None)
    if wrong is not None or not (pairs or remove):
        raise click.UsageError(f"Give tags as KEY=VALUE{f', not {wrong!r}' if wrong else ''}.")
    version = workbench.registry.version(ref)
    changes: dict[str, str | None] = {key: value for key, _, value in (pair.partition("=") for pair in pairs)}
    for key, value in {**changes, **dict.fromkeys(remove)}.items():
        workbench.registry.remote.tag_version(version.model, version.version, key, value)
    found = workbench.registry.version(version.ref)
    if as_json:
        emit_one(found, as_json)
    else:
        click.echo(f"{found.ref}: {', '.join(f'{key}={value}' for key, value in found.tags.items()) or 'no tags'}")


@click.command()
@click.argument("words", nargs=-1, metavar="[QUERY]...")
@json_option
@pass_workbench
def search(workbench: Workbench, words: tuple[str, ...], as_json: bool) -> None:
    """List the versions of all models that meet a query over name, alias, stage, tags, metrics, data, pipeline, author and time.

    \b
    Example: mlops models search 'metrics.auc>0.9 tag.region=north -stage:archived'
    """
    query = " ".join(words)
    columns = [("ref", "Version"), ("stage", "Stage"), ("aliases", "Aliases"), ("metrics", "Metrics"), ("tags", "Tags")]
    found = workbench.registry.search(query)
    rows = (
        found
        if as_json
        else [{**{name: getattr(one, name) for name, _ in columns}, "created_at": one.created_at} for one in found]
    )
    empty = "Nothing meets the query." if query else "No versions yet. A pipeline makes one: mlops pipelines new NAME"
    emit(rows, [*columns, ("created_at", "Made")], as_json=as_json, empty=empty)


@click.command()
@click.argument("ref")
@click.option("--output", "-o", type=click.Path(path_type=Path, dir_okay=False), help="Write to a file.")
@pass_workbench
def card(workbench: Workbench, ref: str, output: Path | None) -> None:
    """Print the model card of a version, in Markdown.

    \b
    Example: mlops models card churn@champion -o card.md
    """
    text = workbench.registry.card(ref)
    if output is None:
        click.echo(text)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Unavailable(f"{output} cannot be written: {error.strerror}.", hint="Check the folder.") from error
    say(f"Wrote {output}.")


@click.command()
@click.argument("ref")
@json_option
@pass_workbench
def health(workbench: Workbench, ref: str, as_json: bool) -> None:
    """Check that a version would still serve: files, libraries, answers in a fresh process; exit code 1 if not.

    \b
    Example: mlops models health churn@champion
    """
    found = workbench.registry.health(ref)
    emit(found, [("check", "Check"), ("ok", "OK"), ("detail", "Detail")], as_json=as_json)
    if not all(item.ok for item in found if item.check != "profile"):
        raise click.exceptions.Exit(1)


@click.command()
@click.argument("ref")
@click.option("--replacement", required=True, metavar="REF", help="The version that takes its place.")
@yes_option
@why_option
@json_option
@pass_workbench
def retire(workbench: Workbench, ref: str, replacement: str, yes: bool, why: str, as_json: bool) -> None:
    """Archive a version without traffic and write down who replaces it; it stays loadable.

    \b
    Example: mlops models retire churn/2 --replacement churn@champion --yes
    """
    version = workbench.registry.version(ref)
    confirm(f"Archive {version.ref}?", yes=yes)
    found = workbench.serving.retire(version.ref, replacement, why)
    if as_json:
        emit_one(found, as_json)
    else:
        click.echo(found.plan)


def _row(request: Request) -> dict[str, Any]:
    return {
        "ref": request.ref,
        "state": request.state,
        "asked_by": request.asked_by,
        "asked_at": request.asked_at,
        "agreed": f"{request.approvals} of {max(1, request.needed)}",
        "why": request.why,
        "decisions": request.decisions,
    }


def _tell(request: Request, as_json: bool) -> None:
    if as_json:
        emit_one(_row(request), as_json)
    else:
        click.echo(f"{request.ref}: {request.state}, {request.approvals} of {max(1, request.needed)} agreed.")
