"""A rollout as the serving desk shows it: how far, what it waits for, and the evidence against its limit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mlops_tui.tui.blocks import Block, Fields, Grid
from mlops_tui.tui.lines import Span, number, state
from mlops_tui.tui.screens import cells

if TYPE_CHECKING:
    from mlops_tui.domains.serving.evidence import Evidence
    from mlops_tui.domains.serving.rollout import Rollout
    from mlops_tui.workbench import Workbench

HEAD = ("Evidence", "Canary", "Others", "Against it", "Worse by")
BAR = 5


def rollout_blocks(bench: Workbench, name: str) -> Sequence[Block]:
    """The rollout of a deployment that is under way, else its last one; nothing when it never had one."""
    current = bench.serving.rollouts.current(name)
    if current is not None:
        one, judgement = current
        return _blocks(bench, one, judgement.reason, judgement.evidence)
    past = bench.serving.rollouts.list(name, limit=1)
    return _blocks(bench, past[0], past[0].reason, past[0].evidence) if past else ()


def _blocks(bench: Workbench, one: Rollout, reason: str, evidence: Sequence[Evidence]) -> Sequence[Block]:
    now = bench.context.now()
    steps = "  ".join(f"[{step:g}%]" if place == one.step else f"{step:g}%" for place, step in enumerate(one.steps))
    head = Fields(
        (
            ("Version", one.ref),
            ("State", state(one.state)),
            ("Steps", steps),
            ("Now" if one.ended_at is None else "Because", reason),
            ("Began", cells.moment(one.began_at, now)),
            ("Ended", cells.moment(one.ended_at, now) if one.ended_at else ""),
            ("By", f"{one.by}: {one.why}" if one.why else one.by),
        ),
        title="Rollout",
    )
    limit = len(evidence) / one.rules.alpha if evidence else 0.0
    rows = tuple(_row(item, one, limit) for item in evidence)
    return (head, Grid(HEAD, rows)) if rows else (head,)


def _row(item: Evidence, one: Rollout, limit: float) -> tuple[Span, ...]:
    margin = f"of {100 * one.rules.margin(item.kind):g}%"
    gap = "" if item.difference is None else f"<{max(0.0, item.difference):.1%} {margin}"
    role = "bad" if item.e_value > limit else "text"
    return (
        (item.kind, "text"),
        (f"{item.canary_failed}/{item.canary}", "text"),
        (f"{item.stable_failed}/{item.stable}", "text"),
        (f"{_filled(item.e_value, limit)} {number(item.e_value, 3)} of {limit:g}", role),
        (gap, "text" if not item.missing else "warn"),
    )


def _filled(value: float, limit: float) -> str:
    """How much of the way to its limit the evidence has gone, in powers: it multiplies with each failure."""
    share = math.log(max(1.0, value)) / math.log(limit) if limit > 1 else 0.0
    cells = min(BAR, round(BAR * share))
    return "█" * cells + "·" * (BAR - cells)
