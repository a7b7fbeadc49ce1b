"""Text as values: a line is a tuple of (text, role) spans, so that charts, tables and tests share one drawing."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence

from rich.cells import cell_len, set_cell_size

from mlops_tui.core.printable import clean as clean

Span = tuple[str, str]
Line = tuple[Span, ...]

ROLES = (
    "text",
    "muted",
    "title",
    "accent",
    "good",
    "warn",
    "bad",
    "busy",
    "key",
    "s1",
    "s2",
    "s3",
    "s4",
)


@dataclasses.dataclass(frozen=True, slots=True)
class Badge:
    """How a state is drawn: a glyph and a word, never a colour alone."""

    glyph: str
    role: str


_STATES = {
    "good": Badge("●", "good"),
    "busy": Badge("◐", "busy"),
    "wait": Badge("○", "muted"),
    "warn": Badge("▲", "warn"),
    "bad": Badge("✗", "bad"),
    "done": Badge("✓", "good"),
    "off": Badge("■", "muted"),
    "none": Badge("·", "muted"),
}

_STATE_OF = {
    "ready": "good",
    "running": "busy",
    "starting": "busy",
    "claimed": "busy",
    "queued": "wait",
    "pending": "wait",
    "waiting": "wait",
    "degraded": "warn",
    "failed": "bad",
    "crashed": "bad",
    "lost": "bad",
    "error": "bad",
    "critical": "bad",
    "open": "warn",
    "warning": "warn",
    "drift": "warn",
    "quality": "warn",
    "missed": "warn",
    "performance": "warn",
    "unhealthy": "bad",
    "blocked": "warn",
    "no reference": "none",
    "skipped": "none",
    "acknowledged": "none",
    "silenced": "none",
    "resolved": "done",
    "succeeded": "done",
    "finished": "done",
    "passed": "done",
    "sent": "done",
    "ok": "done",
    "active": "good",
    "paused": "off",
    "stopped": "off",
    "cancelled": "off",
    "archived": "off",
    "info": "none",
    "production": "good",
    "staging": "busy",
}


def state(word: object) -> Span:
    """A state as glyph and word: ``running`` -> ``◐ running``."""
    text = clean(word)
    if text == "-":
        return (text, "muted")
    badge = _STATES[_STATE_OF.get(text.lower(), "warn" if "mistake" in text else "none")]
    return (f"{badge.glyph} {text}", badge.role)


def line(*parts: Span | str) -> Line:
    """A line of spans; bare strings get the role ``text``."""
    return tuple((part, "text") if isinstance(part, str) else part for part in parts)


def width(spans: Iterable[Span]) -> int:
    """Terminal cells the spans take."""
    return sum(cell_len(text) for text, _ in spans)


def plain(spans: Iterable[Span]) -> str:
    """The text alone."""
    return "".join(text for text, _ in spans)


def fit(text: str, cells: int, *, right: bool = False) -> str:
    """`text` in exactly `cells` terminal cells, cut with ``…`` or padded with spaces."""
    if cells <= 0:
        return ""
    text = clean(text)
    length = cell_len(text)
    if length > cells:
        return set_cell_size(text, cells - 1) + "…"
    pad = " " * (cells - length)
    return pad + text if right else text + pad


def crop(spans: Line, cells: int) -> Line:
    """The line cut to `cells`, with ``…`` at the cut."""
    out: list[Span] = []
    left = cells
    for text, role in spans:
        length = cell_len(text)
        if length > left:
            out.append((fit(text, left), role))
            return tuple(out)
        out.append((text, role))
        left -= length
    return tuple(out)


def wrap(text: str, cells: int) -> list[str]:
    """Words wrapped to `cells`; a longer word is cut into pieces. Line breaks of the text are kept."""
    out: list[str] = []
    for paragraph in str(text).splitlines() or [""]:
        current = ""
        for word in clean(paragraph).split(" "):
            piece = word
            while cell_len(piece) > cells:
                if current:
                    out.append(current)
                    current = ""
                out.append(piece[:cells])
                piece = piece[cells:]
            joined = f"{current} {piece}" if current else piece
            if cell_len(joined) > cells:
                out.append(current)
                current = piece
            else:
                current = joined
        out.append(current)
    return out


def number(value: float | int | None, digits: int = 4) -> str:
    """A number for people: ``12,345``, ``0.0312``, ``1.2e-09``; nothing is ``-``."""
    if value is None:
        return "-"
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return clean(value)
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, int) or (value == int(value) and abs(value) < 1e15):
        return f"{int(value):,}"
    return f"{value:.{digits}g}" if abs(value) < 1e6 else f"{value:,.0f}"


def size(count: float | int | None) -> str:
    """Bytes for people, in powers of 1000 as on the command line and in series: ``3.2 MB``."""
    if count is None:
        return "-"
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if abs(value) < 1000:
            return f"{value:.0f} {unit}" if unit == "B" or value >= 100 else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"


def percent(value: float | None, digits: int = 0) -> str:
    """A ratio (0-1) as percent; nothing is ``-``."""
    return "-" if value is None else f"{value * 100:.{digits}f}%"


def join(parts: Sequence[Span | str], between: str = "  ") -> Line:
    """Spans with a muted separator between them."""
    out: list[Span] = []
    for index, part in enumerate(parts):
        if index:
            out.append((between, "muted"))
        out.append((part, "text") if isinstance(part, str) else part)
    return tuple(out)
