"""The filter line: the query language over what a list shows, live, with the last good answer kept while it is wrong."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Sequence
from typing import Any

from mlops_tui.core import query
from mlops_tui.core.query import Field, Fields, Kind, Problem
from mlops_tui.core.query_completion import complete, token
from mlops_tui.tui.lines import Line, clean, line, width
from mlops_tui.tui.widgets.columns import Column

PROMPT = 1
"""Cells left of the text in the filter line."""
_KINDS = {kind.value: kind for kind in Kind}


@dataclasses.dataclass
class Typed:
    """What stands in a filter line: `good` is the last text that could be read, `problem` why the present one cannot."""

    text: str = ""
    good: str = ""
    problem: Problem | None = None
    fields: Fields | None = None

    def take(self, text: str, fields: Fields | None, now: int) -> None:
        """Read what is typed now. Without fields (the store knows them) anything with the right form is good."""
        self.text, self.fields = text, fields
        found = query.attempt(text, fields, now) if fields is not None else query.form(text)
        self.problem = found if isinstance(found, Problem) else None
        if self.problem is None:
            self.good = text

    def select(self, records: Sequence[Any], now: int) -> Sequence[Any]:
        """The records that meet the last good text."""
        if not self.good.strip() or self.fields is None:
            return records
        found = query.attempt(self.good, self.fields, now)
        return records if isinstance(found, Problem) else found.select(records)


def fields_of(
    columns: Sequence[Column], now: int, known: Callable[[], Sequence[Any]], asks: Fields | None = None
) -> Fields:
    """A field per column of a list in memory, named by its title; words look into every cell as it is drawn.

    What `asks` holds goes before a column of its name: a query means what it means on the command line.
    """
    seen: Field = Field("row", aliases=("any",), get=lambda one: _drawn(columns, one, now), searched=True)
    own = (_field(column, now, known) for column in columns)
    taken = {name for one in asks or () for name in (one.name, *one.aliases)}
    return Fields(*(one for one in own if one.name not in taken), *(asks or ()), seen)


def _field(column: Column, now: int, known: Callable[[], Sequence[Any]]) -> Field:
    name = re.sub(r"\W+", "_", column.title.lower()).strip("_") or "column"
    kind = _KINDS.get(column.kind, Kind.TEXT)
    if kind is not Kind.TEXT and column.sort is not None:
        return Field(name, kind, column.sort, (name.partition("_")[0],))

    def text(record: Any) -> str:
        value = column.sort(record) if column.kind and column.sort else _plain(column, record, now)
        return "" if value is None else str(value)

    return Field(
        name, Kind.TEXT, text, (name.partition("_")[0],), known=lambda: sorted({text(one) for one in known()} - {""})
    )


def _plain(column: Column, record: Any, now: int) -> str:
    cell = column.cell(record, now)
    return cell if isinstance(cell, str) else cell[0]


def _drawn(columns: Sequence[Column], record: Any, now: int) -> str:
    return " ".join(_plain(column, record, now) for column in columns)


def said(typed: Typed, room: int) -> Line:
    """Under a filter line that cannot be read: carets below the mistake, then what is wrong as far as there is room."""
    problem = typed.problem
    assert problem is not None
    marks = query.caret(typed.text, problem.at, problem.length).split("\n")[1]
    message, hint = clean(problem.message), clean(problem.hint)
    if PROMPT + len(marks) + 1 + width([(message, "")]) > room:  # the mistake is far to the right: the words come first
        return line((f" ✗ {message}", "bad"))
    return line((" " * PROMPT + marks, "bad"), (f" {message}", "text"), (f"  {hint}", "muted"))


@dataclasses.dataclass
class Completion:
    """What tab offers at a place, one after the other: `before` and `after` stay, `text` is the result."""

    before: str
    after: str
    offers: tuple[str, ...]
    at: int = -1
    text: str = ""

    @classmethod
    def of(cls, text: str, cursor: int, fields: Fields) -> Completion:
        """The offers at the cursor of a text."""
        start, end = token(text, cursor)
        return cls(text[:start], text[end:], tuple(complete(text, cursor, fields)))

    def next(self) -> tuple[str, int]:
        """The text with the next offer in it, and where the cursor stands then."""
        self.at = (self.at + 1) % len(self.offers)
        before = self.before + self.offers[self.at]
        self.text = before + self.after
        return self.text, len(before)

    def shown(self) -> Line:
        """The offers, the present one marked."""
        spans = [(f" {clean(offer)} ", "title" if at == self.at else "muted") for at, offer in enumerate(self.offers)]
        return line(*spans[max(0, self.at - 2) :]) if spans else line((" Nothing begins like that. ", "muted"))
