"""The latest predictions: what went in, what came out, why, and what another version says of the same row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mlops_tui.core import clock
from mlops_tui.domains.serving.searching import PREDICTIONS as ASKS
from mlops_tui.tui.blocks import Block, Fields, Grid
from mlops_tui.tui.lines import Span, clean, number
from mlops_tui.tui.screens import cells
from mlops_tui.tui.screens.asking import after
from mlops_tui.tui.screens.section import Section
from mlops_tui.tui.screens.sheet import Content, Sheet
from mlops_tui.tui.widgets.dialogs import Answers, Field, Form
from mlops_tui.tui.widgets.states import Empty
from mlops_tui.tui.widgets.table import Column
from mlops_tui.workbench import Workbench

if TYPE_CHECKING:
    from mlops_tui.domains.serving.reasons.records import Near, Part, Reasons, Replayed
    from mlops_tui.domains.serving.records import Prediction
    from mlops_tui.tui.screens.base import Desk

NEWEST = 200


def predictions(bench: Workbench) -> list[Prediction]:
    """The newest predictions of all deployments, newest first."""
    found = [
        one for deployment in bench.serving.list() for one in bench.serving.predictions(deployment.name, limit=NEWEST)
    ]
    return sorted(found, key=lambda one: -one.at)[:NEWEST]


def prediction_detail(bench: Workbench, one: Prediction) -> Sequence[Block]:
    """A prediction: answer, truth if it has come, and what went in."""
    now = bench.context.now()
    head = Fields(
        (
            ("Id", one.id),
            ("Deployment", one.deployment),
            ("Version", f"{one.model}/{one.version}"),
            ("When", cells.moment(one.at, now)),
            ("Answer", cells.compact(one.prediction)),
            ("Score", number(one.score) if one.score is not None else ""),
            (
                "Truth",
                f"{cells.compact(one.label)} ({clock.ago(one.label_at, now)})" if one.label_at else "not known yet",
            ),
            ("Latency", f"{number(one.latency_ms, 3)} ms"),
            ("Error", (one.error, "bad")),
            ("Why", f"i, or mlops why {one.id}"),
        ),
        title="Prediction",
    )
    inputs = tuple((name, cells.compact(value)) for name, value in one.inputs.items())
    return (head, Grid(("Input", "Value"), inputs, title="Inputs"))


def _answer(one: Prediction) -> Span:
    return (clean(one.error), "bad") if one.error else (clean(cells.compact(one.prediction)), "text")


PREDICTIONS = Section(
    "predictions",
    "Predictions",
    predictions,
    limit=NEWEST,
    columns=(
        cells.when("When", lambda one: one.at),
        cells.text("Deployment", lambda one: one.deployment, width=22),
        cells.text("Version", lambda one: f"v{one.version}", width=8, rank=2),
        Column("Answer", lambda one, now: _answer(one), width=30, grow=True),
        cells.text("Truth", lambda one: cells.compact(one.label), width=14, rank=2),
        Column("ms", lambda one, now: number(one.latency_ms, 3), sort=lambda one: one.latency_ms, right=True, rank=3),
        cells.text("Id", lambda one: one.id, width=24, rank=4, role="muted"),
    ),
    key=lambda one: str(one.id),
    empty=Empty("No predictions yet. The log keeps every answered one.", "mlops predict NAME --json '{\"column\": 1}'"),
    detail=prediction_detail,
    watches=frozenset({"catalog", "telemetry"}),
    names=lambda one: {"name": one.deployment, "id": one.id},
    asks=ASKS,
)  # fmt: skip


# -- why an answer is what it is


def why(desk: Desk) -> None:
    """What each input added to the answer under the cursor; a model is loaded for it, so it takes seconds."""
    one = desk.record
    desk.app.push_screen(
        Sheet(desk.workbench_app.source, f"Why {one.id}", lambda bench: reasons(bench.serving.why(one.id)))
    )


def reasons(found: Reasons) -> Content:
    """The parts of an answer, largest first, with the rows of training nearest to it."""
    said = f"{found.of}: {number(found.base)} before, {number(found.answer)} with all inputs; {found.method}"
    most = max((abs(part.added) for part in found.parts), default=0.0)
    columns = (
        Column("Input", lambda one, now: clean(one.name), width=28, grow=True),
        Column("Value", lambda one, now: clean(cells.compact(one.value)), width=18),
        Column("Added", lambda one, now: f"{one.added:+.4g}", width=11, sort=lambda one: one.added, right=True),
        Column("", lambda one, now: _bar(one, most), width=20, rank=2),
        Column("From", lambda one, now: (clean(one.snapshot), "muted"), width=18, rank=3),
    )
    return Content(
        columns, found.parts, said, "The model has no inputs.", lambda one, *room: _nearest(found, one, *room)
    )


def _bar(one: Part, most: float) -> Span:
    cells_ = round(20 * abs(one.added) / most) if most else 0
    return (("█" if one.added > 0 else "░") * cells_, "accent" if one.added > 0 else "warn")


def _nearest(found: Reasons, part: Part, width: int, height: int) -> list[Any]:
    """The nearest rows, with their value of the input under the cursor."""
    typical = "" if found.typical is None else f"; rows there have their nearest at {number(found.typical, 2)}"
    rows = tuple(_near(one, part) for one in found.nearest[: max(0, height - 2)])
    return Grid(("Distance", "Truth", clean(part.name)), rows, title=f"Nearest of {found.source}{typical}").draw(width)


def _near(one: Near, part: Part) -> tuple[str, str, str]:
    return number(one.distance, 3), cells.compact(one.truth), cells.compact(one.values.get(part.name))


# -- the same row by another version


def replay(desk: Desk) -> None:
    """Ask which version shall answer the row under the cursor again, and show both answers."""
    one = desk.record

    def ask(numbers: list[str]) -> None:
        others = tuple(number for number in numbers if number != str(one.version)) or tuple(numbers)

        def chosen(answers: Answers | None) -> None:
            if answers is not None:
                title, version = f"{one.id} by version {answers['version']}", answers["version"]
                work = lambda bench: replayed(bench.serving.replay(one.id, version))  # noqa: E731
                desk.app.push_screen(Sheet(desk.workbench_app.source, title, work))

        fields = (Field("version", "Version", others[0], choices=others),)
        form = Form("Which version shall answer it again?", fields, "Answer",
                    lambda answers: f"mlops deployments replay {one.id} {answers['version']}")  # fmt: skip
        desk.app.push_screen(form, chosen)

    after(desk, lambda bench: [str(version.version) for version in bench.registry.versions(one.model)], ask)


def replayed(found: Replayed) -> Content:
    """Both answers, one below the other, and how they differ."""
    rows = (
        (found.ref, cells.compact(found.logged), found.logged_score),
        (found.other_ref, found.error or cells.compact(found.answer), found.score),
    )
    columns = (
        Column("Version", lambda one, now: clean(one[0]), width=24),
        Column("Answer", lambda one, now: clean(one[1]), width=30, grow=True),
        Column("Score", lambda one, now: "" if one[2] is None else f"{one[2]:.6g}", width=12, right=True),
    )
    gap = "" if found.difference is None else f", the difference is {found.difference:+.6g}"
    return Content(columns, rows, ("the same answer" if found.same else "another answer") + gap)
