"""What a job is, which states it passes, and when a failed one is tried again."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

LEASE_MS = 30_000  # how long a claimed job may take to show a process
FIRST_PAUSE_MS = 5_000
LONGEST_PAUSE_MS = 300_000
MAX_STARTS = 5  # claims that never began work, before the job is given up

STOPPED_BY_SIGTERM = 128 + 15  # exit code of a child that was asked to end and did


class JobState(StrEnum):
    """queued -> claimed -> running -> one of the ends; a retry goes back to queued with the next attempt number."""

    QUEUED = "queued"
    CLAIMED = "claimed"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    LOST = "lost"

    @property
    def pending(self) -> bool:
        """Whether the job is still to end."""
        return self in PENDING


PENDING = frozenset({JobState.QUEUED, JobState.CLAIMED, JobState.RUNNING})


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job says it is: `total` is None when it cannot know."""

    done: int = 0
    total: int | None = None
    note: str = ""
    at: int | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """One piece of work. Times are ms since the epoch.

    `key` names the reason for the job: a second submit with the same key gives this job again. `retries` is how many
    more attempts a failure gets, `not_before` when the next may begin. `pid`, `pid_started` and `boot` tell
    the process that does it, or while it is claimed, the one that took it. `needs` is how much of which limited resource it
    holds while it runs; of those that wait, the highest `priority` goes first.
    """

    id: int
    kind: str
    name: str
    title: str
    state: JobState
    spec: dict[str, Any]
    cause: dict[str, Any] | None
    key: str | None
    internal: bool
    attempt: int
    retries: int
    created_at: int
    created_by: str
    not_before: int
    lease_until: int | None
    started_at: int | None
    ended_at: int | None
    timeout_s: float | None
    memory_bytes: int | None
    stop_reason: str
    result: dict[str, Any] | None
    error: str
    pid: int | None
    pid_started: int | None
    boot: str | None
    needs: dict[str, float] = field(default_factory=dict)
    priority: int = 0
    progress: Progress = field(default_factory=Progress)


@dataclass(frozen=True, slots=True)
class Pending:
    """As much of a job that is still to end as is read a thousand at a time; `origin` is what its cause says of that."""

    id: int
    key: str
    started_at: int | None
    origin: str | None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One ended try of a job: there is exactly one record for each attempt number that was used."""

    job_id: int
    attempt: int
    state: JobState
    began: bool
    started_at: int | None
    ended_at: int
    error: str


def pause_ms(failures: int) -> int:
    """How long to wait after the `failures`-th failure: 5 s, doubled each time, at most 5 min."""
    return min(FIRST_PAUSE_MS << min(max(failures - 1, 0), 20), LONGEST_PAUSE_MS)


def in_words(reason: str, code: int | None, signal: int | None, limit: str = "") -> str:
    """A sentence for how a process ended without saying so itself."""
    return {
        "timeout": f"Stopped: it ran longer than its time limit{limit}.",
        "memory": f"Stopped: it used more memory than its limit{limit}.",
        "cancelled": "Cancelled.",
        "lost": "Its process disappeared without a trace (killed, or the machine was restarted).",
        "signalled": f"Its process was killed by signal {signal}.",
    }.get(reason, f"Its process ended with code {code} and no result; see its log.")
