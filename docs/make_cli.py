"""Write docs/cli.md from the commands themselves, so that the page cannot be wrong: `make docs`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from mlops_tui.cli.app import COMMANDS, cli

PAGE = Path(__file__).parent / "cli.md"
HEAD = """\
# Command line

Generated from the commands by `make docs`; do not edit. Every list and record takes `--json`.

Exit codes: 0 done · 1 a check or gate said no · 2 usage · 3 not found · 4 exists already · 5 invalid input · 6 not allowed ·
7 unavailable · 130 stopped with ctrl+c.

Options before the noun: `--workspace DIR`, `--utc`, `--debug`, `--version`.

Shell completion: `eval "$(_MLOPS_COMPLETE=bash_source mlops)"` in `~/.bashrc` (`zsh_source`, `fish_source` for the others).
"""


def commands() -> list[tuple[str, click.Command]]:
    """Every command with its full name, groups left out."""
    context = click.Context(cli, info_name="mlops")
    found: list[tuple[str, click.Command]] = []
    for noun in COMMANDS:
        command = cli.get_command(context, noun)
        assert command is not None, noun
        if isinstance(command, click.Group):
            found += [(f"{noun} {verb}", sub) for verb, sub in sorted(command.commands.items()) if not sub.hidden]
        else:
            found.append((noun, command))
    return found


def page() -> str:
    """The whole page as Markdown."""
    # Each command keeps the help option it first made, so it has to be made as the root would: with -h.
    root = click.Context(cli, info_name="mlops", max_content_width=100, **cli.context_settings)
    parts, last = [HEAD], ""
    for name, command in commands():
        noun = name.split()[0]
        if noun != last:
            parts.append(f"\n## {noun}\n\n{COMMANDS[noun][1]}\n")
            last = noun
        context = click.Context(command, parent=root, info_name=name)
        parts.append(f"\n```\n{command.get_help(context).strip()}\n```\n")
    return "".join(parts)


if __name__ == "__main__":
    if "--check" in sys.argv:
        sys.exit(PAGE.read_text() != page())
    PAGE.write_text(page())
