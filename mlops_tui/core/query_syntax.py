"""The query language as text and as a tree: `state:failed metrics.auc>=0.9 -(draft | "old one")`.

    any   := all (("|" | "or") all)*
    all   := term (["and"] term)*
    term  := ("-" | "not") term | "(" any ")" | field [.key] operator value | word | "quoted words"

What a field is and which values it takes is not known here (see `query_values`): reading gives the same tree for every list.
"""

from __future__ import annotations

import dataclasses
import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum

MAX_LENGTH = 10_000
MAX_CONDITIONS = 200  # SQLite nests an expression at most 1000 deep; nobody types more than this
MAX_DEPTH = 50
_SHOWN = 100  # of a long query, around its mistake


class Op(StrEnum):
    """How a field is compared: `:` is equal (case aside) or has, `~` contains (case aside), `=` is exact."""

    NE = "!="
    LE = "<="
    GE = ">="
    EQ = "="
    LT = "<"
    GT = ">"
    CONTAINS = "~"
    HAS = ":"


@dataclass(frozen=True, slots=True)
class Word:
    """Text to be found in any of the named text fields."""

    text: str
    at: int = dataclasses.field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Compare:
    """One field against one value. `quoted` values are text even when they look like numbers."""

    field: str
    key: str
    op: Op
    value: str
    quoted: bool = False
    at: int = dataclasses.field(default=0, compare=False)
    value_at: int = dataclasses.field(default=0, compare=False)
    end: int = dataclasses.field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Not:
    item: Node


@dataclass(frozen=True, slots=True)
class And:
    """Every item holds; without items (an empty query) everything does."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Or:
    items: tuple[Node, ...]


Node = Word | Compare | Not | And | Or


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a query, and where: `length` characters from `at`."""

    message: str
    at: int
    length: int = 1
    hint: str = ""


class Stumble(Exception):  # noqa: N818 - stays inside the query modules; callers see InvalidInput or the Problem
    """Reading cannot go on."""

    def __init__(self, message: str, at: int, length: int = 1, hint: str = "") -> None:
        super().__init__(message)
        self.problem = Problem(message, at, max(1, length), hint)


