"""What deployments can be asked about in the query language."""

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
