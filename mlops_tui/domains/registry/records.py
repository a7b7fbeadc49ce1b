"""What the registry keeps: models, their versions, the names on them, and each move of a name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

CHAMPION = "champion"


class Stage(StrEnum):
    """Where a version stands, shown beside its aliases."""

    NONE = "None"
    STAGING = "Staging"
    PRODUCTION = "Production"
    ARCHIVED = "Archived"


@dataclass(frozen=True, slots=True)
class Model:
    """A named line of versions."""

    name: str
    description: str
    versions: int
    latest_version: int
    production: int | None
    aliases: dict[str, int]
    created_at: int
    created_by: str
    updated_at: int


@dataclass(frozen=True, slots=True)
class Version:
    """One immutable model version; `sha` is the content address of its package folder, `size` its bytes."""

    model: str
    version: int
    sha: str
    stage: Stage
    aliases: list[str]
    task: str
    metrics: dict[str, float]
    run_id: str
    snapshots: list[str]
    pipeline: str
    pipeline_run: str
    git_commit: str
    signature: dict[str, Any]
    environment: dict[str, Any]
    tags: dict[str, str]
    description: str
    size: int
    created_at: int
    created_by: str

    @property
    def ref(self) -> str:
        return f"{self.model}/{self.version}"


@dataclass(frozen=True, slots=True)
class Promotion:
    """One move of an alias. `verb` is promote, alias, rollback or remove; `from_version` is None for the first."""

    id: int
    model: str
    alias: str
    from_version: int | None
    to_version: int | None
    verb: str
    at: int
    by: str
    why: str


class RequestState(StrEnum):
    """How far a request for approval is."""

    OPEN = "open"
    APPROVED = "approved"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class Decision:
    """What one person said to a request; `verdict` is approve, refuse or withdraw."""

    by: str
    verdict: str
    at: int
    why: str


@dataclass(frozen=True, slots=True)
class Request:
    """Somebody asks for a version to go to production; `needed` is how many others have to agree."""

    id: int
    model: str
    version: int
    state: RequestState
    why: str
    asked_by: str
    asked_at: int
    decisions: tuple[Decision, ...]
    needed: int
    ended_at: int | None

    @property
    def approvals(self) -> int:
        return sum(decision.verdict == "approve" for decision in self.decisions)

    @property
    def ref(self) -> str:
        return f"{self.model}/{self.version}"


@dataclass(frozen=True, slots=True)
class Note:
    """What somebody wrote about a model, or about one version of it."""

    id: int
    model: str
    version: int | None
    at: int
    by: str
    text: str


@dataclass(frozen=True, slots=True)
class Health:
    """One check of a stored version: package, environment, answers or profile."""

    check: str
    ok: bool
    detail: str


@dataclass(frozen=True, slots=True)
class LineageItem:
    """One thing a version came from: kind is run, snapshot, pipeline, pipeline_run or commit."""

    kind: str
    name: str
    detail: str = ""
    at: int | None = None
    found: bool = True


@dataclass(frozen=True, slots=True)
class DiffItem:
    """One line of a comparison; `delta` is right minus left where both are numbers."""

    section: str
    key: str
    left: Any
    right: Any
    delta: float | None = None


@dataclass(frozen=True, slots=True)
class VersionDiff:
    """What differs between two versions."""

    left: str
    right: str
    items: list[DiffItem] = field(default_factory=list)

    @property
    def caution(self) -> str:
        """What a reader of the metrics has to know: versions of different data were tested on different rows."""
        return OWN_ROWS if on_own_rows(self.items) else ""


OWN_ROWS = "Each metric is of its version's own test rows; the gate compares on the same rows."


def on_own_rows(items: Iterable[DiffItem]) -> bool:
    """Whether two versions differ in metrics and in the data these were measured on."""
    return {"metric", "data"} <= {item.section for item in items}


@dataclass(frozen=True, slots=True)
class Reference:
    """A parsed `model`, `model/3` or `model@alias`."""

    model: str
    version: int | None = None
    alias: str = ""


def parse_reference(text: str) -> Reference | None:
    """Split a reference into its parts; None when it is malformed. `model@3` is read as `model/3`."""
    name, slash, number = text.partition("/")
    if slash:
        return Reference(name, int(number)) if name and number.isascii() and number.isdigit() else None
    name, at, alias = text.partition("@")
    if not name or (at and not alias):
        return None
    if alias.isascii() and alias.isdigit():
        return Reference(name, int(alias))
    return Reference(name, alias=alias)


def previous_of(moves: list[Promotion]) -> int | None:
    """Find the version an alias pointed to before its present one; `moves` oldest first.

    The history is a stack: each forward move pushes, each rollback pops. So two rollbacks in a row go back twice, and a
    rollback after a new promotion returns to what was good before it.
    """
    stack: list[int] = []
    for move in moves:
        if move.verb == "rollback":
            stack = stack[:-1]
        elif move.to_version is None:
            continue
        elif not stack or stack[-1] != move.to_version:
            stack.append(move.to_version)
    return stack[-2] if len(stack) > 1 else None


def compare(
    left: Version, right: Version, params: tuple[Mapping[str, str], Mapping[str, str]] = ({}, {})
) -> VersionDiff:
    """List what differs between two versions: metrics, parameters, inputs, outputs, data, origin, size, environment."""
    items: list[DiffItem] = []
    for section, one, two in _sections(left, right, params):
        items += [
            DiffItem(section, key, one.get(key), two.get(key), _delta(one.get(key), two.get(key)))
            for key in sorted({*one, *two})
            if one.get(key) != two.get(key)
        ]
    return VersionDiff(left.ref, right.ref, items)


def _sections(
    left: Version, right: Version, params: tuple[Mapping[str, str], Mapping[str, str]]
) -> list[tuple[str, Mapping[str, Any], Mapping[str, Any]]]:
    return [
        ("metric", left.metrics, right.metrics),
        ("parameter", *params),
        ("input", _types(left, "inputs"), _types(right, "inputs")),
        ("output", _types(left, "outputs"), _types(right, "outputs")),
        ("data", _tables(left), _tables(right)),
        ("origin", _origin(left), _origin(right)),
        ("package", {"size": left.size}, {"size": right.size}),
        ("environment", _versions(left), _versions(right)),
    ]


def _types(version: Version, part: str) -> dict[str, str]:
    return {item["name"]: item["type"] for item in version.signature.get(part, [])}


def _tables(version: Version) -> dict[str, str]:
    return {ref.partition("@")[0]: ref.partition("@")[2] for ref in version.snapshots}


def _origin(version: Version) -> dict[str, str]:
    return {"run": version.run_id, "pipeline run": version.pipeline_run, "commit": version.git_commit}


def _versions(version: Version) -> dict[str, str]:
    python = version.environment.get("python", "")
    return {"python": python, **version.environment.get("libraries", {})}


def _delta(left: Any, right: Any) -> float | None:
    numbers = isinstance(left, int | float) and isinstance(right, int | float)
    return float(right) - float(left) if numbers else None


ENGINES = ("exact", "onnx", "arrays", "frame")


@dataclass(frozen=True, slots=True)
class EngineTrial:
    """How one way of asking a model did on the stored sample: whether it agreed with the model as scikit-learn answers it.

    `difference`: the largest of any number, relative; `flipped`: other labels; `us_one`, `us_many`: microseconds for 1 and 32
    rows, 0 when it was not timed.
    """

    engine: str
    agrees: bool
    difference: float | None
    flipped: int
    us_one: float
    us_many: float
    note: str = ""


@dataclass(frozen=True, slots=True)
class EngineChoice:
    """The engine a version is served with, whether a person forced it, and what each engine showed."""

    engine: str
    forced: bool
    trials: tuple[EngineTrial, ...] = ()
