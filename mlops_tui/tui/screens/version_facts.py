"""What the page of a model version says. All `of`-functions run in a worker."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from mlops_tui.core import clock
from mlops_tui.core.errors import NotFound
from mlops_tui.domains.registry.records import CHAMPION
from mlops_tui.tui.blocks import Block, Fields, Grid, Text, draw_all, side_by_side
from mlops_tui.tui.charts.line import View
from mlops_tui.tui.lines import Line, Span, clean, line, number, size, state
from mlops_tui.tui.screens import cells, verdict
from mlops_tui.tui.screens.markdown import draw_markdown
from mlops_tui.workbench import Workbench

if TYPE_CHECKING:
    from mlops_tui.domains.pipelines.records import GateVerdict
    from mlops_tui.domains.registry.records import Health, Note, Promotion, Request, Version
    from mlops_tui.lineage import Node

WIDE = 116
"""From here on the summary has two columns."""
MOVES = 8


def stage(one: Version) -> Span:
    """The stage as a state; none is a dash."""
    word = str(one.stage)
    return ("-", "muted") if word == "None" else state(word)


# -- the summary -------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True)
class Summary:
    """Everything the first part of the page says; `health` is there once somebody asked for it."""

    version: Version
    champion: Version | None
    served: tuple[str, ...]
    needed: int
    request: Request | None
    gate: GateVerdict | None
    moves: tuple[Promotion, ...]
    now: int
    health: tuple[Health, ...] = ()


def summary(of: str, bench: Workbench) -> Summary:
    """Read it. Raises NotFound."""
    one = bench.registry.version(of)
    champion = bench.registry.alias(one.model, CHAMPION)
    moves = [
        move for move in bench.registry.promotions(one.model) if one.version in {move.from_version, move.to_version}
    ]
    served = (
        (found.name, route.weight)
        for found in bench.serving.list()
        for route in found.versions
        if found.model == one.model and route.version == one.version
    )
    return Summary(
        one,
        bench.registry.version(f"{one.model}/{champion}") if champion else None,
        tuple(f"{name} {weight:g}%" for name, weight in served),
        bench.registry.approvals.needed(one.model),
        bench.registry.approvals.newest(one),
        gate_of(bench, one),
        tuple(moves[:MOVES]),
        bench.context.now(),
    )


def gate_of(bench: Workbench, one: Version) -> GateVerdict | None:
    """What the gate of the pipeline run that made a version decided."""
    try:
        return bench.pipelines.get_run(one.pipeline_run).verdict if one.pipeline_run else None
    except NotFound:  # the run was removed since
        return None


def draw_summary(one: Summary, width: int, height: int, view: View | None = None) -> list[Line]:
    """Facts and signature, metrics beside the champion's, approvals, gate, moves; two columns where there is room."""
    first: list[Block] = [_head(one), *_approval(one), *_health(one.health), *_signature(one.version)]
    second: list[Block] = [_metrics(one), *(verdict.blocks(one.gate) if one.gate is not None else ()), _moves(one)]
    if width < WIDE:
        order = [first[0], second[0], *first[1:], *second[1:]]
        return [((" ", "text"), *each) for each in draw_all(order, width - 2)]
    half = width * 2 // 5
    return side_by_side(draw_all(first, half - 2), draw_all(second, width - half - 2), half)


def _head(one: Summary) -> Fields:
    found = one.version
    libraries = found.environment.get("libraries", {})
    return Fields(
        (
            ("For", found.description or ("not described: D does", "muted")),
            ("Stage", stage(found)),
            ("Aliases", ", ".join(found.aliases) or "none"),
            ("Served by", ", ".join(one.served) or "no deployment"),
            ("Task", found.task),
            ("Predicts", str(found.signature.get("target") or "")),
            ("Made", cells.moment(found.created_at, one.now)),
            ("By", f"{found.created_by}, pipeline {found.pipeline}" if found.pipeline else found.created_by),
            ("Run", found.run_id[:16]),
            ("Data", ", ".join(found.snapshots)),
            ("Commit", found.git_commit[:12]),
            ("Tags", clean(", ".join(f"{name}={value}" for name, value in found.tags.items()))),
            ("Package", f"sha256 {found.sha[:16]}, {size(found.size)}"),
            (
                "Python",
                ", ".join([str(found.environment.get("python", "")), *(f"{k} {v}" for k, v in libraries.items())]),
            ),
        )
    )


def _metrics(one: Summary) -> Grid:
    """Values; beside another champion how far they are from it."""
    other = one.champion if one.champion is not None and one.champion.version != one.version.version else None
    heads = ("Metric", "Value") if other is None else ("Metric", "Value", f"Champion v{other.version}", "Change")
    rows = tuple((name, number(value), *_against(name, value, other)) for name, value in one.version.metrics.items())
    return Grid(heads, rows, title="Metrics", empty="none were recorded")


def _against(name: str, value: float, other: Version | None) -> tuple[Span | str, ...]:
    if other is None:
        return ()
    theirs = other.metrics.get(name)
    return (number(theirs), ("" if theirs is None else f"{value - theirs:+.4g}", "muted"))


