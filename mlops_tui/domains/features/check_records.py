"""What is expected of a table, and how that went. No data is looked at here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from mlops_tui.core import clock
from mlops_tui.core.errors import InvalidInput


class Severity(StrEnum):
    ERROR = "error"
    WARN = "warn"
    INFO = "info"  # told, and never a reason to stop


@dataclass(frozen=True, slots=True)
class Check:
    """One expectation about a table; the kinds and what each needs are in docs/rooms/features.md.

    `low`/`high` bound a range, length, row count, row change (share), mean, deviation or quantile, both ends included; for a
    distribution `high` is the largest PSI. `max_age` is in ms. `where` is an SQL condition that bad rows meet. `to` names the
    column of another table a foreign key leads to (`stations:id`), `against` the version a distribution is compared with.
    `tolerate` is the share of rows (0..1) that may fail. `name` is how people call it.
    """

    kind: str
    columns: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    values: tuple[Any, ...] = ()
    type: str = ""
    max_age: int | None = None
    severity: Severity = Severity.ERROR
    tolerate: float = 0.0
    pattern: str = ""
    where: str = ""
    to: str = ""
    against: int | None = None
    share: float | None = None
    name: str = ""

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Check:
        """A check written as a mapping (TOML, JSON); `column` may stand for `columns`, a span for `max_age`. Raises InvalidInput."""
        given = dict(raw)
        if "column" in given:
            given["columns"] = (given.pop("column"),)
        unknown = set(given) - set(cls.__slots__)
        if unknown or "kind" not in given:
            odd = ", ".join(sorted(unknown)) or "no kind"
            raise InvalidInput(f"A check cannot be read: {odd}.", hint=f"It has: {', '.join(cls.__slots__)}.")
        for name in ("columns", "values"):
            value = given.get(name, ())
            given[name] = (value,) if isinstance(value, (str, int, float)) else tuple(value)
        for name in ("low", "high", "tolerate", "share"):
            _require_number(name, given.get(name))
        if isinstance(given.get("max_age"), str):
            given["max_age"] = clock.parse_span(given["max_age"])
        try:
            given["severity"] = Severity(given.get("severity", "error"))
        except ValueError:
            raise InvalidInput(f"{given['severity']!r} is no severity.", hint="Use error, warn or info.") from None
        return cls(**given)

    def to_dict(self) -> dict[str, Any]:
        """What `from_dict` reads: only what differs from the defaults, a single column as `column`."""
        found: dict[str, Any] = {"name": self.name} if self.name else {}
        found["kind"] = self.kind
        if len(self.columns) == 1:
            found["column"] = self.columns[0]
        elif self.columns:
            found["columns"] = list(self.columns)
        for name in ("low", "high", "type", "max_age", "pattern", "where", "to", "against", "share"):
            value = getattr(self, name)
            if value not in (None, ""):
                found[name] = value
        if self.values:
            found["values"] = list(self.values)
        if self.severity is not Severity.ERROR:
            found["severity"] = self.severity.value
        return found | ({"tolerate": self.tolerate} if self.tolerate else {})

    @property
    def label(self) -> str:
        """How the check reads in a list: `range(temp) -30..50`."""
        head = f"{self.kind}({', '.join(self.columns)})" if self.columns else self.kind
        if self.kind == "quantile" and self.share is not None:
            head = f"p{self.share * 100:g}({', '.join(self.columns)})"
        if self.low is not None or self.high is not None:
            low, high = ("" if bound is None else f"{bound:g}" for bound in (self.low, self.high))
            head = f"{head} {low}..{high}"
        more = (
            self.type or self.pattern or self.where or self.to or (f"against @{self.against}" if self.against else "")
        )
        return f"{head} {more}" if more else head


@dataclass(frozen=True, slots=True)
class CheckResult:
    """How one check went: `bad` of `total` rows fail it. `sample` holds a few of the rows that do, when that is too many."""

    check: str
    severity: str
    ok: bool
    bad: int
    total: int
    detail: str
    name: str = ""
    sample: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class CheckReport:
    """All checks of one snapshot. verdict: pass, warn (only warnings failed) or fail."""

    table: str
    version: int
    at: int
    rows: int
    verdict: str
    results: tuple[CheckResult, ...]

    @property
    def failed(self) -> tuple[CheckResult, ...]:
        return tuple(result for result in self.results if not result.ok)


def _require_number(name: str, value: Any) -> None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float))):
        raise InvalidInput(f"{name} of a check is {value!r}, not a number.", hint=f"Write {name} = 1.5")
