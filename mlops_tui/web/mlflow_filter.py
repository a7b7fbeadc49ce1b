"""The filter grammar of MLflow's searches, as its clients write it: comparisons joined by AND.

    metrics.acc > 0.9 and params.`my key` = 'x' and tags.team IN ('a', 'b') and attributes.end_time IS NOT NULL

Nothing here knows what can be compared with what; `mlflow_search.py` does. A mistake is an InvalidInput with a caret under it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from mlops_tui.core.errors import InvalidInput

MAX_FILTER = 20_000
_TOKEN = re.compile(
    r"""\s*(?:
    (?P<number>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?(?![\w.]))
    | (?P<text>'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.)*")
    | (?P<word>(?:[A-Za-z_]\w*|`[^`]+`)(?:\.(?:`[^`]+`|"[^"]+"|[^\s`"'=<>!(),]+))?)
    | (?P<op>>=|<=|!=|=|>|<)
    | (?P<mark>[(),])
    )""",
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Token:
    kind: str
    text: str
    at: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """`entity` is what stands before the dot, empty when nothing does; a str value was quoted, a float was not."""

    entity: str
    key: str
    op: str
    value: str | float | tuple[str, ...] | None
    at: int


class Mistake(InvalidInput):
    """A filter that cannot be read, shown with a caret at `at`."""

    def __init__(self, text: str, at: int, problem: str) -> None:
        begin = max(0, at - 60)
        shown = " ".join(text[begin : at + 40].splitlines())
        super().__init__(f"Invalid filter: {problem}\n  {shown}\n  {' ' * (at - begin)}^")


def parse(text: str) -> list[Comparison]:
    """Read a filter; an empty one has no comparisons. Raises InvalidInput."""
    if len(text) > MAX_FILTER:
        raise InvalidInput(f"A filter has at most {MAX_FILTER} characters.")
    return _Reader(text).read() if text.strip() else []


def identifier(text: str) -> tuple[str, str]:
    """`metrics.acc` -> (`metrics`, `acc`), `name` -> (``, `name`); quotes around either part are taken off."""
    match = re.fullmatch(r"(?:([A-Za-z_]\w*)\.)?(.+)", text, re.DOTALL)
    if match is None:
        raise InvalidInput("An empty name cannot be searched by.")
    entity, key = match[1] or "", match[2]
    if len(key) > 1 and key[0] == key[-1] and key[0] in "`\"'":
        key = key[1:-1]
    return entity, key


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = self._split()
        self.place = 0

    def _split(self) -> list[Token]:
        tokens: list[Token] = []
        at, end = 0, len(self.text.rstrip())
        while at < end:
            match = _TOKEN.match(self.text, at)
            if match is None or match.lastgroup is None:
                at += len(self.text[at:]) - len(self.text[at:].lstrip())
                raise Mistake(self.text, at, "this cannot be read.")
            tokens.append(Token(match.lastgroup, match[match.lastgroup], match.start(match.lastgroup)))
            at = match.end()
        return tokens

    def read(self) -> list[Comparison]:
        found = [self._comparison()]
        while self.place < len(self.tokens):
            self._word("AND")
            found.append(self._comparison())
        return found

    def _comparison(self) -> Comparison:
        name = self._next("a name such as metrics.accuracy")
        if name.kind == "text" and name.text[0] == '"':
            entity, key = "", name.text[1:-1]
        elif name.kind == "word":
            entity, key = identifier(name.text)
        else:
            raise Mistake(self.text, name.at, "a name such as metrics.accuracy was expected.")
        op = self._operator()
        return Comparison(entity, key, op, self._value(op), name.at)

    def _operator(self) -> str:
        token = self._next("a comparison")
        word = token.text.upper()
        if token.kind == "op" or word in {"LIKE", "ILIKE", "IN"}:
            return word
        if word == "NOT":
            self._word("IN")
            return "NOT IN"
        if word == "IS":
            following = self._next("NULL")
            if following.text.upper() == "NULL":
                return "IS NULL"
            if following.text.upper() == "NOT":
                self._word("NULL")
                return "IS NOT NULL"
            raise Mistake(self.text, following.at, "IS is followed by NULL or NOT NULL.")
        raise Mistake(self.text, token.at, "a comparison was expected: one of = != > >= < <= LIKE ILIKE IN IS.")

    def _value(self, op: str) -> str | float | tuple[str, ...] | None:
        if op.startswith("IS"):
            return None
        token = self._next("a value")
        if op.endswith("IN"):
            return self._several(token)
        if token.kind == "text":
            return _unquoted(token.text)
        if token.kind == "number":
            return float(token.text)
        if token.kind == "word" and token.text.lower() in {"nan", "inf", "infinity"}:
            return float(token.text)
        raise Mistake(self.text, token.at, "a number or a quoted text was expected.")

    def _several(self, token: Token) -> tuple[str, ...]:
        if token.text != "(":
            raise Mistake(self.text, token.at, "a list in parentheses was expected.")
        found: list[str] = []
        while True:
            item = self._next("a quoted text")
            if item.kind != "text":
                raise Mistake(self.text, item.at, "a quoted text was expected in the list.")
            found.append(_unquoted(item.text))
            mark = self._next("',' or ')'")
            if mark.text == ")":
                return tuple(found)
            if mark.text != ",":
                raise Mistake(self.text, mark.at, "',' or ')' was expected.")

    def _word(self, word: str) -> None:
        token = self._next(word)
        if token.text.upper() != word:
            more = " OR and parentheses are not part of this grammar." if token.text.upper() == "OR" else ""
            raise Mistake(self.text, token.at, f"{word} was expected.{more}")

    def _next(self, wanted: str) -> Token:
        if self.place >= len(self.tokens):
            raise Mistake(self.text, len(self.text), f"{wanted} was expected at the end.")
        self.place += 1
        return self.tokens[self.place - 1]


def _unquoted(text: str) -> str:
    inner = text[1:-1]
    return inner.replace("''", "'") if text[0] == "'" else inner
