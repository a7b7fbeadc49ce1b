"""`mlops secrets`: words that belong in no settings file."""

from __future__ import annotations

import sys

import click

from mlops_tui.cli.output import confirm, emit, json_option, pass_workbench, say, yes_option
from mlops_tui.core.secrets import Secrets
from mlops_tui.workbench import Workbench


@click.group()
def secrets() -> None:
    """Passwords and addresses that open a door by themselves; named `{NAME}` where they are used.

    \b
    Example: mlops secrets set SMTP_PASSWORD
    """


@secrets.command("set")
@click.argument("name")
@pass_workbench
def set_secret(workbench: Workbench, name: str) -> None:
    """Keep a secret, asked for without showing it or read from a pipe; only its owner can read the file.

    \b
    Example: pass show smtp | mlops secrets set SMTP_PASSWORD
    """
    asked = click.prompt(name, hide_input=True, confirmation_prompt=True, err=True) if sys.stdin.isatty() else ""
    Secrets(workbench.workspace).put(name, asked or sys.stdin.read())
    say(f"Kept {name}. Use it as {{{name}}}.")


@secrets.command("list")
@json_option
@pass_workbench
def list_secrets(workbench: Workbench, as_json: bool) -> None:
    """List the names of secrets, never what they hold.

    \b
    Example: mlops secrets list
    """
    rows = [{"name": name} for name in Secrets(workbench.workspace).names()]
    emit(rows, [("name", "Name")], as_json=as_json, empty="No secrets. Keep one: mlops secrets set NAME")


@secrets.command("remove")
@click.argument("name")
@yes_option
@pass_workbench
def remove_secret(workbench: Workbench, name: str, yes: bool) -> None:
    """Forget a secret.

    \b
    Example: mlops secrets remove SMTP_PASSWORD --yes
    """
    confirm(f"Forget {name}?", yes=yes)
    Secrets(workbench.workspace).remove(name)
    say(f"Forgot {name}.")
