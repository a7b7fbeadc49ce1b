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
    COMMIT = "commit"
    CONDITION = "condition"
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


class Action(StrEnum):
    """What a fire starts: the pipeline; its test, package and deployment to staging; or upkeep of the workspace."""

    RUN = "run"
    RELEASE = "release"
    UPKEEP = "upkeep"


class Origin(StrEnum):
    """Who asked for a fire: the rule itself, a person for the past, a person for now."""

    RULE = "rule"
    BACKFILL = "backfill"
    HAND = "hand"


class Prospect(StrEnum):
    """What will become of a slot to come, as far as can be told now."""

    RUNS = "runs"
    WAITS = "waits"
    SKIPPED = "skipped"


class Then(StrEnum):
    """What becomes of a slot inside a blackout: dropped, or kept until the blackout is over."""

    SKIP = "skip"
    WAIT = "wait"


@dataclass(frozen=True, slots=True)
class Condition:
    """What must also be so. new_data: `table` (or each of the rule's) has `rows` more than when the rule last fired, no older
    than `within_s`; fresh: its newest data is no older; drift, performance: `deployment` has such an alert of at least `share`.
    """

    kind: str
    table: str = ""
    deployment: str = ""
    rows: int = 0
    share: float = 0.0
    within_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Schedule:
    """A rule that runs a pipeline. Times in ms since the epoch.

    `grace_s`: how late a slot may still start under missed="skip". `tables` and `subject` (a deployment) are what
    new_data, drift and performance look at. `origin` is "pipeline" when the rule stands in the pipeline's file.
    `min_rows`, `min_share` and `max_per_day` hold back events that are too small or too many (0: no limit). `seen` is the
    (version, rows) of each table when the rule last fired, `seen_commit` the newest commit of `branch` that it answered.
    `all_of` must all hold as well, of `any_of` one; for kind "condition" they are what sets it off. `jitter_s` spreads the slots:
    each comes later by its own part of it. With `dry_run` a fire says what it would do and does nothing. `waits` says why it
    will not run by itself right now; empty when it will.
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
    priority: int = 0
    jitter_s: float = 0.0
    within_s: float = 0.0
    all_of: tuple[Condition, ...] = ()
    any_of: tuple[Condition, ...] = ()
    branch: str = ""
    paths: tuple[str, ...] = ()
    action: Action = Action.RUN
    seen_commit: str = ""
    waits: str = ""
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class Fire:
    """One slot of one schedule, which exists once: `slot` names it, `job_id` is the one job it got, `reason` says why it came
    or why it got none.
    """

    schedule_id: int
    schedule: str
    pipeline: str
    slot: str
    due_at: int
    state: FireState
    job_id: int | None
    reason: str
    created_at: int
    origin: Origin = Origin.RULE


@dataclass(frozen=True, slots=True)
class Coming:
    """A slot to come (`due_at` None: whenever its event does), what will become of it, and why not what one would expect."""

    schedule: str
    pipeline: str
    slot: str
    due_at: int | None
    prospect: Prospect
    reason: str


@dataclass(frozen=True, slots=True)
class Filled:
    """What a backfill makes of one slot of the past. state: new, again (it was missed or skipped), retried, or left."""

    schedule: str
    slot: str
    due_at: int
    state: str
    reason: str
    job_id: int | None = None


@dataclass(frozen=True, slots=True)
class Blackout:
    """Times in which nothing fires by itself: from each slot of `cron` for `span_s` on the wall clock of `timezone`, or once
    from `begins_at` to `ends_at`. `only` names the schedules or pipelines it is for; empty: all. `until` is when the one that is
    on now ends.
    """

    name: str
    cron: str
    span_s: float
    timezone: str
    begins_at: int | None
    ends_at: int | None
    only: tuple[str, ...]
    then: Then
    why: str
    created_at: int
    created_by: str
    until: int | None = None


@dataclass(frozen=True, slots=True)
class Window:
    """One time a blackout is on, ms since the epoch."""

    name: str
    begin: int
    end: int
    then: Then
    why: str


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
