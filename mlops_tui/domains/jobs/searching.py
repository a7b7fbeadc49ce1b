"""What jobs can be asked about in the query language."""

from __future__ import annotations

from mlops_tui.core.query import Field, Fields, Kind
from mlops_tui.domains.jobs.records import Job, JobState

FROM = 20_000
"""A query looks at so many of the newest jobs; the sweep keeps far fewer."""


def _took(job: Job) -> int | None:
    return None if job.started_at is None or job.ended_at is None else job.ended_at - job.started_at


JOBS = Fields(
    Field("id", Kind.NUMBER, lambda one: one.id, ("job",)),
    Field("title", get=lambda one: one.title, searched=True),
    Field("kind", get=lambda one: one.kind, searched=True),
    Field("name", get=lambda one: one.name, searched=True),
    Field("state", Kind.CHOICE, lambda one: one.state, ("is", "status"), choices=tuple(JobState)),
    Field("attempt", Kind.NUMBER, lambda one: one.attempt),
    Field("error", get=lambda one: one.error, searched=True),
    Field("created", Kind.TIME, lambda one: one.created_at),
    Field("started", Kind.TIME, lambda one: one.started_at),
    Field("ended", Kind.TIME, lambda one: one.ended_at),
    Field("took", Kind.SPAN, _took, ("duration",)),
    Field("by", get=lambda one: one.created_by, aliases=("user", "created_by"), searched=True),
)
