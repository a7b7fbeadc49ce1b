"""docs/tui.md: its generated parts are true, and every test it names exists."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parent.parent.parent
PAGE = ROOT / "docs" / "tui.md"


def make_tui() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_tui", ROOT / "docs" / "make_tui.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_generated_parts_are_what_the_registry_says() -> None:
    text = PAGE.read_text()
    made = make_tui()
    assert text == made.page(text), "run: make docs"
    assert all(f"<!-- {name}:begin -->" in text for name in made.parts())


NAMED = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE.read_text())


@pytest.mark.parametrize(("path", "name"), sorted(set(NAMED)), ids=lambda value: value.rpartition("/")[2])
def test_a_test_that_the_standard_names_exists(path: str, name: str) -> None:
    assert re.search(rf"^(async )?def {name}\(", (ROOT / path).read_text(), re.MULTILINE), f"{path}::{name}"


def test_every_row_of_the_standard_names_a_test() -> None:
    rows = PAGE.read_text().partition("## The interaction standard")[2].splitlines()
    rows = [row for row in rows if row.startswith("| ") and not row.startswith("| Area")]
    assert len(rows) >= 25
    assert all("::test_" in row for row in rows)
