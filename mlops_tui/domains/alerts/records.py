"""What an alert is, and which moves its state allows."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Severity(StrEnum):
    """How much it matters, least first."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


class AlertState(StrEnum):
    """Open until somebody or something acts; only a resolved alert makes room for a new one of its rule and subject."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    SILENCED = "silenced"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class Alert:
    """One condition, from the first time it was seen to its end. Times are ms since the epoch.

    `count` is how often it was raised; `facts` are the numbers behind `detail`, for machines.
    """

    id: int
    rule: str
    subject: str
    severity: Severity
    state: AlertState
    title: str
    detail: str
    count: int
    first_at: int
    last_at: int
    acknowledged_by: str | None = None
    acknowledged_at: int | None = None
    silenced_until: int | None = None
    resolved_by: str | None = None
    resolved_at: int | None = None
    why: str = ""
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def active(self) -> bool:
        """Whether the condition still lasts as far as anybody has said."""
        return self.state is not AlertState.RESOLVED
