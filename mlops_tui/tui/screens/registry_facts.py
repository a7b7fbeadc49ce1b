"""What the desk of models shows beside its lists: a model, a version, a request, how far the automation is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mlops_tui.core import clock
from mlops_tui.tui.blocks import Block, Fields, Grid
from mlops_tui.tui.lines import Span, number, size, state
from mlops_tui.tui.screens import cells, version_facts
from mlops_tui.workbench import Workbench

if TYPE_CHECKING:
    from mlops_tui.domains.registry.records import Model, Request, Version
    from mlops_tui.maturity import Maturity


def model_detail(bench: Workbench, model: Model) -> Sequence[Block]:
    """A model: aliases, versions with their metrics, and every move of an alias."""
    now = bench.context.now()
    found = bench.registry.versions(model.name)
    names = list(dict.fromkeys(name for one in found for name in one.metrics))[:3]
    rows: tuple[tuple[Span | str, ...], ...] = tuple(
        (
            f"v{one.version}",
            version_facts.stage(one),
            ", ".join(one.aliases),
            *(number(one.metrics.get(name)) for name in names),
        )
        for one in sorted(found, key=lambda one: -one.version)[:10]
    )
    moves = tuple(
        (
            one.alias,
            f"{one.from_version or '-'} → {one.to_version or '-'}",
            one.verb,
            one.by,
            (clock.ago(one.at, now), "muted"),
        )
        for one in sorted(bench.registry.promotions(model.name), key=lambda one: -one.id)[:8]
    )
    head = Fields(
        (
            ("Versions", number(model.versions)),
            ("Production", f"v{model.production}" if model.production else "none"),
            ("Aliases", ", ".join(f"{name} → v{version}" for name, version in model.aliases.items()) or "none"),
            ("Changed", cells.moment(model.updated_at, now)),
            ("About", model.description),
        ),
        title=model.name,
    )
    return (
        head,
        Grid(("Version", "Stage", "Aliases", *names), rows, title="Versions (o lists all)"),
        Grid(("Alias", "Versions", "Why", "By", "When"), moves, title="Moves"),
    )


def version_detail(bench: Workbench, one: Version) -> Sequence[Block]:
    """A version: stage, aliases, metrics, lineage, signature."""
    now = bench.context.now()
    head = Fields(
        (
            ("Stage", version_facts.stage(one)),
            ("Aliases", ", ".join(one.aliases) or "none"),
            ("Task", one.task),
            ("Made", cells.moment(one.created_at, now)),
            ("By", one.created_by),
            ("Size", size(one.size)),
            ("Content", one.sha[:16]),
            ("About", one.description),
        ),
        title=one.ref,
    )
    lineage = tuple(
        (
            item.kind.replace("_", " "),
            item.name if item.found else (f"{item.name} (gone)", "warn"),
            (item.detail, "muted"),
        )
        for item in bench.registry.lineage(one.ref)
    )
    inputs = tuple((str(item["name"]), (str(item["type"]), "muted")) for item in one.signature.get("inputs", []))
    return (
        head,
        Grid(("Metric", "Value"), tuple((name, number(value)) for name, value in one.metrics.items()), title="Metrics"),
        Grid(("From", "Name", ""), lineage, title="Where it came from"),
        Grid(("Input", "Type"), inputs, title="Inputs"),
    )


def request_detail(bench: Workbench, one: Request) -> Sequence[Block]:
    """A request: who asks for what and why, what was said, and the version."""
    now = bench.context.now()
    head = Fields(
        (
            ("State", state(one.state)),
            ("Asked by", one.asked_by),
            ("Asked", cells.moment(one.asked_at, now)),
            ("Why", one.why),
            ("Agreed", f"{one.approvals} of {max(1, one.needed)}"),
        ),
        title=f"Request {one.id}: {one.ref}",
    )
    said = tuple((each.by, each.verdict, (clock.ago(each.at, now), "muted"), each.why) for each in one.decisions)
    return (head, Grid(("Who", "Said", "When", "Why"), said), *version_detail(bench, bench.registry.version(one.ref)))


def assess(bench: Workbench) -> list[Maturity]:
    """How far each model is automated."""
    return [bench.maturity(one.name) for one in bench.registry.models()]


def maturity_detail(bench: Workbench, one: Maturity) -> Sequence[Block]:
    """The card: both ladders, what the next level needs, every fact with what was seen or the command that supplies it."""
    titles = {fact.id: fact.title for fact in one.facts}
    needs = tuple(
        (f"{scale} {level + 1}", ", ".join(titles[fact] for fact in missing))
        for scale, level, missing in (
            ("Google", one.google, one.missing_google),
            ("Azure", one.azure, one.missing_azure),
        )
        if missing
    )
    facts = tuple(
        (cells.yes_no(fact.ok, fact.title, fact.title), (fact.seen, "muted") if fact.ok else (fact.how, "accent"))
        for fact in one.facts
    )
    head = Fields(
        (
            ("Google", f"level {one.google} of 2  {'■' * one.google}{'□' * (2 - one.google)}"),
            ("Azure", f"level {one.azure} of 4  {'■' * one.azure}{'□' * (4 - one.azure)}"),
        ),
        title=f"{one.model}/{one.version}",
    )
    return (
        head,
        Grid(("Next level", "Needs"), needs),
        Grid(("Fact", "Seen, or what supplies it"), facts, title="Facts"),
    )


def next_command(one: Maturity) -> str:
    """The first command that leads further."""
    wanted = {*one.missing_google, *one.missing_azure}
    return next((fact.how for fact in one.facts if fact.id in wanted), "nothing is missing")
