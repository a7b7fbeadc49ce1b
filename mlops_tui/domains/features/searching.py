"""What feature tables can be asked about in the query language."""

from __future__ import annotations

from mlops_tui.core.query import Field, Fields, Kind

TABLES = Fields(
    Field("name", get=lambda one: one.name, aliases=("table",), searched=True),
    Field("description", get=lambda one: one.description, searched=True),
    Field("column", get=lambda one: tuple(one.columns), aliases=("columns", "feature"), searched=True),
    Field("key", get=lambda one: one.keys, aliases=("keys",)),
    Field("time", get=lambda one: one.time),
    Field("version", Kind.NUMBER, lambda one: one.latest_version),
    Field("rows", Kind.NUMBER, lambda one: one.rows),
    Field("size", Kind.SIZE, lambda one: one.bytes, ("bytes",)),
    Field("created", Kind.TIME, lambda one: one.created_at),
    Field("updated", Kind.TIME, lambda one: one.updated_at),
)
