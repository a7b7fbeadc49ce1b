"""Testing a pipeline: after each step of a run on a sample, what it hands over, and whether it does the same once more alone."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mlops_tui.core import processes
from mlops_tui.core.errors import InvalidInput
from mlops_tui.domains.pipelines import doing
from mlops_tui.domains.pipelines.records import STEPS, Finding
from mlops_tui.domains.pipelines.work import Work

# Starts a process of its own and measures times: judged once, in the whole.
ONCE = ("gate",)
# What of a step's result is no result but how it was come by.
_ASIDE = ("detail", "fit_seconds", "key", "cached", "study")
PYTEST_S = 600
MOST_FILES = 20_000
_LAST_LINES = 8


def prove(work: Work, name: str) -> dict[str, Any]:
    """{"checks": [...]} of a step that was just done: contracts, and once more from nothing but what earlier steps declared."""
    from mlops_tui.domains.pipelines import contracts

    found = [
        Finding("contract", name, not wrong, "; ".join(wrong) or said)
        for said, wrong in [*contracts.declared(work, name), *contracts.handed(work, name)]
    ]
    if name not in ONCE:
        found += _alone(work, name)
    for one in found:
        work.say(f"{'yes' if one.passed else 'NO':>3}  {one.kind}  {one.detail}")
    return {"checks": [asdict(one) for one in found]}


def own_tests(work: Work) -> dict[str, Any]:
    """Run the project's pytest files; one finding a file. Their output is the step's log."""
    found = []
    for place in work.recipe.pipeline.tests:
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-o", "addopts=", place]
        environment = {**processes.package_environment(), "PYTHONDONTWRITEBYTECODE": "1"}
        try:
            done = subprocess.run(
                command,
                cwd=work.project,
                env=environment,
                timeout=PYTEST_S,
                capture_output=True,
                text=True,
                check=False,
            )
        except subprocess.TimeoutExpired:
            found.append(Finding("tests", place, False, f"not done within {PYTEST_S} s"))
            continue
        work.say(done.stdout + done.stderr)
        lines = [line for line in (done.stdout or done.stderr).splitlines() if line.strip()]
        failed = [line for line in lines if line.startswith(("FAILED", "ERROR"))]
        said = "; ".join(failed[:_LAST_LINES]) or (lines[-1].strip("= ") if lines else f"code {done.returncode}")
        if "No module named pytest" in done.stderr:
            said = "pytest is not installed: pip install pytest"
        found.append(Finding("tests", place, done.returncode == 0, said))
    return {"checks": [asdict(one) for one in found]}


def findings(raw: list[dict[str, Any]]) -> list[Finding]:
    """Read findings that crossed a process border as JSON."""
    return [Finding(**one) for one in raw]


def _alone(work: Work, name: str) -> list[Finding]:
    """Do the step in a folder that holds only the declared outputs of the steps before it, and compare."""
    before = {step: result for step, result in work.results.items() if step != name}
    folder = work.folder / "alone" / name
    folder.mkdir(parents=True)
    for step in before:
        for output in doing.outputs_of(step):
            _link(work.folder / output, folder / output)
    alone = dataclasses.replace(
        work, folder=folder, results=before, study=f"{work.run_id}/{name}/alone", note=lambda text: None
    )
    alone.seed()
    around = _listed(work.context.workspace.project) if name not in STEPS else {}
    try:
        result = doing.anew(name, alone)
    except Exception as error:
        reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
        return [Finding("alone", name, False, f"fails when run by itself: {reason}")]
    differing = [*_results(work.results[name], result), *_files(work, alone, name)]
    touched = [] if name in STEPS else _changed(around, _listed(work.context.workspace.project))
    said = f"writes outside its own folder: {', '.join(touched[:5])}" if touched else ""
    return [
        Finding("alone", name, not touched, said or "runs from what the steps before it hand over"),
        Finding("again", name, not differing, "; ".join(differing) or "gives the same again"),
    ]


def _listed(project: Path) -> dict[str, tuple[int, int]]:
    """Time and size of each of the project's files, storage and caches aside; of a huge project the first ones."""
    found: dict[str, tuple[int, int]] = {}
    for folder, inner, names in os.walk(project):
        inner[:] = [
            name
            for name in inner
            if not name.startswith((".", "__")) and not (Path(folder) / name / "settings.toml").exists()
        ]
        for name in names:
            try:
                seen = os.stat(os.path.join(folder, name))  # noqa: PTH118, PTH116 - thousands of files
            except OSError:
                continue
            found[os.path.relpath(os.path.join(folder, name), project)] = (seen.st_mtime_ns, seen.st_size)  # noqa: PTH118
        if len(found) > MOST_FILES:
            break
    return found


def _changed(before: dict[str, tuple[int, int]], after: dict[str, tuple[int, int]]) -> list[str]:
    return sorted(name for name, seen in after.items() if before.get(name) != seen)


def _results(first: dict[str, Any], second: dict[str, Any]) -> list[str]:
    """The first crossed a process border as JSON, so both are compared as that."""
    old, new = ({key: json.dumps(value, sort_keys=True) for key, value in one.items()} for one in (first, second))
    names = [key for key in {**old, **new} if key not in _ASIDE and old.get(key) != new.get(key)]
    return [f"{name} is {_short(old.get(name))}, then {_short(new.get(name))}" for name in names]


def _files(work: Work, alone: Work, name: str) -> list[str]:
    found = []
    for output in doing.outputs_of(name):
        first, second = work.folder / output, alone.folder / output
        if first.exists() != second.exists():
            found.append(f"{output} is written only sometimes")
        elif first.is_file() and first.read_bytes() != second.read_bytes() and (said := _differ(work, alone, output)):
            found.append(said)
    return found


def _differ(work: Work, alone: Work, output: str) -> str:
    """Files of other bytes that may still say the same."""
    name, _, kind = output.partition(".")
    if kind == "parquet":
        first, second = work.read_frame(name), alone.read_frame(name)
        if first.equals(second):
            return ""
        changed = [str(column) for column in first if column not in second or not first[column].equals(second[column])]
        return f"{output} differs in {', '.join(changed[:5]) or 'its rows'}"
    if kind == "joblib":
        return _objects(work, alone, name)
    return f"{output} differs"


def _objects(work: Work, alone: Work, name: str) -> str:
    import joblib
    import numpy as np

    first, second = work.read_object(name), alone.read_object(name)
    if joblib.hash(first) == joblib.hash(second):
        return ""
    if not hasattr(first, "predict"):
        return ""  # not fitted yet: what it comes to, the model shows
    rows = work.part("test")[0]
    old, new = np.asarray(first.predict(rows)), np.asarray(second.predict(rows))
    count = int((old != new).sum())
    return f"{count:,} of {len(rows):,} answers of the {name} differ" if count else ""


def _link(source: Path, target: Path) -> None:
    import shutil

    if source.is_dir():
        shutil.copytree(source, target, copy_function=os.link, dirs_exist_ok=True)
    elif source.exists():
        target.unlink(missing_ok=True)  # of an earlier step, which this one went on with
        os.link(source, target)


def _short(text: str | None) -> str:
    return "nothing" if text is None else text if len(text) <= 40 else f"{text[:37]}..."


def failed(report: list[Finding]) -> InvalidInput:
    """The error of a test that found something."""
    wrong = [f"{one.subject}: {one.detail}" for one in report if not one.passed]
    return InvalidInput(f"The pipeline's test failed: {'; '.join(wrong[:3])}.", hint="See: mlops pipelines test NAME")
