"""Columns and small texts several desks use."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from mlops_tui.core import clock
from mlops_tui.tui.lines import Span, clean, number, percent, size, state
from mlops_tui.tui.widgets.table import Column


def text(
    title: str, get: Callable[[Any], object], *, width: int = 0, rank: int = 1, grow: bool = False, role: str = "text"
) -> Column:
    """A column of words."""
    return Column(title, lambda one, now: (clean(get(one) or ""), role), width=width, rank=rank, grow=grow)


def count(title: str, get: Callable[[Any], float | int | None], *, rank: int = 1) -> Column:
    """A right-aligned number."""
    return Column(title, lambda one, now: number(get(one)), sort=get, right=True, rank=rank, kind="number")


def decimal(title: str, get: Callable[[Any], float | None], places: int, *, rank: int = 1) -> Column:
    """A right-aligned number with so many places, so that points stand below each other."""

    def text(one: Any, now: int) -> str:
        value = get(one)
        return "-" if value is None else f"{value:,.{places}f}"

    return Column(title, text, sort=get, right=True, rank=rank, kind="number")


def share(title: str, get: Callable[[Any], float | None], *, rank: int = 1) -> Column:
    """A right-aligned share in percent."""
    return Column(title, lambda one, now: percent(get(one), 1), sort=lambda one: _hundred(get(one)), right=True, rank=rank,
                  width=8, kind="number")  # fmt: skip


def _hundred(value: float | None) -> float | None:
    return None if value is None else 100 * value


def byte_size(title: str, get: Callable[[Any], int | None], *, rank: int = 1) -> Column:
    """A right-aligned size."""
    return Column(title, lambda one, now: size(get(one)), sort=get, right=True, rank=rank, kind="size")


def when(title: str, get: Callable[[Any], int | None], *, rank: int = 1) -> Column:
    """How long ago, or in how long."""
    return Column(
        title, lambda one, now: (clock.ago(get(one), now), "muted"), sort=get, width=14, rank=rank, kind="time"
    )


def status(title: str, get: Callable[[Any], object], *, rank: int = 1) -> Column:
    """A state as glyph and word."""
    return Column(
        title, lambda one, now: state(get(one)), sort=lambda one: str(get(one)), width=16, rank=rank, kind="text"
    )


def lasted(
    title: str, start: Callable[[Any], int | None], end: Callable[[Any], int | None], *, rank: int = 1
) -> Column:
    """How long something took, or has taken so far."""

    def length(one: Any, now: int) -> int | None:
        begun = start(one)
        return None if begun is None else (end(one) or now) - begun

    return Column(
        title,
        lambda one, now: clock.duration(length(one, now)),
        sort=lambda one: length(one, 2**53),
        right=True,
        rank=rank,
        width=14,
        kind="span",
    )


def moment(ms: int | None, now: int) -> str:
    """A time of day with its age: ``2026-11-21 09:30:00 (3 min ago)``; nothing for None."""
    return "" if ms is None else f"{clock.local(ms)} ({clock.ago(ms, now)})"


def compact(value: Any) -> str:
    """Any value in one line: a flat mapping as words, else JSON; nothing for None or empty."""
    if value in (None, "", {}, [], ()):
        return ""
    if isinstance(value, dict) and not any(isinstance(one, (dict, list)) for one in value.values()):
        return ", ".join(f"{name} {_time(name, one)}" for name, one in value.items())
    return value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)


def _time(name: str, value: Any) -> Any:
    """What a field holds, as people read it: ms since 1970 are no time to them."""
    return clock.local(value) if name.endswith("_at") and isinstance(value, int) and value > clock.DAY else value


def yes_no(value: bool, yes: str, no: str) -> Span:
    """A condition as a state."""
    return (f"✓ {yes}", "good") if value else (f"✗ {no}", "bad")
