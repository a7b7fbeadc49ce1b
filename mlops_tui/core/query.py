"""Queries over lists: one language for the command line, the terminal application and Python (docs/query.md).

`read` checks a query against the fields of a list and raises InvalidInput with a caret under the mistake; `attempt` gives the
mistake as a value, for whoever is still typing. A `Query` selects records in Python (`holds`) or rows in SQL (`sql`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

from mlops_tui.core import clock
from mlops_tui.core.errors import InvalidInput
from mlops_tui.core.query_binding import bind
from mlops_tui.core.query_syntax import And, Compare, Node, Not, Op, Or, Problem, Stumble, Word, caret, parse, render
from mlops_tui.core.query_values import Field, Fields, Fragment, Kind, Narrow, Sql, Test

__all__ = [
    "Field",
    "Fields",
    "Kind",
    "Narrow",
    "Problem",
    "Query",
    "Sql",
    "attempt",
    "caret",
    "form",
    "parse",
    "read",
    "render",
]

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Every:
    """All of these hold."""

    items: tuple[Bound, ...]


@dataclass(frozen=True, slots=True)
class Some:
    """One of these holds."""

    items: tuple[Bound, ...]


@dataclass(frozen=True, slots=True)
class No:
    """This does not hold."""

    item: Bound


Bound = Test | Every | Some | No


@dataclass(frozen=True, slots=True)
class Query:
    """A query that fits its list. `tree` is what was written, `bound` what it means there."""

    text: str
    tree: Node
    bound: Bound

    @property
    def empty(self) -> bool:
        """Whether everything meets it."""
        return self.bound == Every(())

    def holds(self, record: object) -> bool:
        """Whether a record meets the query."""
        return _holds(self.bound, record)

    def select(self, records: Iterable[R]) -> list[R]:
        """The records that meet it, in their order."""
        return [record for record in records if _holds(self.bound, record)]

    def sql(self, narrow: Narrow | None = None) -> Fragment:
        """A condition for WHERE and its parameters; every value of the query is a parameter.

        With `narrow`, conditions that few rows meet become the numbers of those rows.
        """
        return _sql(self.bound, narrow)


def read(text: str, fields: Fields, now: int | None = None) -> Query:
    """Check a query against the fields of a list; `now` (ms) is what spans such as `2d` count from.

    Raises InvalidInput whose message has the query and a caret under the mistake on two lines of their own.
    """
    found = attempt(text, fields, now)
    if isinstance(found, Problem):
        raise InvalidInput(f"{found.message}\n{caret(text, found.at, found.length)}", hint=found.hint)
    return found


def attempt(text: str, fields: Fields, now: int | None = None) -> Query | Problem:
    """Like `read`, but a mistake comes back as a value."""
    try:
        tree = parse(text)
        return Query(text, tree, _bind(tree, fields, clock.now_ms() if now is None else now))
    except Stumble as stumble:
        return stumble.problem


def form(text: str) -> Node | Problem:
    """The tree of a query, or its mistake, as far as that can be said without knowing the fields."""
    try:
        return parse(text)
    except Stumble as stumble:
        return stumble.problem


def _bind(node: Node, fields: Fields, now: int) -> Bound:
    match node:
        case Word():
            return Some(tuple(Test(one, "", Op.CONTAINS, node.text) for one in fields.all if one.searched))
        case Compare():
            tests = bind(node, fields, now)
            return tests[0] if len(tests) == 1 else Some(tests)
        case Not():
            return No(_bind(node.item, fields, now))
        case And():
            return Every(tuple(_bind(item, fields, now) for item in node.items))
        case Or():
            return Some(tuple(_bind(item, fields, now) for item in node.items))


def _holds(bound: Bound, record: object) -> bool:
    match bound:
        case Test():
            return bound.holds(record)
        case Every():
            return all(_holds(item, record) for item in bound.items)
        case Some():
            return any(_holds(item, record) for item in bound.items)
        case No():
            return not _holds(bound.item, record)


def _sql(bound: Bound, narrow: Narrow | None) -> Fragment:
    match bound:
        case Test():
            return bound.sql(narrow)
        case No():
            text, params = _sql(bound.item, narrow)
            return f"NOT {text}", params
        case Every() | Some():
            pieces = [_sql(item, narrow) for item in bound.items]
            if not pieces:
                return ("1", []) if isinstance(bound, Every) else ("0", [])
            joined = (" AND " if isinstance(bound, Every) else " OR ").join(text for text, _ in pieces)
            return f"({joined})", [param for _, params in pieces for param in params]
