"""Promises of the documentation, kept: every command documented, every link alive, every setting listed."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import msgspec
import pytest

from mlops_tui.cli.app import COMMANDS
from mlops_tui.core import settings

ROOT = Path(__file__).parent.parent
PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md"), *ROOT.glob("s*/README.md")])


def make_cli():
    spec = importlib.util.spec_from_file_location("make_cli", ROOT / "docs" / "make_cli.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_of_commands_is_what_the_commands_say() -> None:
    assert (ROOT / "docs" / "cli.md").read_text() == make_cli().page(), "run: make docs"


@pytest.mark.parametrize(
    ("name", "command"), make_cli().commands(), ids=lambda value: value if isinstance(value, str) else ""
)
def test_every_command_says_what_it_does_and_gives_an_example(name: str, command) -> None:
    assert command.help, f"mlops {name} has no help"
    first = command.help.strip().split("\n\n")[0]
    assert first.rstrip().endswith((".", "?")), f"mlops {name}: the first paragraph is not a sentence"
    assert f"mlops {name.split()[0]}" in command.help, f"mlops {name} has no example"


def test_every_noun_of_the_root_help_exists() -> None:
    nouns = {name.split()[0] for name, _ in make_cli().commands()}
    assert nouns == set(COMMANDS)


def test_every_setting_is_documented() -> None:
    text = (ROOT / "docs" / "settings.md").read_text()
    for section, kind in settings.SECTIONS.items():
        assert f"[{section}]" in text
        for field in msgspec.structs.fields(kind):
            assert f"`{field.name}`" in text, f"[{section}] {field.name} is not in docs/settings.md"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text()):
        if "://" not in target and not target.startswith("mailto:"):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_shown_in_the_docs_exist(page: Path) -> None:
    known = {name for name, _ in make_cli().commands()}
    for line in re.findall(r"(?m)^\s*(?:\$ )?mlops ([a-z][a-z ]*)", page.read_text()):
        words = line.split()
        assert words[0] in COMMANDS, f"{page.name}: mlops {line}"
        if len(words) > 1 and any(name.startswith(words[0] + " ") for name in known):
            assert " ".join(words[:2]) in known, f"{page.name}: mlops {line}"