def _approval(one: Summary) -> Sequence[Block]:
    request = one.request
    if request is None:
        said = f"{one.needed} needed before production, not asked for yet: a asks" if one.needed else ""
        return (Text(said, "warn", "Approval"),) if said else ()
    head = (
        f"{request.state}: {request.approvals} of {max(1, request.needed)} agreed. {request.asked_by} asked "
        f"{clock.ago(request.asked_at, one.now)}{': ' + request.why if request.why else ''}"
    )
    roles = {"open": "warn", "approved": "good", "refused": "bad"}
    said_by = tuple(
        (each.by, each.verdict, (clock.ago(each.at, one.now), "muted"), each.why) for each in request.decisions
    )
    text = Text(head, roles.get(str(request.state), "text"), "Approval")
    return (text, Grid(("Who", "Said", "When", "Why"), said_by)) if said_by else (text,)


def _health(found: Sequence[Health]) -> Sequence[Block]:
    rows = tuple((cells.yes_no(one.ok, one.check, one.check), (one.detail, "muted")) for one in found)
    return (Grid(("Check", ""), rows, title="Health"),) if rows else ()


def _signature(one: Version) -> Sequence[Block]:
    inputs = tuple((str(item["name"]), (str(item["type"]), "muted")) for item in one.signature.get("inputs", []))
    outputs = tuple((str(item["name"]), (str(item["type"]), "muted")) for item in one.signature.get("outputs", []))
    return (Grid(("Input", "Type"), inputs, title="Signature"), Grid(("Output", "Type"), outputs))


def _moves(one: Summary) -> Grid:
    rows = tuple(
        (
            f"@{move.alias}",
            f"{move.from_version or '-'} → {move.to_version or '-'}",
            move.verb,
            move.by,
            (clock.ago(move.at, one.now), "muted"),
            move.why,
        )
        for move in one.moves
    )
    return Grid(("Alias", "Version", "What", "By", "When", "Why"), rows, title="Moves")


# -- card and notes ----------------------------------------------------------------------------------------------------


def card(of: str, bench: Workbench) -> str:
    """The model card as Markdown."""
    return bench.registry.card(of)


def draw_card(text: str, width: int, height: int, view: View | None = None) -> list[Line]:
    """The card, drawn."""
    return [((" ", "text"), *one) for one in draw_markdown(text, width - 2)]


def notes(of: str, bench: Workbench) -> tuple[Note, ...]:
    """What was written about the version and its model, newest first."""
    return tuple(bench.registry.notes(of)[::-1])


def draw_notes(found: Sequence[Note], width: int, height: int, view: View | None = None) -> list[Line]:
    """Each note under who wrote it and when."""
    if not found:
        return [(), line(" No notes yet. Press ", ("n", "key"), " here to write one, or run:"),
                line(('   mlops models note NAME/VERSION "..."', "accent"))]  # fmt: skip
    out: list[Line] = []
    for note in found:
        about = f"about version {note.version}" if note.version is not None else "about the model"
        out += [(), line((f" {note.by}", "title"), (f"  {clock.local(note.at)}, {about}", "muted"))]
        out += [((" ", "text"), *one) for one in draw_markdown(note.text, width - 2)]
    return out


# -- lineage -----------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True)
class Kin:
    """A line of the graph: `tree` up or down, the branches that lead to it, the thing, and where it is shown."""

    at_line: int
    tree: str
    branch: str
    node: Node
    place: tuple[str, str, str] | None

    @property
    def key(self) -> str:
        return f"{self.at_line}"

    @property
    def name(self) -> str:
        return self.node.name


_PLACES: Mapping[str, tuple[str, str]] = {
    "version": ("registry", "version"),
    "run": ("experiments", "run"),
    "snapshot": ("features", "snapshots"),
    "data": ("features", "tables"),
    "pipeline run": ("pipelines", "execution"),
    "deployment": ("serving", "deployments"),
    "prediction": ("serving", "predictions"),
}


def lineage(of: str, bench: Workbench) -> list[Kin]:
    """Both trees as lines, what it came from first."""
    from mlops_tui.lineage import flat

    found = bench.lineage(of)
    lines = [("up", *one) for one in flat(found.up)] + [("down", *one) for one in flat(found.down)]
    return [Kin(at, tree, branch, node, _place(node)) for at, (tree, branch, node) in enumerate(lines)]


def _place(node: Node) -> tuple[str, str, str] | None:
    known = _PLACES.get(node.kind) if node.found else None
    return (*known, node.name) if known is not None else None


def thing(one: Kin) -> Span:
    """The thing under its branches; the head of a tree says which way it goes."""
    node = one.node
    short = node.name[:16] if node.kind in {"run", "pipeline run"} else node.name
    if not one.branch:
        return (f"{'came from' if one.tree == 'up' else 'came of it'}: {node.kind} {short}", "title")
    return (f"{one.branch}{node.kind} {clean(short)}".rstrip(), "text" if node.found else "warn")
