"""What a schedule and its fires are, and which due slots a policy lets through."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from mlops_tui.domains.schedules.cron import Slot

CATCH_UP = 1000  # slots worked through in one tick; the rest follow in the next
LISTED = 100  # missed slots that are recorded one by one after a long outage


class Kind(StrEnum):
    """What sets a schedule off."""

    SCHEDULE = "schedule"
    DRIFT = "drift"
    PERFORMANCE = "performance"
    NEW_DATA = "new_data"
    MANUAL = "manual"


class Missed(StrEnum):
    """What happens to slots that passed while no daemon ran."""

    SKIP = "skip"
    LATEST = "latest"
    ALL = "all"


class Overlap(StrEnum):
    """What happens when the job of an earlier fire has not ended."""

    SKIP = "skip"
    QUEUE = "queue"
    REPLACE = "replace"


class FireState(StrEnum):
    """queued: it got a job, or waits for one; missed and skipped: it never will, and `reason` says why."""

    QUEUED = "queued"
    MISSED = "missed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Schedule:
    """A rule that runs a pipeline. Times in ms since the epoch.

    `grace_s`: how late a slot may still start under missed="skip". `tables` and `subject` (a deployment) are what
    new_data, drift and performance look at. `origin` is "pipeline" when the rule stands in the pipeline's file.
    `min_rows`, `min_share` and `max_per_day` hold back events that are too small or too many (0: no limit). `seen` is the
    (version, rows) of each table when the rule last fired. `waits` says why it will not run by itself right now; empty when it will.
    """

    id: int
    name: str
    pipeline: str
    kind: Kind
    cron: str
    timezone: str
    missed: Missed
    overlap: Overlap
    grace_s: float
    cooldown_s: float
    paused: bool
    subject: str
    tables: tuple[str, ...]
    origin: str
    next_due: int | None
    last_fired_at: int | None
    created_at: int
    created_by: str
    updated_at: int
    min_rows: int = 0
    min_share: float = 0.0
    max_per_day: int = 0
    seen: dict[str, tuple[int, int]] = field(default_factory=dict)
    waits: str = ""


@dataclass(frozen=True, slots=True)
class Fire:
    """One slot of one schedule, which exists once: `slot` names it, `job_id` is the one job it got."""

    schedule_id: int
    schedule: str
    pipeline: str
    slot: str
    due_at: int
    state: FireState
    job_id: int | None
    reason: str
    created_at: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of one due slot."""

    slot: Slot
    state: FireState
    reason: str = ""


def sort_out(slots: Sequence[Slot], now: int, missed: Missed, grace_s: float) -> list[Verdict]:
    """Apply the missed policy to the slots due by `now` (oldest first).

    Only the newest can be on time; when there are older ones, nobody was there for them.
    """
    if not slots:
        return []
    *older, newest = slots
    if missed is Missed.ALL:
        return [Verdict(slot, FireState.QUEUED) for slot in slots]
    passed = "A later slot was due by the time a daemon looked."
    verdicts = [Verdict(slot, FireState.MISSED, passed) for slot in older]
    late_s = (now - newest.due_at) / 1000
    if missed is Missed.SKIP and late_s > grace_s:
        verdicts.append(Verdict(newest, FireState.MISSED, f"{late_s:.0f} s late, allowed are {grace_s:.0f} s."))
    else:
        verdicts.append(Verdict(newest, FireState.QUEUED))
    return verdicts
