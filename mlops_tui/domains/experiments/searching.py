"""What runs can be asked about in the query language, and where the store keeps it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from mlops_tui.core.query import Field, Fields, Kind, Sql
from mlops_tui.domains.experiments.records import MarkKind, RunState

if TYPE_CHECKING:
    from mlops_tui.domains.experiments.store import ExperimentsStore

FEW = 2000
"""So many runs are named one by one; a condition that more meet is asked of each run in turn until enough are found."""

_MARKS = "FROM metrics.run_health h, json_each(h.marks) j"
_KEY = "{alias}.key IN (SELECT k.id FROM metrics.key k WHERE {{key}}) AND {{}}"


def run_fields(store: ExperimentsStore) -> Fields:
    """The fields of a run. Metrics are their latest values; parameters count as numbers where they are.

    The `+` before the experiment keeps its index away: by that all runs of a large one would be sorted to give the first.
    """
    numbers = store.numbers
    return Fields(
        Field("text", aliases=("any",), searched=True, sql=_elsewhere("x.text", "run_text x", "{}", folded=True)),
        Field("experiment", aliases=("exp",), searched=True, known=lambda: [one.name for one in store.experiments()],
              sql=Sql("x.name", within="+r.experiment_id IN (SELECT x.id FROM experiment x WHERE {})",
                      among="SELECT r.number FROM experiment x CROSS JOIN run r ON r.experiment_id = x.id WHERE {}", row="r.number")),
        Field("id", aliases=("run",), sql=Sql("r.id")),
        Field("name", sql=Sql("r.name")),
        Field("state", Kind.CHOICE, aliases=("is", "status"), choices=tuple(RunState), sql=Sql("r.state")),
        Field("metrics", Kind.NUMBER, aliases=("metric", "m"), keyed=True, known=numbers.metric_keys,
              sql=_elsewhere("l.value", "metrics.metric_latest l", _KEY.format(alias="l"), name="k.name", nan=True)),
        Field("params", Kind.MIXED, aliases=("param", "p"), keyed=True, known=numbers.param_keys,
              sql=_elsewhere("l.value", "metrics.param l", _KEY.format(alias="l"), name="k.name", number="l.number")),
        Field("tag", aliases=("tags",), keyed=True, known=store.tag_keys,
              sql=_elsewhere("t.value", "run_tag t", "{key} AND {}", name="t.key")),
        Field("artifact", aliases=("artifacts", "file"), sql=_elsewhere("a.path", "metrics.artifact a", "{}")),
        Field("user", aliases=("by",), known=_later(store, "user"), sql=Sql("r.user")),
        Field("started", Kind.TIME, aliases=("start",), sql=Sql("r.started_at")),
        Field("ended", Kind.TIME, aliases=("end",), sql=Sql("r.ended_at")),
        Field("took", Kind.SPAN, aliases=("duration",), sql=Sql("(r.ended_at - r.started_at)")),
        Field("host", known=_later(store, "host"), sql=Sql("r.host")),
        Field("source", known=_later(store, "source"), sql=Sql("r.source")),
        Field("command", sql=Sql("r.command")),
        Field("python", known=_later(store, "python"), sql=Sql("r.python")),
        Field("commit", sql=Sql("r.git_commit")),
        Field("branch", known=_later(store, "git_branch"), sql=Sql("r.git_branch")),
        Field("dirty", Kind.CHOICE, choices=("yes", "no"), sql=Sql("iif(r.git_dirty, 'yes', 'no')")),
        Field("parent", sql=Sql("r.parent")),
        Field("error", sql=Sql("r.error")),
        Field("health", Kind.CHOICE, aliases=("mark",), choices=tuple(kind for kind in MarkKind if kind is not MarkKind.SILENT),
              sql=Sql("json_extract(j.value, '$[0]')", within=f"EXISTS (SELECT 1 {_MARKS} WHERE h.run = r.number AND {{}})",
                      among=f"SELECT h.run {_MARKS} WHERE {{}}", row="r.number")),
    )  # fmt: skip


def _elsewhere(value: str, table: str, condition: str, *, name: str = "", number: str = "", **known: bool) -> Sql:
    """A value kept in a table of its own, whose alias is the last word of `table`, by run."""
    alias = table.split()[-1]
    return Sql(
        value,
        number=number,
        name=name,
        **known,
        within=f"EXISTS (SELECT 1 FROM {table} WHERE {alias}.run = r.number AND {condition})",
        among=f"SELECT {alias}.run FROM {table} WHERE {condition}",
        row="r.number",
    )


def _later(store: ExperimentsStore, column: str) -> Callable[[], Iterable[str]]:
    return lambda: store.values_of(column)
