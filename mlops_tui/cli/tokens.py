"""Tokens of the inference gateway: who may ask, where, how often, until when; and what was asked."""

from __future__ import annotations

from typing import Any

import click

from mlops_tui.cli.output import (
    confirm,
    emit,
    emit_one,
    json_option,
    jsonable,
    pass_workbench,
    say,
    why_option,
    yes_option,
)
from mlops_tui.core.clock import parse_span, parse_time
from mlops_tui.domains.serving.access import Right, Token
from mlops_tui.workbench import Workbench

_COLUMNS = [
    ("name", "Token"),
    ("state", "State"),
    ("rights", "May"),
    ("deployments", "Deployments"),
    ("rate", "A second"),
    ("expires_at", "Expires"),
    ("created_by", "By"),
]
_USAGE = [
    ("token", "Token"),
    ("deployment", "Deployment"),
    ("requests", "Requests"),
    ("rows", "Rows"),
    ("errors", "Errors"),
    ("limited", "Over the rate"),
    ("last_at", "Last"),
]


@click.group()
def tokens() -> None:
    """Tokens of the inference gateway; with serving.require_token nothing but health is answered without one.

    \b
    Example: mlops tokens create shop --deployment churn --expires 90d --rate 50
    """


@tokens.command()
@click.argument("name")
@click.option(
    "--scope",
    "rights",
    multiple=True,
    type=click.Choice([right.value for right in Right]),
    default=["infer"],
    help="What it may do; admin is everything. Can be given again.",
    show_default=True,
)
@click.option("--deployment", "deployments", multiple=True, metavar="NAME", help="Only there; can be given again.")
@click.option("--expires", metavar="SPAN|TIME", help="How long it is good (90d, 12h), or until when (ISO 8601).")
@click.option("--rate", type=float, metavar="N", help="At most N requests a second.")
@why_option
@json_option
@pass_workbench
def create(
    workbench: Workbench,
    name: str,
    rights: tuple[str, ...],
    deployments: tuple[str, ...],
    expires: str | None,
    rate: float | None,
    why: str,
    as_json: bool,
) -> None:
    """Make a token and print its secret, which is kept nowhere and not shown again.

    \b
    Example: mlops tokens create shop --deployment churn --scope infer --scope feedback --expires 90d
    """
    until = _until(expires, workbench.context.now()) if expires else None
    token, secret = workbench.serving.tokens.create(
        name, rights=rights, deployments=deployments, expires_at=until, rate=rate, why=why
    )
    if as_json:
        emit_one({**_facts(token, workbench.context.now()), "secret": secret}, as_json=True)
        return
    say(f"The secret of {name}; it is not shown again. Send it as: Authorization: Bearer SECRET")
    click.echo(secret)


@tokens.command("list")
@json_option
@pass_workbench
def list_(workbench: Workbench, as_json: bool) -> None:
    """List all tokens, those that are over too.

    \b
    Example: mlops tokens list
    """
    now = workbench.context.now()
    rows = [_facts(token, now) for token in workbench.serving.tokens.list()]
    if not as_json:
        rows = [
            {**row, "rights": ", ".join(row["rights"]), "deployments": ", ".join(row["deployments"])} for row in rows
        ]
    emit(rows, _COLUMNS, as_json=as_json, empty="No tokens yet. Make one: mlops tokens create NAME")


@tokens.command()
@click.argument("name")
@yes_option
@why_option
@pass_workbench
def revoke(workbench: Workbench, name: str, yes: bool, why: str) -> None:
    """Make a token worth nothing; a running gateway knows within a second.

    \b
    Example: mlops tokens revoke shop --why "it was in a screenshot"
    """
    workbench.serving.tokens.get(name)
    confirm(f"Revoke the token {name}? Whoever uses it will be answered with 401.", yes=yes)
    workbench.serving.tokens.revoke(name, why=why)
    say(f"Revoked {name}.")


@tokens.command()
@click.argument("name", required=False)
@click.option("--since", default="30d", help="An ISO 8601 time, or a span back from now.", show_default=True)
@json_option
@pass_workbench
def usage(workbench: Workbench, name: str | None, since: str, as_json: bool) -> None:
    """Show what tokens asked, by deployment.

    \b
    Example: mlops tokens usage shop --since 7d
    """
    begin = parse_time(since, now=workbench.context.now())
    found = workbench.serving.tokens.usage(begin, name)
    emit(found, _USAGE, as_json=as_json, empty="No token was used in that time.")


def _facts(token: Token, now: int) -> dict[str, Any]:
    facts = jsonable(token)
    assert isinstance(facts, dict)
    facts.pop("hash")
    return {**facts, "state": token.state(now)}


def _until(text: str, now: int) -> int:
    return parse_time(text, now=now) if text[:4].isdigit() and "-" in text else now + parse_span(text)
