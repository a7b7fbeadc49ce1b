"""When an action is allowed, and the sentence that says why not."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

START_DAEMON = "mlops daemon start"
READ_ONLY = "This session is read-only (--read-only)."


@dataclasses.dataclass(frozen=True)
class Situation:
    """What decides whether an action is allowed: the selected record and whether a daemon runs (None: not known yet).

    `names` are what command lines call the record, `keys` the keys of the user by action id, where they are not those
    of the registry, `read_only` that nothing may be changed, `undo` what the newest act that can be undone was. `list`
    is what saved views call the list on screen ("" = it has none), `filter` the query in force there. `panes` are the
    kinds of panes on screen with keys of their own (``chart``), `pane` the one that has the focus. `marked` are the
    records that acts are about instead of the selected one, where they can be about several.
    """

    record: Any = None
    daemon: bool | None = None
    names: Mapping[str, object] = dataclasses.field(default_factory=dict)
    read_only: bool = False
    keys: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    undo: str = ""
    list: str = ""
    filter: str = ""
    panes: frozenset[str] = frozenset()
    pane: str = ""
    marked: tuple[Any, ...] = ()


Rule = Callable[[Situation], str]


def needs_daemon(situation: Situation) -> str:
    """Only a running daemon can do it."""
    return f"The daemon is not running. Start it: {START_DAEMON}" if situation.daemon is False else ""


def no_daemon(situation: Situation) -> str:
    """There is something to start."""
    return "The daemon runs already." if situation.daemon else ""


def something_to_undo(situation: Situation) -> str:
    """Something was done in this session that can be taken back."""
    return "" if situation.undo else "Nothing was done in this session that can be undone."


def has_views(situation: Situation) -> str:
    """The list on screen is one whose queries can be saved."""
    return "" if situation.list else "Views are saved of feature tables, runs, models, deployments, alerts and jobs."


def filtered(situation: Situation) -> str:
    """There is a filter that can be read."""
    return "" if situation.filter.strip() else "There is no filter to save; / begins one."


def chart_on_screen(situation: Situation) -> str:
    """There is a chart to look into."""
    return "" if "chart" in situation.panes else "There is no chart on screen."


def of_run_or_job(situation: Situation) -> str:
    """The selected process works for a run or a job of this workspace."""
    owner = str(getattr(situation.record, "owner", ""))
    if owner.partition(" ")[0] in ("run", "job"):
        return ""
    return (
        f"It works for {owner}, which is stopped on its own desk."
        if owner
        else "It is not of a run or job of this workspace."
    )


def state_in(*words: str) -> Rule:
    """The selected record is in one of these states, or one of several that are marked is."""

    def rule(situation: Situation) -> str:
        if any(str(getattr(one, "state", "")) in words for one in situation.marked):
            return ""
        now = str(getattr(situation.record, "state", ""))
        return "" if now in words else f"It is {now}; this needs {' or '.join(words)}."

    return rule


def equals(field: str, wanted: Any, reason: str) -> Rule:
    """A field of the selected record has this value; a record without the field passes."""
    return lambda situation: "" if getattr(situation.record, field, wanted) == wanted else reason


def has(field: str, reason: str) -> Rule:
    """A field of the selected record is not empty."""
    return lambda situation: "" if getattr(situation.record, field, True) else reason


def has_no(field: str, reason: str) -> Rule:
    """A field of the selected record is empty."""
    return lambda situation: reason if getattr(situation.record, field, None) else ""
