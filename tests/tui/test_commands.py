"""Every command line the screens show is one that the command line understands."""

from __future__ import annotations

import shlex
from importlib import import_module

import click
import pytest

from mlops_tui.cli import app as cli
from mlops_tui.tui import actions


def shown() -> list[str]:
    """The commands of actions and of empty states, with something in place of names."""
    out = [actions.command(one, dict.fromkeys(("name", "ref", "id", "job"), "1")) for one in actions.ACTIONS]
    for desk, title, _ in actions.DESKS:
        for section in getattr(import_module(f"mlops_tui.tui.screens.{desk}"), f"{title}Desk").SECTIONS:
            out += [section.empty.command] if section.empty is not None else []
    return sorted(set(out))


def root() -> click.Group:
    """The `mlops` command group."""
    return next(one for one in vars(cli).values() if isinstance(one, click.Group))


@pytest.mark.parametrize("line", shown())
def test_a_shown_command_exists_with_its_options_and_arguments(line: str) -> None:
    words = shlex.split(line)[1:]
    command: click.Command = root()
    context = click.Context(command)
    while isinstance(command, click.Group):
        found = command.get_command(context, words.pop(0))
        assert found is not None, line
        command, context = found, click.Context(found, parent=context)
    options = {name: one for one in command.params if isinstance(one, click.Option) for name in one.opts}
    arguments = 0
    while words:
        word = words.pop(0)
        if not word.startswith("--"):
            arguments += 1
            continue
        assert word in options, f"{line}: {word} is none of {sorted(options)}"
        if not options[word].is_flag:
            words.pop(0)
    required = [one for one in command.params if isinstance(one, click.Argument)]
    least = sum(one.required for one in required)
    most = 99 if any(one.nargs == -1 for one in required) else len(required)
    assert least <= arguments <= most, f"{line}: {arguments} arguments, it takes {least} to {most}"
