"""A step whose inputs, settings and code were seen before is not done again: its files are linked from where they were kept.

The key of a step is a hash of its settings, of the key of the step before, of this package's code, of the project's files it
names, and of the library versions. A run that failed is so resumed at the step that failed, by running it once more.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import shutil
import time
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from mlops_tui._version import __version__
from mlops_tui.domains.pipelines import graph

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mlops_tui.core.workspace import Workspace
    from mlops_tui.domains.pipelines.recipe import Recipe
    from mlops_tui.domains.pipelines.work import Work

RESULT = "result.json"
# Looks at the outside world (checks of the tables) or decides and changes something: never from the cache.
UNCACHED = ("check", "test", "gate", "register", "deploy")
MAX_BYTES = 2 * 10**9
MAX_AGE_S = 30 * 86_400
LIBRARIES = ("scikit-learn", "numpy", "scipy", "pandas", "pyarrow", "duckdb", "joblib")


def key_of(work: Work, name: str) -> str:
    """The key of a step, from the steps before it. Equal keys mean equal results; "" when it must be done anew."""
    own = {extra.name: extra for extra in work.recipe.steps}
    if name in own and not own[name].cache:
        return ""
    if name in UNCACHED or "test" in work.options:  # what a sample gave is no answer for the whole
        return ""
    parts = [name, _before(work, name), code(), environment(work.recipe), _settings(work, name), _sources(work, name)]
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def restore(work: Work, key: str) -> dict[str, Any] | None:
    """Link the files of a step into the run's folder and return its result; None when they are not kept."""
    kept = folder(work.context.workspace) / key
    try:
        result: dict[str, Any] = json.loads((kept / RESULT).read_text(encoding="utf-8"))
        for path in kept.iterdir():
            if path.name != RESULT:
                _link(path, work.folder / path.name)
        os.utime(kept / RESULT)  # in use: the oldest are removed first
    except (OSError, ValueError):  # removed meanwhile, or damaged: it is done anew
        return None
    return result


def save(work: Work, key: str, outputs: Iterable[str], result: dict[str, Any]) -> None:
    """Keep the files and the result of a step. Whole or not at all; a disk that refuses costs the cache, not the run."""
    place = folder(work.context.workspace)
    staged = place / f".{key}-{os.getpid()}"
    try:
        staged.mkdir(parents=True)
        for name in outputs:
            if (work.folder / name).exists():
                _link(work.folder / name, staged / name)
        (staged / RESULT).write_text(json.dumps(result), encoding="utf-8")
        staged.rename(place / key)
    except OSError:
        shutil.rmtree(staged, ignore_errors=True)


def prune(workspace: Workspace, *, max_bytes: int = MAX_BYTES, max_age_s: float = MAX_AGE_S) -> int:
    """Remove what was not used for a month, and the longest unused until the rest fits; how many steps."""
    place = folder(workspace)
    kept = sorted(((_used(path), path) for path in place.glob("*")), reverse=True) if place.is_dir() else []
    total = removed = 0
    for used, path in kept:
        total += sum(item.stat().st_size for item in path.rglob("*") if item.is_file())
        if total > max_bytes or time.time() - used > max_age_s:
            shutil.rmtree(path, ignore_errors=True)
            removed += 1
    return removed


def folder(workspace: Workspace) -> Path:
    return workspace.root / "pipeline_cache"


@lru_cache(maxsize=1)
def code() -> str:
    """The hash of this package's code that makes models, and its version."""
    here = Path(__file__).parent
    files = [*here.glob("*.py"), *here.glob("steps/*.py"), *(here.parent / "registry").glob("p*.py")]
    digest = hashlib.sha256(__version__.encode())
    for path in sorted(files):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


def environment(recipe: Recipe) -> dict[str, str]:
    """Versions of the libraries that make a model of this recipe."""
    names = [*LIBRARIES, recipe.model.estimator.partition(".")[0]]
    names += ["shap"] if recipe.explain is not None and recipe.explain.shap else []
    versions = {name: version_of(name) for name in dict.fromkeys(names)}
    return {name: version for name, version in versions.items() if version}


