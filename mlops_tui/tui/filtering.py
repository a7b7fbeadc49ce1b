"""The filter line: words that must occur, ``-word`` that must not, ``column:word`` for one column."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence


@dataclasses.dataclass(frozen=True, slots=True)
class Term:
    """One word of a filter."""

    word: str
    column: str = ""
    negative: bool = False


def parse(text: str) -> tuple[Term, ...]:
    """The words of a filter; an empty or unfinished word (``-``, ``state:``) says nothing."""
    out: list[Term] = []
    for raw in text.lower().split():
        negative = raw.startswith("-") and len(raw) > 1
        word = raw[1:] if negative else raw
        column, colon, rest = word.partition(":")
        if colon and column.isidentifier():
            if rest:
                out.append(Term(rest, column, negative))
        elif word != "-":
            out.append(Term(word, "", negative))
    return tuple(out)


def matches(terms: Sequence[Term], titles: Sequence[str], cells: Sequence[str]) -> bool:
    """True when every term holds for the row. A column is found by the start of its title; an unknown one is text."""
    row = [cell.lower() for cell in cells]
    whole = " ".join(row)
    return all(_holds(term, titles, row, whole) for term in terms)


def _holds(term: Term, titles: Sequence[str], row: Sequence[str], whole: str) -> bool:
    at = next((i for i, title in enumerate(titles) if term.column and title.lower().startswith(term.column)), None)
    if at is not None:
        return (term.word in row[at]) != term.negative
    word = f"{term.column}:{term.word}" if term.column else term.word
    return (word in whole) != term.negative
