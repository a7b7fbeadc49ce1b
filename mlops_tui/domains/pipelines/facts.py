"""What a run was made of and what came out, so that it can be made again, or what differs be said."""

from __future__ import annotations

import hashlib
import platform
from typing import TYPE_CHECKING, Any

from mlops_tui.domains.experiments.environment import git_diff, git_state
from mlops_tui.domains.pipelines import cache

if TYPE_CHECKING:
    from mlops_tui.domains.pipelines.work import Work

# What is compared, in this order, and how it is called.
_INPUTS = {
    "definition": "the definition",
    "snapshots": "the snapshots",
    "commit": "the commit of the project",
    "diff": "uncommitted changes of the project",
    "files": "the project's own steps",
    "code": "the workbench's own code",
    "python": "Python",
    "libraries": "the libraries",
    "machine": "the machine",
}


def gather(work: Work, definition: str) -> dict[str, Any]:
    """Collect the facts of a run whose `evaluate` step is done: strings, and dicts of strings or numbers."""
    project = work.context.workspace.project
    state = git_state(project)
    diff = git_diff(project) if state.dirty else ""
    evaluated = work.results["evaluate"]
    return {
        "definition": _digest(definition),
        "snapshots": work.results["load"].get("snapshots", []),
        "pins": work.results["load"].get("pins", {}),
        "commit": work.git_commit,
        "diff": _digest(diff) if diff and "bundle" not in work.options else "",
        "files": cache.project_files(work.recipe, work.project),
        "code": cache.code(),
        "python": platform.python_version(),
        "libraries": cache.environment(work.recipe),
        "machine": platform.machine(),
        "seed": work.recipe.split.seed,
        "params": work.results["train"].get("params", {}),
        "metrics": evaluated.get("metrics", {}),
        "answers": evaluated.get("answers", ""),
        "cached": [name for name, result in work.results.items() if result.get("cached")],
    }


def differences(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """What came out differently, and what went in differently, which may be why. Empty when equal to the last digit."""
    results = []
    for name in {**before.get("metrics", {}), **after.get("metrics", {})}:
        old, new = before["metrics"].get(name), after["metrics"].get(name)
        if old != new:
            results.append(f"{name} {old!r} -> {new!r}")
    if before.get("answers") != after.get("answers") and not results:
        results.append("answers to single rows differ, the metrics do not")
    return [*results, *changed_inputs(before, after)] if results else []


def changed_inputs(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """What the two were made of that is not the same."""
    found = []
    for key, words in _INPUTS.items():
        old, new = before.get(key), after.get(key)
        if old == new:
            continue
        if isinstance(old, dict) and isinstance(new, dict):
            names = [name for name in {**old, **new} if old.get(name) != new.get(name)]
            shown = [f"{name} {_short(old.get(name))} -> {_short(new.get(name))}" for name in names]
            found.append(f"{words} changed: {', '.join(shown)}")
        else:
            found.append(f"{words} changed: {_short(old)} -> {_short(new)}")
    return found


def _short(value: Any) -> str:
    text = ", ".join(str(item) for item in value) if isinstance(value, list) else str(value or "none")
    return text[:12] if len(text) in (40, 64) else text


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
