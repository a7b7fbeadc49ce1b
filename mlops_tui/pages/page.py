"""What a page is made of. Values only: each door draws them its own way."""

from __future__ import annotations

from dataclasses import dataclass, field

BAD, GOOD, MUTED = "warn", "good", "muted"


@dataclass(frozen=True, slots=True)
class Words:
    """A paragraph. `role`: "" plain, muted for what explains, warn for what somebody should know."""

    text: str
    role: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """Names and values; empty values are left out."""

    pairs: tuple[tuple[str, str], ...]

    @property
    def said(self) -> tuple[tuple[str, str], ...]:
        """Those with a value."""
        return tuple((name, value) for name, value in self.pairs if value)


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of texts. `roles` colour rows (by place), `numbers` are the columns to align right."""

    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    title: str = ""
    roles: tuple[str, ...] = ()
    numbers: frozenset[int] = frozenset()
    code: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Curve:
    """Points over time (ms), perhaps with a band; None is a gap. `guess` marks an estimate."""

    name: str
    points: tuple[tuple[int, float | None], ...]
    low: tuple[float | None, ...] = ()
    high: tuple[float | None, ...] = ()
    guess: bool = False


@dataclass(frozen=True, slots=True)
class Chart:
    """Curves over one time axis; `level` is a line across that they are compared with."""

    title: str
    curves: tuple[Curve, ...]
    level: float | None = None
    level_name: str = ""
    from_zero: bool = False


@dataclass(frozen=True, slots=True)
class Distribution:
    """Shares by bin, of the reference and now."""

    name: str
    bins: tuple[str, ...]
    reference: tuple[float, ...]
    current: tuple[float, ...]
    words: str = ""
    drifted: bool = False


Part = Words | Facts | Table | Chart | Distribution


@dataclass(frozen=True, slots=True)
class Section:
    """Parts under a heading."""

    title: str
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """Sections under a title; `lead` is the one sentence that says it all."""

    title: str
    lead: str = ""
    sections: tuple[Section, ...] = ()
    made_at: int = 0
    made_by: str = ""
    notes: tuple[str, ...] = field(default=())
