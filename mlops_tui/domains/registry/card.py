"""The model card: one Markdown page per version from what the workspace knows (Mitchell et al., 2019: Model Cards)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlops_tui.core import clock
from mlops_tui.domains.registry import judgement
from mlops_tui.domains.registry.evidence import Evidence

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from mlops_tui.domains.registry.records import LineageItem, Note, Promotion, Request, Version

MOST_MOVES = 10
NOTHING = Evidence()


@dataclass(frozen=True, slots=True)
class Facts:
    """What a card is written from."""

    version: Version
    champion: Version | None
    params: Mapping[str, str]
    lineage: Sequence[LineageItem]
    profile: Mapping[str, Any] | None
    request: Request | None
    moves: Sequence[Promotion]
    notes: Sequence[Note]
    needed: int
    evidence: Evidence = NOTHING
    lost: str = ""


def write(facts: Facts) -> str:
    """Return the card. What is not known is said to be missing, since a reader would else take it for fine."""
    parts = [
        _head(facts),
        _section("Purpose", _purpose(facts)),
        _section("Charter", judgement.charter(facts.evidence)),
        _section("Metrics", _metrics(facts)),
        _section("Test", _tabled(judgement.intervals(facts.evidence))),
        _section("Slices", _tabled(judgement.slices(facts.evidence))),
        _section("Calibration", _told(judgement.calibration(facts.evidence))),
        _section("What matters", _matters(facts)),
        _section("Data", _data(facts)),
        _section("Inputs", _inputs(facts)),
        _section("Limits", judgement.limits(facts.evidence, facts.version.tags, facts.profile is not None)),
        _section("Fairness", _told(judgement.fairness(facts.evidence))),
        _section("Parameters", _table(("Parameter", "Value"), sorted(facts.params.items()))),
        _section("Approval", _approval(facts)),
        _section("History", _history(facts)),
        _section("Environment", _environment(facts.version)),
        _section("Notes", "\n\n".join(f"**{_when(note.at)}, {note.by}:** {note.text}" for note in facts.notes)),
    ]
    return "\n".join(part for part in parts if part)


def _head(facts: Facts) -> str:
    version = facts.version
    names = f", {', '.join(f'@{alias}' for alias in version.aliases)}" if version.aliases else ""
    lines = [
        f"# {version.ref}",
        "",
        (
            f"{version.task or 'model'}, stage {version.stage}{names}. Registered {_when(version.created_at)} by {version.created_by};"
            f" package sha256 `{version.sha[:16]}`, {version.size:,} bytes."
        ),
        "",
    ]
    if facts.lost:
        lines += [f"**{facts.lost}** It can neither be served nor examined.", ""]
    return "\n".join(lines)


def _purpose(facts: Facts) -> str:
    target = facts.version.signature.get("target")
    said = facts.version.description or f"Not described. Say it: `mlops models describe {facts.version.ref} TEXT`"
    return said + (f"\n\nIt predicts `{target}`." if target else "")


def _metrics(facts: Facts) -> str:
    if not facts.version.metrics:
        return "None were recorded."
    other = facts.champion
    if other is None or other.version == facts.version.version:
        return _table(
            ("Metric", "Value"), [(name, _number(value)) for name, value in sorted(facts.version.metrics.items())]
        )
    rows = [
        (name, _number(value), _number(other.metrics.get(name)), _change(value, other.metrics.get(name)))
        for name, value in sorted(facts.version.metrics.items())
    ]
    return _table(("Metric", "This version", f"Champion ({other.ref})", "Change"), rows)


def _data(facts: Facts) -> str:
    if not facts.lineage:
        return "Where it came from was not recorded."
    rows = [
        (item.kind.replace("_", " "), f"`{item.name}`", item.detail if item.found else "removed since")
        for item in facts.lineage
    ]
    return _table(("Came from", "Name", "Detail"), rows)


def _inputs(facts: Facts) -> str:
    columns = (facts.profile or {}).get("columns", {})
    rows = [
        (f"`{item['name']}`", item["type"], _seen(columns.get(item["name"])))
        for item in facts.version.signature.get("inputs", [])
    ]
    note = "" if facts.profile else "\n\nNo reference profile was stored, so drift cannot be watched."
    return _table(("Input", "Type", "Seen in training"), rows) + note


def _seen(column: Mapping[str, Any] | None) -> str:
    """What a column of the reference profile held, in words."""
    if column is None:
        return ""
    total = column["count"] + column["nulls"]
    missing = f", {column['nulls'] / total:.1%} missing" if column["nulls"] else ""
    if column["kind"] == "numeric":
        return f"{_number(column['min'])} to {_number(column['max'])}, mean {_number(column['mean'])}{missing}"
    if column["kind"] == "time":
        return f"{_when(int(column['min'] * 1000))} to {_when(int(column['max'] * 1000))}{missing}"
    levels = column["levels"]
    more = f" and {len(levels) - 5} more" if len(levels) > 5 else ""
    return ", ".join(str(level) for level in levels[:5]) + more + missing


def _approval(facts: Facts) -> str:
    request = facts.request
    if request is None:
        return "Nobody has to approve it." if not facts.needed else f"{facts.needed} needed, not asked for yet."
    lines = [(f"{request.asked_by} asked on {_when(request.asked_at)}: {request.why or 'no reason given'}. **{request.state}**,"
             f" {request.approvals} of {max(1, facts.needed)} agreed.")]  # fmt: skip
    lines += [
        f"- {one.by}: {one.verdict}, {_when(one.at)}" + (f": {one.why}" if one.why else "") for one in request.decisions
    ]
    return "\n".join(lines)


def _history(facts: Facts) -> str:
    mine = [move for move in facts.moves if facts.version.version in {move.from_version, move.to_version}]
    rows = [
        (
            _when(move.at),
            move.verb,
            f"@{move.alias}",
            f"{move.from_version or '-'} to {move.to_version or '-'}",
            move.by,
            move.why,
        )
        for move in mine[:MOST_MOVES]
    ]
    return (
        _table(("At", "What", "Alias", "Version", "By", "Why"), rows)
        if rows
        else "No alias was ever moved to or from it."
    )


def _environment(version: Version) -> str:
    libraries = version.environment.get("libraries", {})
    listed = ", ".join(f"{name} {number}" for name, number in sorted(libraries.items()))
    return f"Python {version.environment.get('python', 'unknown')}; {listed or 'no libraries recorded'}."


def _matters(facts: Facts) -> str:
    parts = (_tabled(judgement.importance(facts.evidence)), _told(judgement.effects(facts.evidence)))
    return "\n\n".join(part for part in parts if part)


def _told(found: tuple[str, judgement.Table | None]) -> str:
    """A sentence and the table it leads to, as far as there are such."""
    return "\n\n".join(part for part in (found[0], _tabled(found[1])) if part)


def _tabled(found: judgement.Table | None) -> str:
    return _table(*found) if found is not None else ""


def _section(title: str, body: str) -> str:
    return f"## {title}\n\n{body}\n" if body else ""


def _table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    lines = ["| " + " | ".join(_cell(cell) for cell in row) + " |" for row in rows]
    return "\n".join(["| " + " | ".join(head) + " |", "|" + "---|" * len(head), *lines]) if lines else ""


def _cell(value: Any) -> str:
    return " ".join(str(value).replace("|", "\\|").split())


def _number(value: Any) -> str:
    return "" if value is None else f"{value:.4g}"


def _change(value: float, other: float | None) -> str:
    return "" if other is None else f"{value - other:+.4g}"


def _when(at: int) -> str:
    return str(clock.iso(at))[:16].replace("T", " ") + " UTC"
