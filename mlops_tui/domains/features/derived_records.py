"""What is worked out of tables rather than taken in: aggregates by window, transformations, and what each made."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from mlops_tui.core import clock
from mlops_tui.core.errors import InvalidInput
from mlops_tui.core.ids import did_you_mean
from mlops_tui.domains.features.records import BIGINT, DOUBLE, Snapshot, Table

FUNCTIONS = ("sum", "count", "mean", "min", "max", "last", "distinct")
EXAMPLE = "Write it as: sum(amount) over 7d"
_WORDS = re.compile(r"\s*(\w+)\s*\(\s*(\*|.+?)\s*\)\s+over\s+(\S+)\s*", re.IGNORECASE)
_AVERAGE = {"avg": "mean", "nunique": "distinct", "count_distinct": "distinct"}


@dataclass(frozen=True, slots=True)
class Aggregate:
    """`function(column) over window`: of the rows of one key whose event time t lies in (moment - window, moment].

    `window` is in ms. Every row counts; with `corrected` rows that repeat a key at one time correct each other, and only the
    last of them counts, as in joins. Missing values count for `count(*)` and `last` only.
    """

    name: str
    function: str
    column: str  # "" for count(*)
    window: int
    corrected: bool = False

    @property
    def expression(self) -> str:
        return f"{self.function}({self.column or '*'}) over {span_text(self.window)}"

    def type_in(self, columns: Mapping[str, str]) -> str:
        """The type of its values, from the columns of the table."""
        if self.function in ("sum", "mean"):
            return DOUBLE
        return BIGINT if self.function in ("count", "distinct") else columns[self.column]


def parse_aggregate(words: str, *, name: str = "", corrected: bool = False) -> Aggregate:
    """`sum(amount) over 7d` as a record; without a name it is called `sum_amount_7d`. Raises InvalidInput."""
    match = _WORDS.fullmatch(words)
    if match is None:
        raise InvalidInput(f"'{words}' is no aggregate.", hint=EXAMPLE)
    function = _AVERAGE.get(match[1].lower(), match[1].lower())
    column = "" if match[2] == "*" else match[2].strip('"')
    if function not in FUNCTIONS:
        hint = did_you_mean(function, FUNCTIONS, f"There are: {', '.join(FUNCTIONS)}.")
        raise InvalidInput(f"There is no aggregate '{match[1]}'.", hint=hint)
    if not column and function != "count":
        raise InvalidInput(f"{function}(*) says nothing.", hint=f"Name a column: {function}(amount) over {match[3]}")
    window = clock.parse_span(match[3])
    if window <= 0:
        raise InvalidInput(f"A window of {match[3]} is empty.", hint=EXAMPLE)
    default = "_".join(filter(None, (function, re.sub(r"\W", "_", column), span_text(window))))
    return Aggregate(name or default, function, column, window, corrected)


def span_text(ms: int) -> str:
    """A span as people write it: `7d`, `90m`."""
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000)):
        if ms % size == 0:
            return f"{ms // size}{unit}"
    return f"{ms / 1000:g}s"


@dataclass(frozen=True, slots=True)
class Asked:
    """What a join or a lookup wants of one table: names in the order asked, some of them aggregates."""

    table: Table
    snapshot: Snapshot
    names: tuple[str, ...]
    aggregates: dict[str, Aggregate] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Input:
    """A column that an on-demand transformation takes from a table, and what it is called there."""

    table: str
    column: str
    name: str
    type: str


@dataclass(frozen=True, slots=True)
class Transform:
    """One version of a transformation.

    One that is not on demand fills the table of its name from `inputs` (table references); kind "sql" is a SELECT, "python" an
    import path whose module's text is kept in `source` and is what runs. One on demand is a view: `fields` it looks up,
    `request` fields (name -> type) that come with the request or the spine, `outputs` (name -> type) it gives.
    """

    name: str
    version: int
    kind: str
    on_demand: bool
    body: str
    inputs: tuple[str, ...] = ()
    fields: tuple[Input, ...] = ()
    request: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)
    mode: str = "replace"
    source: str = ""
    author: str = ""
    created_at: int = 0

    @property
    def code_hash(self) -> str:
        """16 hex digits of all that decides what it computes."""
        fields = [(one.table, one.column, one.name, one.type) for one in self.fields]
        told = [self.kind, self.on_demand, self.body, self.inputs, fields, self.request, self.outputs, self.mode]
        return hashlib.sha256(json.dumps([*told, self.source]).encode()).hexdigest()[:16]

    @property
    def reference(self) -> str:
        return f"{self.name}@{self.version}"

    @property
    def tables(self) -> dict[str, list[Input]]:
        """What it looks up, by table."""
        found: dict[str, list[Input]] = {}
        for one in self.fields:
            found.setdefault(one.table, []).append(one)
        return found


@dataclass(frozen=True, slots=True)
class Made:
    """Which transformation made a snapshot, from which snapshots."""

    table: str
    version: int
    transform_version: int
    code_hash: str
    inputs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SkewColumn:
    """How served values of one column compare with the offline join: `share` of `compared` differ, by `largest` at most.

    `examples` hold key, time, served and offline value of a few that differ.
    """

    column: str
    compared: int
    differing: int
    share: float
    largest: float | None
    examples: tuple[dict[str, object], ...] = ()


@dataclass(frozen=True, slots=True)
class SkewReport:
    """Served vectors against the offline join at the same moments. verdict: pass, fail, or empty when none was logged.

    Of predictions `left_out` are those whose entity is not known, `others` the inputs that come from no table.
    """

    table: str
    vectors: int
    since: int | None
    until: int | None
    tolerate: float
    verdict: str
    columns: tuple[SkewColumn, ...]
    left_out: int = 0
    others: tuple[str, ...] = ()
