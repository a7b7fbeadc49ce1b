"""What the labelling screen draws: a row with its fields, the classes with their keys, how far one is. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mlops_tui.tui.lines import Line, Span, clean, crop, fit, line, number, percent, width, wrap

if TYPE_CHECKING:
    from mlops_tui.domains.labels.records import Item, Progress, Suspect

RESERVED = "usnSWpqjk"
"""Keys of the screen itself, which no class gets."""
KEYS = line((" s", "key"), " skip ", ("n", "key"), " note ", ("u", "key"), " undo ", ("S", "key"), " skipped ",
            ("W", "key"), " suspects ", ("p", "key"), " publish ", ("esc", "key"), " close")  # fmt: skip
TWO_COLUMNS = 100
"""From this width on a row with more fields than lines is laid out in two columns."""


def keys_of(classes: Sequence[str]) -> dict[str, str]:
    """Key -> class: 1 to 9 in order, and for each class its first free letter; beyond nine the letter alone."""
    found = {str(at): name for at, name in enumerate(classes[:9], 1)}
    for name in classes:
        letters = [*(letter for letter in name.lower() if "a" <= letter <= "z"), *"abcdefghijklmnopqrstuvwxyz"]
        free = [letter for letter in letters if letter not in found and letter not in RESERVED]
        if free and (name in classes[9:] or free[0] == letters[0]):
            found[free[0]] = name
    return found


def row(item: Item, order: str, note: str, doubt: Suspect | None, room: int, height: int) -> list[Line]:
    """What is in doubt, key, values, why it stands here, the note; in two columns where one is too short and there is room."""
    pairs: list[tuple[str, Span]] = []
    if doubt is not None:
        pairs.append(("labelled", (f"{doubt.label} ({percent(doubt.p_label)})", "warn")))
        pairs.append(("rather", (f"{doubt.suggested} ({percent(doubt.p_suggested)})", "warn")))
    pairs += [(name, (_text(value), "accent")) for name, value in item.key.items()]
    pairs += [(name, (_text(value), "text" if value is not None else "muted")) for name, value in item.values.items()]
    if item.score is not None:
        pairs.append((order, (number(item.score, 3), "muted")))
    if note:
        pairs.append(("note", (note, "warn")))
    lines = _fields(pairs, room)
    if len(lines) > height and room >= TWO_COLUMNS:
        half, wide = (len(pairs) + 1) // 2, room // 2 - 1
        left, right = _fields(pairs[:half], wide), _fields(pairs[half:], wide)
        lines = [_beside(left, right, at, wide) for at in range(max(len(left), len(right)))]
    return lines


def rate(now: Progress | None) -> Line:
    """Who labels, and how fast."""
    if now is None:
        return line(("reading ", "busy"))
    fast = f"{now.per_hour:,.0f} an hour  " if now.per_hour is not None else ""
    return line((fast, "text"), (f"{clean(now.labeller)} ", "muted"))


def nothing(now: Progress, mode: str, room: int) -> list[Line]:
    """That there is no row, and what to do now."""
    if mode != "open":
        what, key = ("skipped row", "S") if mode == "skipped" else ("suspect label", "W")
        return [line(f"No {what} is left."), line((key, "key"), " goes back to the open rows.")]
    words = f"Nothing is left for {now.labeller}: {now.done:,} rows labelled."
    return [
        *(line((piece, "good")) for piece in wrap(words, room)),
        *([line(("S", "key"), f" goes through the {now.skipped:,} skipped ones.")] if now.skipped else []),
        line(("W", "key"), " goes through labels that are likely wrong."),
        line(("p", "key"), " publishes the labels as a feature table."),
    ]


def gauge(now: Progress | None, waiting: int, room: int) -> Line:
    """A bar and figures; `waiting` answers are given and not in the figures yet."""
    if now is None:
        return ()
    words = f" {now.done + waiting:,} done, {now.skipped:,} skipped, {max(0, now.left - waiting):,} left "
    cells = max(4, room - width([(words, "text")]) - 2)
    full = round(cells * min(1.0, (now.rows - now.left + waiting) / max(1, now.rows)))
    return line((" " + "█" * full, "good"), ("░" * (cells - full), "muted"), (words, "text"))


def keys(of: Mapping[str, str], room: int) -> list[Line]:
    """Every class with its keys, as many beside each other as there is room for."""
    by_class: dict[str, list[str]] = {}
    for key, name in of.items():
        by_class.setdefault(name, []).append(key)
    cells = [line((" ".join(found), "key"), f" {clean(name)}") for name, found in by_class.items()]
    if not cells:
        return [()]
    wide = min(room, max(width(cell) for cell in cells) + 3)
    across = max(1, room // wide)
    return [
        tuple(
            span
            for cell in cells[at : at + across]
            for span in (*crop(cell, wide), (" " * (wide - width(cell)), "text"))
        )
        for at in range(0, len(cells), across)
    ]


def _text(value: Any) -> str:
    return "·" if value is None else number(value, 6) if isinstance(value, float) else str(value)


def _fields(pairs: Sequence[tuple[str, Span]], room: int) -> list[Line]:
    label = min(max((len(name) for name, _ in pairs), default=0), max(8, room // 3))
    out: list[Line] = []
    for name, (words, role) in pairs:
        for at, piece in enumerate(wrap(words, max(8, room - label - 2))):
            out.append(((fit(name if at == 0 else "", label) + "  ", "muted"), (piece, role)))
    return out


def _beside(left: Sequence[Line], right: Sequence[Line], at: int, wide: int) -> Line:
    first = crop(left[at], wide) if at < len(left) else ()
    pad: Line = ((" " * (wide - width(first) + 2), "text"),)
    return (*first, *pad, *(right[at] if at < len(right) else ()))