@lru_cache(maxsize=64)
def version_of(name: str) -> str:
    """The version of an installed library, "" without it; read once in a process, as what is imported stays what it was."""
    from importlib import metadata  # 20 ms, which who only asks for a run need not pay

    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def project_files(recipe: Recipe, project: Path) -> dict[str, str]:
    """The hash of each file of the project, or module, that the recipe names for its own code."""
    uses = [extra.uses for extra in recipe.steps]
    uses += [recipe.model.preprocess] if ":" in recipe.model.preprocess else []
    return {name: _hash_of(name.partition(":")[0], project) for name in uses}


def learn(work: Work) -> None:
    """Find out what all keys of a run have in common, once and not in each of its children."""
    code()
    environment(work.recipe)
    work.sources.update(project_files(work.recipe, work.project))


def by_files(recipe: Recipe) -> bool:
    """Whether the project's own code is named by files alone: what a module comes from, only importing what is around it tells."""
    uses = [*(extra.uses for extra in recipe.steps), recipe.model.preprocess]
    return all(place.partition(":")[0].endswith(".py") for place in uses if ":" in place)


def _before(work: Work, name: str) -> list[str]:
    own = graph.own_needs(work.recipe.steps)
    if name in own or name == graph.COLLECT:
        needs = own[name] if name in own else graph.leaves(own)
        return [work.results[need].get("key") or work.run_id for need in needs]
    if name != graph.LOAD:
        done = [result["key"] for step, result in work.results.items() if result.get("key") and step not in own]
        return done[-1:] or [work.run_id]
    references, read = work.features.pinned(work.recipe.data.features)
    read = work.options.get("pins", {}).get("at", read)
    until = [str(work.options["until"])] if "until" in work.options else []
    return [work.features.snapshot(work.recipe.data.spine).reference, *references, *read, *until]


def _settings(work: Work, name: str) -> Any:
    recipe = work.recipe
    model = recipe.model
    own = {extra.name: extra for extra in recipe.steps}
    if name in own:
        return [own[name].uses, msgspec.to_builtins(own[name].params)]
    by_step: dict[str, list[Any]] = {
        # Which snapshots are read, not how they were asked for: see `_before`.
        "load": [msgspec.structs.replace(recipe.data, spine="", features=[]), bool(recipe.steps), model.task],
        "collect": [recipe.data.target, recipe.data.drop, recipe.data.keep, model.task],
        "split": [recipe.split],
        "preprocess": [recipe.preprocess, model.preprocess, model.estimator, model.task],
        "select": [recipe.select],
        "tune": [recipe.tune, model, recipe.primary],
        "train": [model, recipe.metrics, recipe.evaluate.threshold],
        "calibrate": [recipe.calibrate, recipe.evaluate.threshold],
        "evaluate": [recipe.evaluate, recipe.metrics, recipe.primary, recipe.gate.confidence, recipe.data.target],
        "explain": [recipe.explain, recipe.primary],
    }
    return msgspec.to_builtins(by_step[name])


def _sources(work: Work, name: str) -> dict[str, str]:
    if not work.sources:
        work.sources.update(project_files(work.recipe, work.project))
    files = work.sources
    uses = {extra.name: extra.uses for extra in work.recipe.steps} | {"preprocess": work.recipe.model.preprocess}
    return {place: sha for place, sha in files.items() if place == uses.get(name)}


def _hash_of(place: str, project: Path) -> str:
    path: Path | None = project / place
    if not place.endswith(".py"):
        spec = importlib.util.find_spec(place)
        path = Path(spec.origin) if spec and spec.origin else None
    if path is None or not path.is_file():
        return ""
    if not place.endswith(".py"):
        return hashlib.sha256(path.read_bytes()).hexdigest()
    digest = hashlib.sha256()
    for one in beside(path, project):
        digest.update(one.name.encode() + one.read_bytes())
    return digest.hexdigest()


def beside(path: Path, project: Path) -> list[Path]:
    """A file of the project and those it may import: below its folder, or, at the project's root, on that level only."""
    around = path.parent.glob("*.py") if path.parent == project else path.parent.rglob("*.py")
    return sorted({path, *around})


def _link(source: Path, target: Path) -> None:
    """A second name for the same bytes: files of a run are replaced, never written into."""
    if source.is_dir():
        shutil.copytree(source, target, copy_function=os.link, dirs_exist_ok=True)
        return
    target.unlink(missing_ok=True)
    os.link(source, target)


def _used(path: Path) -> float:
    try:
        return (path / RESULT).stat().st_mtime
    except OSError:
        return 0.0
