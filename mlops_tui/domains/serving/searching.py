"""What deployments and predictions can be asked about in the query language."""

from __future__ import annotations

from mlops_tui.core.query import Field, Fields, Kind
from mlops_tui.domains.serving.records import State, Wanted

DEPLOYMENTS = Fields(
    Field("name", get=lambda one: one.name, aliases=("deployment",), searched=True),
    Field("model", get=lambda one: one.model, searched=True),
    Field("state", Kind.CHOICE, lambda one: one.state, ("is", "status"), choices=tuple(State)),
    Field("wanted", Kind.CHOICE, lambda one: one.wanted, choices=tuple(Wanted)),
    Field("version", Kind.NUMBER, lambda one: tuple(route.version for route in one.versions), ("versions",)),
    Field("detail", get=lambda one: one.detail, searched=True),
    Field("created", Kind.TIME, lambda one: one.created_at),
    Field("updated", Kind.TIME, lambda one: one.updated_at),
)

PREDICTIONS = Fields(
    Field("deployment", get=lambda one: one.deployment, aliases=("name",), searched=True),
    Field("model", get=lambda one: one.model),
    Field("version", Kind.NUMBER, lambda one: one.version),
    Field("answer", get=lambda one: str(one.prediction), aliases=("prediction",), searched=True),
    Field("truth", get=lambda one: "" if one.label is None else str(one.label), aliases=("label",)),
    Field("score", Kind.NUMBER, lambda one: one.score),
    Field("ms", Kind.NUMBER, lambda one: one.latency_ms, ("latency",)),
    Field("status", Kind.NUMBER, lambda one: one.status),
    Field("error", get=lambda one: one.error, searched=True),
    Field("odd", get=lambda one: one.marks, aliases=("marks",), searched=True),
    Field("id", get=lambda one: one.id, searched=True),
    Field("request", get=lambda one: one.request_id, searched=True),
    Field("at", Kind.TIME, lambda one: one.at),
)
