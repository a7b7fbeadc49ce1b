"""The part Labels of the desk Features: queues, how far they are, how far people agree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mlops_tui.tui.blocks import Block, Fields, Grid, Text
from mlops_tui.tui.deeds import Deed
from mlops_tui.tui.lines import number, percent
from mlops_tui.tui.screens import cells
from mlops_tui.tui.screens.section import Section
from mlops_tui.tui.widgets.states import Empty
from mlops_tui.workbench import Workbench

if TYPE_CHECKING:
    from mlops_tui.domains.labels.records import Queue
    from mlops_tui.tui.screens.base import Desk


def queues(bench: Workbench) -> list[Queue]:
    """Every queue."""
    return bench.labels.list()


def detail(bench: Workbench, queue: Queue) -> Sequence[Block]:
    """A queue: what it asks, what was said, by whom, and how far they agree."""
    now = bench.context.now()
    given = bench.labels.labels(queue.name)
    counts = Counter(one.label for one in given if one.label is not None)
    head = Fields(
        (
            ("Rows of", queue.source),
            ("Order", f"{queue.order} {queue.why}".strip()),
            ("Votes", f"{queue.votes} a row" if queue.votes > 1 else ""),
            ("Labelled", f"{queue.labelled:,} of {queue.rows:,} ({percent(queue.labelled / max(1, queue.rows))})"),
            ("Goes to", queue.to),
            ("Unpublished", (f"▲ {queue.unpublished:,}", "warn") if queue.unpublished else "none"),
            ("Last", cells.moment(queue.last_at, now)),
            ("Made", f"{cells.moment(queue.created_at, now)} by {queue.created_by}"),
        ),
        title=queue.name,
    )
    total = max(1, sum(counts.values()))
    classes = tuple((name, number(counts[name]), percent(counts[name] / total)) for name in queue.classes)
    blocks: list[Block] = [head, Grid(("Class", "Labels", "Share"), classes, title="Classes (a labels rows)")]
    people = sorted({one.labeller for one in given})
    rows = []
    for who in people[:10]:
        one = bench.labels.progress(queue.name, labeller=who)
        rows.append((who, number(one.done), number(one.skipped), number(one.left)))
    if rows:
        blocks.append(Grid(("Labeller", "Done", "Skipped", "Left"), tuple(rows), title="People"))
    found = bench.labels.agreement(queue.name)
    if found.pairs:
        pairs = tuple(
            (f"{one.one}, {one.other}", number(one.rows), percent(one.agreed), number(one.kappa, 3))
            for one in found.pairs
        )
        blocks.append(Grid(("Between", "Rows", "Agreed", "Kappa"), pairs, title="Agreement"))
        fleiss = "" if found.fleiss is None else f", Fleiss' kappa {found.fleiss:.3f}"
        blocks.append(Text(f"{found.disputed} of {found.rows} shared rows are disputed{fleiss}.", "muted"))
    return blocks


LABELS = Section(
    "labels",
    "Labels",
    queues,
    columns=(
        cells.text("Queue", lambda one: one.name, width=28, grow=True),
        cells.text("Of", lambda one: one.source, width=24, rank=3, role="muted"),
        cells.text("Order", lambda one: one.order, width=12, rank=4, role="muted"),
        cells.count("Rows", lambda one: one.rows),
        cells.count("Labelled", lambda one: one.labelled),
        cells.count("Unpublished", lambda one: one.unpublished or None, rank=2),
        cells.when("Last", lambda one: one.last_at, rank=2),
    ),
    key=lambda one: str(one.name),
    empty=Empty(
        "No label queues yet. One holds rows of a table, or predictions, for people to give a class.",
        "mlops labels create QUEUE TABLE --class good --class bad",
    ),
    detail=detail,
    names=lambda one: {"name": one.name},
)


def label(desk: Desk) -> None:
    """Open the labelling screen over the selected queue; what was done there goes into the command log as one line."""
    from mlops_tui.tui.screens.labelling import Labelling

    queue = desk.record
    if queue is None:
        return
    name = str(queue.name)

    def over(dealt: int | None) -> None:
        if dealt:
            said = f"{dealt} labels and skips given."
            desk.workbench_app.deeds.note(Deed(desk.now, f"mlops labels show {name}", said))
        desk.action_refresh()

    desk.app.push_screen(Labelling(desk.workbench_app.source, name), over)


def publish(desk: Desk) -> None:
    """Publish the labels of the selected queue in a worker."""
    queue = desk.record
    if queue is None:
        return
    name = str(queue.name)

    def work(bench: Workbench) -> str:
        done = bench.labels.publish(name)
        if done.version is None:
            return f"{done.table} is up to date."
        return f"{done.table}@{done.version}: {done.labels} labels, {done.taken_back} taken back."

    desk.perform(f"publish {name}", work)
