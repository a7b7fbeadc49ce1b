"""What the gate of a pipeline run decided: every check with its number, its interval and the rows it rests on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mlops_tui.tui.blocks import Block, Text
from mlops_tui.tui.lines import Span, number
from mlops_tui.tui.screens.explained import Explained

if TYPE_CHECKING:
    from mlops_tui.domains.pipelines.records import GateCheck, GateVerdict

WORDS = {True: ("✓ yes", "good"), False: ("✗ no", "bad"), None: ("· open", "muted")}
ROLES = {"blessed": "good", "blocked": "bad", "needs_person": "warn"}


def blocks(verdict: GateVerdict) -> Sequence[Block]:
    """The decision in a sentence, then the checks."""
    against = f" against {verdict.champion}" if verdict.champion else ""
    outcome = str(verdict.outcome)
    said = f"{outcome.replace('_', ' ')}{against}: {verdict.reason}"
    return (
        Text(said, ROLES.get(outcome, "text"), title="Gate"),
        Explained(("", "Check", "Value", "Limit", ""), tuple(_row(one) for one in verdict.checks)),
    )


def _row(one: GateCheck) -> tuple[Span | str, ...]:
    value = number(one.value) if one.value is not None else ""
    return (WORDS[one.passed], one.name, value, one.limit, (_detail(one), "muted"))


def _detail(one: GateCheck) -> str:
    """Interval and rows, where they are not in the words of the check anyway."""
    said = [one.detail] if one.detail else []
    if one.low is not None and one.high is not None and "[" not in one.detail:
        said.append(f"between {number(one.low)} and {number(one.high)}")
    if one.rows_needed:
        said.append(f"needs {one.rows_needed:,} rows, has {one.rows or 0:,}")
    return "; ".join(said)
