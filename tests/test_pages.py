"""Every command on every page is one that could be typed: its options exist and its arguments fit. `bench/pages.py` runs them."""

from __future__ import annotations

import importlib.util
import shlex
import sys
from pathlib import Path

import click
import pytest

from mlops_tui.cli.app import cli

ROOT = Path(__file__).parent.parent
SHELL = {"|", "||", "&&", ">", ">>", ";"}
PAGES = [
    page for page in sorted((ROOT / "docs").rglob("*.md")) if page.name != "cli.md"
]  # that one is made from the code


@pytest.fixture(scope="module")
def pages():
    spec = importlib.util.spec_from_file_location("bench_pages", ROOT / "bench" / "pages.py")
    module = sys.modules["bench_pages"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    del sys.modules["bench_pages"]


def typed(line: str) -> list[list[str]]:
    """The words after each `mlops` of a line of shell; none of a line with a command in a command."""
    found: list[list[str]] = [[]]
    for word in shlex.split(line, comments=True) if "$(" not in line else ():
        if word in SHELL:
            found.append([])
        else:
            found[-1].append(word)
    named = [words[next((at for at, word in enumerate(words) if "=" not in word), 0) :] for words in found]
    return [words[1:] for words in named if words[:1] == ["mlops"]]


def understand(words: list[str]) -> None:
    """Read a command as click would, to its last option, without doing anything."""
    command: click.Command = cli
    context = cli.make_context("mlops", words)
    while isinstance(command, click.Group) and (rest := [*context._protected_args, *context.args]):
        name, command, rest = command.resolve_command(context, rest)
        context = command.make_context(name, rest, parent=context)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_of_a_page_is_understood(pages, page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for line in pages.commands(page.read_text(encoding="utf-8")):
        for words in typed(line.command):
            try:
                understand(words)
            except click.exceptions.Exit:  # --help
                pass
            except click.UsageError as error:
                if "does not exist" not in error.format_message():  # a file that the page has made before
                    pytest.fail(f"{page.name}: {line.command}\n{error.format_message()}")


def test_what_a_page_says_is_found_in_blocks_and_in_sentences(pages) -> None:
    text = "```\nmlops demo\nMLOPS_ACTOR=ana mlops models note a/1 'two\nlines'\n# a comment\n```\n```toml\nmlops = 1\n```\n"
    text += "Then `mlops alerts test NAME --json`, `mlops alerts list\n--all`, or `mlops tui`."
    assert [one.command for one in pages.commands(text)] == [
        "mlops demo", "MLOPS_ACTOR=ana mlops models note a/1 'two\nlines'", "mlops alerts list --all",
    ]  # fmt: skip
    assert typed("printf x | mlops secrets set A && mlops tui || true") == [["secrets", "set", "A"], ["tui"]]
