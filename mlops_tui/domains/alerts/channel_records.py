"""Who is told of alerts, when nobody wants to be, and what was told."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from mlops_tui.core import clock
from mlops_tui.domains.alerts.records import Alert, Severity
from mlops_tui.domains.alerts.recurring import Weekly

REPEAT = {Severity.CRITICAL: 4 * clock.HOUR, Severity.WARNING: 24 * clock.HOUR, Severity.INFO: 24 * clock.HOUR}
"""How long an alert that still waits for somebody is not told again, where a channel says nothing else."""

FOREVER = 253_402_300_799_000
"""The last second of the year 9999: when maintenance ends that lasts until somebody ends it."""


BEAT = 5 * clock.MINUTE
"""How often a heartbeat says that the daemon and its jobs run, where its channel says nothing else."""


class ChannelKind(StrEnum):
    """How a channel reaches people."""

    EMAIL = "email"
    WEBHOOK = "webhook"
    SLACK = "slack"
    DISCORD = "discord"
    TEAMS = "teams"
    NTFY = "ntfy"
    DESKTOP = "desktop"
    SCRIPT = "script"
    APPRISE = "apprise"
    HEARTBEAT = "heartbeat"


class DeliveryKind(StrEnum):
    """Why something is told."""

    RAISED = "raised"
    REPEATED = "repeated"
    RESOLVED = "resolved"
    TEST = "test"
    BEAT = "beat"


class DeliveryState(StrEnum):
    """Waiting is tried again until it is sent or given up."""

    WAITING = "waiting"
    SENT = "sent"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Channel:
    """One way to tell people. `target` and `options` may name secrets as `{NAME}`. Spans in ms.

    It tells of open alerts of at least `severity` that meet `match` (query language) and that nobody has acknowledged for
    `after` since they began: with `after` above 0 it is where an alert escalates to. At most `per_hour` messages.
    """

    name: str
    kind: ChannelKind
    target: str
    options: dict[str, str] = field(default_factory=dict)
    severity: Severity = Severity.WARNING
    match: str = ""
    after: int = 0
    repeat: int | None = None
    per_hour: int = 20
    resolved: bool = True
    paused: bool = False
    created_at: int = 0
    created_by: str = ""

    @property
    def beats_after(self) -> int:
        """The time between two beats of a heartbeat."""
        return BEAT if self.repeat is None else self.repeat

    def repeats_after(self, severity: Severity) -> int:
        """How long an alert of this severity is not told again while it waits."""
        return REPEAT[severity] if self.repeat is None else self.repeat


@dataclass(frozen=True, slots=True)
class Told:
    """What a channel last said of an alert."""

    at: int
    severity: Severity
    resolved: bool


@dataclass(frozen=True, slots=True)
class Draft:
    """What a channel shall say now, of which alerts."""

    channel: str
    kind: DeliveryKind
    severity: Severity
    title: str
    body: str
    alerts: tuple[Alert, ...] = ()


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message and what became of it."""

    id: int
    channel: str
    kind: DeliveryKind
    state: DeliveryState
    severity: Severity
    title: str
    body: str
    alerts: tuple[int, ...]
    created_at: int
    next_at: int
    attempts: int
    sent_at: int | None = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class Maintenance:
    """A time in which nobody is told of alerts that meet `match`; they are raised and listed all the same.

    With `weekly` it is on only in those hours between `since` and `until`.
    """

    id: int
    match: str
    since: int
    until: int
    by: str
    why: str
    weekly: Weekly | None = None

    @property
    def endless(self) -> bool:
        """Whether it lasts until somebody ends it."""
        return self.until >= FOREVER

    def on(self, now: int) -> bool:
        """Whether nobody is told now."""
        return self.since <= now < self.until and (self.weekly is None or self.weekly.on(now))
