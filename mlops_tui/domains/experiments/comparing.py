"""What differs between runs beyond their numbers: packages, code and data."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from pathlib import Path

from mlops_tui.core.context import Context
from mlops_tui.core.errors import WorkbenchError
from mlops_tui.domains.experiments.records import DataInput, Run, RunArtifact

PACKAGES = "environment/packages.txt"
DIFF = "environment/uncommitted.diff"
_COMMIT = re.compile(r"[0-9a-f]{7,64}")


def packages(context: Context, files: Sequence[Sequence[RunArtifact]]) -> dict[str, tuple[str | None, ...]]:
    """Versions of the packages that are not the same in all runs; runs that kept no list count as knowing none."""
    shas = [next((item.sha for item in own if item.path == PACKAGES), None) for own in files]
    if len(set(shas)) == 1:
        return {}
    lists = [_versions(_text(context, sha)) for sha in shas]
    names = sorted(set().union(*lists))
    return {name: row for name in names if len(set(row := tuple(own.get(name) for own in lists))) > 1}


def data(inputs: Sequence[Sequence[DataInput]]) -> dict[str, tuple[str | None, ...]]:
    """By name, what each run read of it: a snapshot's reference, else a hash; several are joined."""
    named: list[dict[str, str]] = []
    for own in inputs:
        found: dict[str, str] = {}
        for one in own:
            told = one.source if one.source_type == "features" else one.digest
            found[one.name] = f"{found[one.name]}, {told}" if one.name in found else told
        named.append(found)
    return {name: tuple(own.get(name) for own in named) for name in sorted(set().union(*named))}


def code(run: Run) -> str:
    """The commit in short, with a + when there were changes on top of it."""
    return run.git_commit[:10] + ("+" if run.git_dirty else "") if run.git_commit else ""


def code_diff(context: Context, runs: Sequence[Run], files: Sequence[Sequence[RunArtifact]], folder: Path) -> str:
    """The way from the first run's code to the second's: between their commits, where the repository is here, and on top of them."""
    first, second = runs
    parts = []
    if first.git_commit != second.git_commit:
        parts.append(f"# commit {first.git_commit or 'unknown'} -> {second.git_commit or 'unknown'}\n")
        parts.append(_between(folder, first.git_commit, second.git_commit))
    before, after = [
        _text(context, next((item.sha for item in own if item.path == DIFF), None)).splitlines(keepends=True)
        for own in files
    ]
    on_top = list(
        difflib.unified_diff(before, after, f"uncommitted in {first.id[:8]}", f"uncommitted in {second.id[:8]}")
    )
    return "".join([*parts, *on_top])


def _between(folder: Path, first: str, second: str) -> str:
    from mlops_tui.domains.experiments import environment

    if not (_COMMIT.fullmatch(first) and _COMMIT.fullmatch(second)):  # a client over HTTP may have said anything
        return ""
    return environment.diff_between(folder, first, second) or f"# these commits are not in the repository of {folder}\n"


def _versions(text: str) -> dict[str, str]:
    return {name: version for name, _, version in (line.partition("==") for line in text.splitlines()) if name}


def _text(context: Context, sha: str | None) -> str:
    if sha is None:
        return ""
    try:
        return context.artifacts.read(sha).decode("utf-8", "replace")
    except WorkbenchError:  # a damaged or collected file is no reason not to compare the rest
        return ""
