"""What models and versions can be asked about in the query language."""

from __future__ import annotations

from mlops_tui.core.query import Field, Fields, Kind
from mlops_tui.domains.registry.records import Stage

MODELS = Fields(
    Field("name", get=lambda one: one.name, aliases=("model",), searched=True),
    Field("alias", get=lambda one: one.aliases, aliases=("aliases",), searched=True),
    Field("description", get=lambda one: one.description, searched=True),
    Field("versions", Kind.NUMBER, lambda one: one.versions),
    Field("latest", Kind.NUMBER, lambda one: one.latest_version, ("newest", "latest_version")),
    Field("production", Kind.NUMBER, lambda one: one.production),
    Field("created", Kind.TIME, lambda one: one.created_at),
    Field("updated", Kind.TIME, lambda one: one.updated_at),
    Field("by", get=lambda one: one.created_by, aliases=("user", "created_by")),
)

VERSIONS = Fields(
    Field("version", Kind.NUMBER, lambda one: one.version),
    Field("stage", Kind.CHOICE, lambda one: one.stage, ("is",), choices=tuple(Stage)),
    Field("alias", get=lambda one: one.aliases, aliases=("aliases",), searched=True),
    Field("model", get=lambda one: one.model, aliases=("name",), searched=True),
    Field("metrics", Kind.NUMBER, lambda one: one.metrics, ("metric", "m"), keyed=True),
    Field("tag", get=lambda one: one.tags, aliases=("tags",), keyed=True),
    Field("task", get=lambda one: one.task),
    Field("run", get=lambda one: one.run_id),
    Field("data", get=lambda one: one.snapshots, aliases=("snapshot", "snapshots"), searched=True),
    Field("pipeline", get=lambda one: one.pipeline, searched=True),
    Field("commit", get=lambda one: one.git_commit),
    Field("description", get=lambda one: one.description, searched=True),
    Field("size", Kind.SIZE, lambda one: one.size),
    Field("created", Kind.TIME, lambda one: one.created_at),
    Field("by", get=lambda one: one.created_by, aliases=("user", "created_by"), searched=True),
)
