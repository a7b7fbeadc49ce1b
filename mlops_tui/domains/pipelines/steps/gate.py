"""Decide whether the model may serve: limits, charter, the champion on the same rows, and a load in a fresh process."""

from __future__ import annotations

import json
import subprocess
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from mlops_tui.core import processes
from mlops_tui.core.errors import InvalidInput, NotFound, Unavailable, WorkbenchError
from mlops_tui.domains.pipelines import gate, metrics
from mlops_tui.domains.pipelines.answers import answer_of, in_order_of, places_of
from mlops_tui.domains.pipelines.recipe import margin_of
from mlops_tui.domains.pipelines.records import GateCheck, GateVerdict, decide
from mlops_tui.domains.pipelines.steps.register import LEARNED_UNTIL
from mlops_tui.domains.pipelines.work import PACKAGE, Work
from mlops_tui.domains.registry import package
from mlops_tui.domains.registry.records import CHAMPION

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlops_tui.domains.pipelines.metrics import Array
    from mlops_tui.domains.registry.records import Version

PROBE_TIMEOUT_S = 300
MIN_UNSEEN = 50


def run(work: Work) -> dict[str, Any]:
    """Return the verdict with every check and number; a "no" is a result, not an error."""
    recipe = work.recipe
    probed = _probe(work)
    measured = dict(work.results["evaluate"]["metrics"])
    measured.update({name: probed[name] for name in ("latency_p95_ms", "size_mb") if probed.get(name) is not None})
    champion = _champion(work)
    checks = [
        *_infra(probed),
        *gate.limits("minimum", recipe.gate.minimum, measured),
        *gate.limits("maximum", recipe.gate.maximum, measured),
        *gate.charter(recipe.charter.success, measured),
        *_against(work, champion),
    ]
    outcome, reason = decide(checks)
    verdict = GateVerdict(outcome, checks, champion.ref if champion else "", reason)
    for check in checks:
        word = {True: "yes", False: "NO", None: "open"}[check.passed]
        work.say(f"{word:>4}  {check.name}  {check.detail or check.limit}")
    work.say(f"{outcome}: {reason}")
    return {"verdict": asdict(verdict), "detail": f"{outcome}: {reason}"}


def _champion(work: Work) -> Version | None:
    try:
        return work.registry.version(f"{work.recipe.model_name}@{CHAMPION}")
    except NotFound:
        return None


def _infra(probed: dict[str, Any]) -> Iterator[GateCheck]:
    error, rows = probed["error"], probed["rows"]
    detail = (
        f"loaded in a fresh process and answered {rows} golden requests" if not error else f"does not load: {error}"
    )
    yield GateCheck("loads and answers", not error, float(rows), "golden requests", rows=rows, detail=detail)
    if not error:
        said = (
            "the same rows get the same answer"
            if probed["same"]
            else "the same rows got another answer when asked again"
        )
        yield GateCheck("answers repeat", probed["same"], detail=said)
    for path, failed in probed["tests"].items():
        yield GateCheck(
            f"tests {path}", not failed, float(len(failed)), "0 fail", detail="; ".join(failed) or "all passed"
        )


def _against(work: Work, champion: Version | None) -> Iterator[GateCheck]:
    settings = work.recipe.gate
    if settings.against == "none":
        return
    if champion is None:
        yield GateCheck("against the champion", True, detail="there is no champion yet to compare with")
        return
    if champion.pipeline_run == work.run_id:
        # An earlier try of this very run got as far as promoting and was killed then: `better` would now block it.
        yield GateCheck("against the champion", True, detail=f"{champion.ref} is this run's own, from an earlier try")
        return
    unseen = _unseen(work, champion)
    rows, target = work.part("test")
    rows, target = rows[unseen], target[unseen]
    frame = work.read_frame("test")[unseen]
    new, labels = answer_of(work.read_object("model"), rows, work.recipe.model.task)
    try:
        old_model = work.registry.load(champion.ref)
        old_rows = package.prepare(champion.signature, frame)
        old, old_labels = answer_of(old_model, old_rows, work.recipe.model.task)
    except KeyError as error:
        yield _open(champion, f"{champion.ref} needs inputs that are not there: {' '.join(str(error).split())}")
        return
    except (WorkbenchError, ValueError, TypeError, AttributeError) as error:
        yield _open(champion, f"{champion.ref} cannot be asked: {' '.join(str(error).split())}")
        return
    truth, old = places_of(target, labels), in_order_of(old, old_labels, labels)
    margin = margin_of(settings.margin, metrics.score(work.recipe.gate_metric, truth, old))
    assert margin is not None
    yield gate.against_champion(
        work.recipe.gate_metric,
        truth,
        new,
        old,
        rule=settings.rule,
        margin=margin,
        confidence=settings.confidence,
        resamples=work.recipe.evaluate.resamples,
        champion=champion.ref,
    )


def _unseen(work: Work, champion: Version) -> Array:
    """Which test rows the champion has not learned from; all of them where that is unknown or leaves too few to compare."""
    frame, time, until = work.read_frame("test"), work.results["load"]["time"], champion.tags.get(LEARNED_UNTIL)
    everything = np.ones(len(frame), dtype=bool)
    if not time or not until:
        return everything
    newer: Array = (frame[time] > until).to_numpy()
    if newer.sum() < MIN_UNSEEN:
        work.say(
            f"{champion.ref} learned from {len(frame) - newer.sum():,} of the {len(frame):,} test rows; compared on all"
        )
        return everything
    return newer


def _open(champion: Version, detail: str) -> GateCheck:
    return GateCheck(f"against {champion.ref}", None, detail=detail)


def _probe(work: Work) -> dict[str, Any]:
    """Ask `probe.py` in a process of its own; one that dies or hangs is an answer too."""
    answer = work.folder / "probe.json"
    answer.unlink(missing_ok=True)
    tests = [str(work.project / path) for path in work.recipe.gate.tests]
    missing = [path for path in work.recipe.gate.tests if not (work.project / path).is_file()]
    if missing:
        raise InvalidInput(f"[gate] tests: there is no file {missing[0]} in {work.project}.", hint="Paths start there.")
    command = processes.python_module(
        "mlops_tui.domains.pipelines.probe", str(work.folder / PACKAGE), str(answer), *tests
    )
    try:
        done = subprocess.run(
            command, cwd=work.project, env=processes.package_environment(), timeout=PROBE_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        return _dead(f"no answer within {PROBE_TIMEOUT_S} s")
    except OSError as error:
        raise Unavailable(f"No process could be started for the gate: {error}.", hint="Check memory.") from error
    if not answer.exists():
        return _dead(f"its process ended with {done.returncode}")
    found: dict[str, Any] = json.loads(answer.read_text(encoding="utf-8"))
    return found


def _dead(error: str) -> dict[str, Any]:
    return {"rows": 0, "latency_p95_ms": None, "size_mb": None, "same": False, "tests": {}, "error": error}