def caret(text: str, at: int, length: int = 1) -> str:
    """Two lines: the query (a window of it when it is long) and carets under `length` characters from `at`.

    Carets stand where a terminal draws the characters, so wide ones take two columns and combining ones none.
    """
    flat = "".join(" " if unicodedata.category(one)[0] in "CZ" else one for one in text)
    begin = max(0, at - _SHOWN // 2) if len(flat) > _SHOWN else 0
    end = begin + _SHOWN
    shown = flat[begin:end]
    indent = sum(map(_columns, flat[begin:at]))
    marks = sum(map(_columns, flat[at : min(at + length, end)]))
    return f"{shown}\n{' ' * indent}{'^' * max(1, marks)}"


def _columns(one: str) -> int:
    if unicodedata.combining(one):
        return 0
    return 2 if unicodedata.east_asian_width(one) in "WF" else 1


# -- writing -----------------------------------------------------------------------------------------------------------

_KEYWORDS = frozenset({"and", "or", "not"})
_BARE = re.compile(r"""[^\s|()=<>~:!"'`\\-][^\s|()=<>~:!"'`\\]*""")


def quoted(text: str) -> str:
    """`text` in double quotes, with those inside it escaped."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def bare_or_quoted(text: str) -> str:
    """`text` as it may stand in a query: as it is if it is one harmless word, else in quotes."""
    return text if _BARE.fullmatch(text) and text.lower() not in _KEYWORDS else quoted(text)


def render(node: Node) -> str:
    """The query that reads as this tree."""
    match node:
        case Word():
            return bare_or_quoted(node.text)
        case Compare():
            key = f".{node.key if _BARE.fullmatch(node.key) else quoted(node.key)}" if node.key else ""
            apart = " " if node.value.startswith("=") else ""  # or `<` and `=x` would be read as `<=` and `x`
            return f"{node.field}{key}{node.op}{quoted(node.value) if node.quoted else apart + node.value}"
        case Not():
            return "-" + _inside(node.item, And, Or)
        case And():
            return " ".join(_inside(item, And, Or) for item in node.items)
        case Or():
            return " | ".join(_inside(item, Or) for item in node.items)


def _inside(node: Node, *looser: type) -> str:
    return f"({render(node)})" if isinstance(node, looser) else render(node)


# -- reading -----------------------------------------------------------------------------------------------------------

_SPACE = re.compile(r"\s*")
_NAME = re.compile(r"""(?:(?!!=|\.["'`])[^\s|()=<>~:])*""")
_FIELD = re.compile(r"\w[\w-]*")
_OPERATOR = re.compile(r"!=|<=|>=|==|[=<>~:]")
_VALUE = re.compile(r"[^\s|()]*")
_ESCAPE = re.compile(r"\\([\\\"'`])")


def parse(text: str) -> Node:
    """The tree of a query; an empty one is `And(())`. Raises Stumble."""
    if len(text) > MAX_LENGTH:
        raise Stumble(f"The query is longer than {MAX_LENGTH:,} characters.", 0)
    for at, one in enumerate(text):
        if one == "\0" or "\ud800" <= one <= "\udfff":
            raise Stumble("The query holds a character that is no text.", at)
    return _Reader(text).whole()


class _Reader:
    """A place in a query and what can be read from there on."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.depth = 0
        self.conditions = 0

    def whole(self) -> Node:
        self._space()
        if self.at == len(self.text):
            return And(())
        node = self._any()
        if self.at < len(self.text):
            raise Stumble("This parenthesis was never opened.", self.at)
        return node

    def _any(self) -> Node:
        items = [self._all()]
        while self._peek() == "|" or self._keyword("or"):
            self.at += 1 if self._peek() == "|" else 2
            items.append(self._all())
        return items[0] if len(items) == 1 else Or(tuple(items))

    def _all(self) -> Node:
        items = [self._term()]
        while True:
            self._space()
            if self._keyword("and"):
                self.at += 3
            elif self._peek() in ("", "|", ")") or self._keyword("or"):
                return items[0] if len(items) == 1 else And(tuple(items))
            items.append(self._term())

    def _term(self) -> Node:
        self._space()
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise Stumble(f"More than {MAX_DEPTH} parentheses or minuses inside each other.", self.at)
        first = self._peek()
        if first == "-" or self._keyword("not"):
            node = self._negative(1 if first == "-" else 3)
        elif first == "(":
            node = self._group()
        else:
            node = self._condition(first)
        self.depth -= 1
        return node

    def _negative(self, length: int) -> Node:
        start = self.at
        self.at += length
        after = self.text[self.at : self.at + 1]
        if length == 1 and (not after or after.isspace() or after in "|)"):
            raise Stumble("A minus needs something after it that must not hold.", start, hint='As text: "-".')
        return Not(self._term())

    def _group(self) -> Node:
        start = self.at
        self.at += 1
        if self._space() == ")":
            raise Stumble("There is nothing between these parentheses.", start, self.at + 1 - start)
        node = self._any()
        if self._peek() != ")":
            raise Stumble("This parenthesis is never closed.", start)
        self.at += 1
        return node

    def _condition(self, first: str) -> Node:
        self.conditions += 1
        if self.conditions > MAX_CONDITIONS:
            raise Stumble(f"More than {MAX_CONDITIONS} conditions.", self.at)
        start = self.at
        if not first or first in "|)":
            what = "the end" if not first else f"'{first}'"
            raise Stumble(f"Something to look for is missing before {what}.", start)
        if first in "\"'":
            text = self._quoted()
            if not text.strip():
                raise Stumble("There is nothing between these quotes.", start, self.at - start)
            return Word(text, start)
        if operator := _OPERATOR.match(self.text, start):
            raise Stumble(f"'{operator[0]}' needs a field before it.", start, len(operator[0]), "As in state:failed.")
        return self._compare_or_word(start)

    def _compare_or_word(self, start: int) -> Node:
        name = self._take(_NAME)
        key_quoted = self.text[self.at : self.at + 1] == "."  # _NAME stops at a dot only before a quote
        key = ""
        if key_quoted:
            self.at += 1
            key = self._quoted()
        name_end = self.at
        self._space()
        operator = _OPERATOR.match(self.text, self.at)
        if operator is None:
            if key_quoted:
                raise Stumble(
                    "A field needs an operator and a value.", start, name_end - start, "As in metrics.auc>0.9"
                )
            self.at = name_end
            return Word(name, start)
        self.at = operator.end()
        dotted = False
        if not key_quoted:
            name, dot, key = name.partition(".")
            dotted = bool(dot)
        if not _FIELD.fullmatch(name):
            raise Stumble(
                f"'{name}' cannot be a field.", start, name_end - start, "Put it in quotes to look for it as text."
            )
        if (dotted or key_quoted) and not key:
            raise Stumble(f"A name is missing after '{name}.'", start, name_end - start)
        return self._compare(name, key, Op("=" if operator[0] == "==" else operator[0]), start)

    def _compare(self, name: str, key: str, op: Op, start: int) -> Compare:
        operator_at = self.at
        first = self._space()
        value_at = self.at
        is_quoted = first in ('"', "'")
        value = self._quoted() if is_quoted else self._take(_VALUE)
        if not value and not is_quoted:
            raise Stumble(f"'{name}{op}' needs a value.", start, operator_at - start)
        return Compare(name, key, op, value, is_quoted, start, value_at, self.at)

    def _quoted(self) -> str:
        """The text of a quoted string that begins here."""
        start, mark = self.at, self.text[self.at]
        end = start + 1
        while end < len(self.text) and self.text[end] != mark:
            end += 2 if self.text[end] == "\\" else 1
        if end >= len(self.text):
            raise Stumble("This quote is never closed.", start)
        self.at = end + 1
        return _ESCAPE.sub(r"\1", self.text[start + 1 : end])

    def _space(self) -> str:
        """Skip white space; the character after it."""
        self._take(_SPACE)
        return self._peek()

    def _take(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self.text, self.at)
        assert found is not None  # the patterns match the empty text
        self.at = found.end()
        return found[0]

    def _peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def _keyword(self, word: str) -> bool:
        """Whether that word stands here alone, so that `order`, `or=1` and `not:x` are not taken for it."""
        after = self.text[self.at + len(word) : self.at + len(word) + 1]
        return self.text[self.at : self.at + len(word)].lower() == word and (
            not after or after.isspace() or after in "()|"
        )
