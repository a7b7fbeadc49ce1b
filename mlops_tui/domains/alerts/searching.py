"""What alerts can be asked about in the query language."""

from __future__ import annotations

from mlops_tui.core.query import Field, Fields, Kind
from mlops_tui.domains.alerts.records import AlertState, Severity

ALERTS = Fields(
    Field("id", Kind.NUMBER, lambda one: one.id, ("alert",)),
    Field("title", get=lambda one: one.title, searched=True),
    Field("detail", get=lambda one: one.detail, searched=True),
    Field("subject", get=lambda one: one.subject, searched=True),
    Field("rule", get=lambda one: one.rule, searched=True),
    Field("severity", Kind.CHOICE, lambda one: one.severity, choices=tuple(Severity)),
    Field("state", Kind.CHOICE, lambda one: one.state, ("is", "status"), choices=tuple(AlertState)),
    Field("count", Kind.NUMBER, lambda one: one.count, ("times",)),
    Field("first", Kind.TIME, lambda one: one.first_at),
    Field("last", Kind.TIME, lambda one: one.last_at),
    Field("why", get=lambda one: one.why, searched=True),
)
