"""Where a run came from and what came of it: command, code, packages; parent, children, data, model versions."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from mlops_tui.tui.blocks import Block, Text
from mlops_tui.tui.lines import Span, number, state
from mlops_tui.tui.screens import run_files
from mlops_tui.workbench import Workbench

if TYPE_CHECKING:
    from mlops_tui.domains.experiments.records import Run

PACKAGES = "environment/packages.txt"
DIFF = "environment/uncommitted.diff"
MOST_CHILDREN = 1000
_LOOK = 2**20


@dataclasses.dataclass(frozen=True, slots=True)
class Fact:
    """One thing known of where a run ran; `text` is what there is to read beyond the value."""

    group: str
    name: str
    value: str
    text: str = ""


def environment(of: str, bench: Workbench) -> list[Fact]:
    """Command and machine, code with what was not committed, then every package."""
    run = bench.experiments.run(of)
    kept = {one.path for one in bench.experiments.artifacts(of)}
    said = [Fact(group, name, value) for group, name, value in _said(run) if value]
    if DIFF in kept:
        text = _read(bench, of, DIFF)
        changed = sum(one.startswith(("+", "-")) and not one.startswith(("+++", "---")) for one in text.splitlines())
        said.append(Fact("code", "not committed", f"{changed:,} lines changed", text))
    elif run.git_dirty:
        said.append(Fact("code", "not committed", "there were changes; they were not kept"))
    packages = _read(bench, of, PACKAGES).splitlines() if PACKAGES in kept else []
    return [*said, *(_package(one) for one in packages if one.strip())]


def _said(run: Run) -> Iterator[tuple[str, str, str]]:
    yield from (("run", "command", run.command), ("run", "source", run.source), ("run", "python", run.python))
    yield from (("run", "host", run.host), ("run", "user", run.user), ("run", "process", str(run.pid or "")))
    yield from (("code", "commit", run.git_commit), ("code", "branch", run.git_branch))
    yield from (("run", f"tag {name}", value) for name, value in run.tags.items() if name.startswith("seed"))


def _package(text: str) -> Fact:
    name, _, version = text.strip().partition("==")
    return Fact("package", name, version)


def _read(bench: Workbench, of: str, path: str) -> str:
    with bench.experiments.artifact_file(of, path).open("rb") as file:
        return file.read(_LOOK).decode("utf-8", "replace")


def fact(bench: Workbench, row: Fact) -> Sequence[Block]:
    """The value in full, or the diff."""
    if row.text:
        return (Text(row.value, "muted", row.name), run_files.diff(row.text))
    return (Text(row.value, title=row.name),)


# -- what it belongs to ------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True)
class Kin:
    """Something a run belongs to; `place` is where it is shown: desk, part, key."""

    kind: str
    key: str
    name: str
    words: Span
    at: int | None
    place: tuple[str, str, str]


def lineage(of: str, bench: Workbench) -> list[Kin]:
    """The parent, the children, the data it used, the model versions made of it."""
    run = bench.experiments.run(of)
    out = [_kin("parent", bench.experiments.run(run.parent))] if run.parent else []
    out += [_data(name, digest) for name, digest in _inputs(bench, of)]
    out += [
        Kin("model version", one.ref, one.ref, _metrics(one.metrics), one.created_at, ("registry", "versions", one.ref))
        for one in bench.registry.by_run(of)
    ]
    return out + [_kin("child", one) for one in bench.experiments.runs(parent=of, limit=MOST_CHILDREN)]


def _kin(kind: str, run: Run) -> Kin:
    return Kin(kind, run.id, run.name or run.id[:8], state(run.state), run.started_at, ("experiments", "run", run.id))


def _metrics(found: dict[str, float]) -> Span:
    return ("  ".join(f"{name} {number(value, 3)}" for name, value in list(found.items())[:3]), "muted")


def _inputs(bench: Workbench, of: str) -> Iterator[tuple[str, str]]:
    for one in bench.experiments.inputs(of):
        yield one.name, one.digest


def _data(name: str, digest: str) -> Kin:
    place = ("features", "snapshots", name) if "@" in name else ("features", "tables", name)
    return Kin("data", f"{name} {digest}", name, (digest[:16], "muted"), None, place)
