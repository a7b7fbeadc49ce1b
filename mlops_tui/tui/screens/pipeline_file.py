"""The file of a pipeline as its page shows it: numbered, its parts told apart, each mistake at its line."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

from mlops_tui.tui.charts.line import View
from mlops_tui.tui.lines import Line, Span, clean, line, wrap
from mlops_tui.workbench import Workbench

_PROBLEM = re.compile(r"^[^:]*:(\d+): (.*)$", re.S)


@dataclasses.dataclass(frozen=True, slots=True)
class Written:
    """A definition file as it stands, with its mistakes by line."""

    path: str
    text: str
    problems: tuple[tuple[int, str], ...]


def written(of: str, bench: Workbench) -> Written:
    """Read and validate the file. Raises NotFound."""
    path = Path(bench.pipelines.get(of).path)
    problems = []
    for one in bench.pipelines.validate(path):
        found = _PROBLEM.match(one)
        problems.append((int(found[1]), found[2]) if found else (1, one))
    project = bench.workspace.project
    shown = path.relative_to(project) if path.is_relative_to(project) else path
    return Written(str(shown), path.read_text(encoding="utf-8", errors="replace"), tuple(sorted(problems)))


def draw_written(one: Written, width: int, height: int, view: View | None = None) -> list[Line]:
    """The file with numbered lines; a mistake stands under its line, and all are counted at the top."""
    count = len(one.problems)
    head: Span = (f"✗ {count} {'mistake' if count == 1 else 'mistakes'}", "bad") if count else ("✓ right", "good")
    out: list[Line] = [line((f" {one.path}  ", "muted"), head), ()]
    rows = one.text.splitlines() or [""]
    marks = len(str(len(rows)))
    said: dict[int, list[str]] = {}
    for at, message in one.problems:
        said.setdefault(min(max(1, at), len(rows)), []).append(message)
    for at, row in enumerate(rows, 1):
        wrong = at in said
        out.append(line((f" {at:>{marks}} ", "bad" if wrong else "muted"), ("✗ " if wrong else "│ ", "bad" if wrong else "muted"),
                        *_toml(clean(row))))  # fmt: skip
        for message in said.get(at, ()):
            pieces = wrap(message, max(20, width - marks - 7))
            out += [
                line((" " * (marks + 2), "text"), (f"└ {piece}" if not n else f"  {piece}", "bad"))
                for n, piece in enumerate(pieces)
            ]
    return out


def _toml(row: str) -> Line:
    """A line of TOML with its parts told apart: tables, keys, values, comments."""
    if row.lstrip().startswith("#"):
        return ((row, "muted"),)
    if row.lstrip().startswith("["):
        return ((row, "title"),)
    key, sign, rest = row.partition("=")
    if not sign:
        return ((row, "text"),)
    at = _comment(rest)
    return ((key, "accent"), ("=", "muted"), (rest[:at], "text"), (rest[at:], "muted"))


def _comment(text: str) -> int:
    """Where a comment begins: at the first # outside of quotes."""
    quote = ""
    for at, sign in enumerate(text):
        if quote:
            quote = "" if sign == quote else quote
        elif sign in "\"'":
            quote = sign
        elif sign == "#":
            return at
    return len(text)
