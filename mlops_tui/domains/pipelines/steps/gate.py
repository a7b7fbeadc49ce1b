"""Decide whether the model may serve: limits, charter, the champion on the same rows, and a load in a fresh process."""

from __future__ import annotations

import json
import subprocess
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from mlops_tui.core import ids, processes
from mlops_tui.core.errors import InvalidInput, Unavailable
from mlops_tui.domains.pipelines import comparing, fairness, fitting, gate, slicing
from mlops_tui.domains.pipelines.answers import answer_of, places_of
from mlops_tui.domains.pipelines.records import GateCheck, GateVerdict, Outcome, decide
from mlops_tui.domains.pipelines.work import PACKAGE, Work
from mlops_tui.domains.registry import metrics, package
from mlops_tui.domains.registry.profile import level_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlops_tui.domains.pipelines.criteria import Fairness
    from mlops_tui.domains.registry.metrics import Array

PROBE_TIMEOUT_S = 300


def run(work: Work) -> dict[str, Any]:
    """Return the verdict with every check and number; a "no" is a result, not an error."""
    recipe = work.recipe
    probed = _probe(work)
    measured = dict(work.results["evaluate"]["metrics"])
    measured.update({name: probed[name] for name in ("latency_p95_ms", "size_mb") if probed.get(name) is not None})
    champion = comparing.champion_of(work)
    checks = [
        *_infra(probed),
        *_golden(work, probed),
        *_measured(work, measured),
        *gate.limits("minimum", recipe.gate.minimum, measured),
        *gate.limits("maximum", recipe.gate.maximum, measured),
        *gate.charter(recipe.charter.success, measured),
        *_behaviour(work),
        *comparing.against(work, champion),
        *_fairness(work),
    ]
    outcome, reason = decide(checks)
    override = work.options.get("override")
    if override and outcome is not Outcome.BLESSED:
        said = f"{override['by']} decided: {override['why']}"
        checks.append(GateCheck("override", True, detail=f"{said} (the gate alone: {outcome})"))
        outcome, reason = Outcome.BLESSED, f"{said}; the gate alone said {outcome}: {reason}"
    verdict = GateVerdict(outcome, checks, champion.ref if champion else "", reason)
    for check in checks:
        word = {True: "yes", False: "NO", None: "open"}[check.passed]
        work.say(f"{word:>4}  {check.name}  {check.detail or check.limit}")
    work.say(f"{outcome}: {reason}")
    return {"verdict": asdict(verdict), "detail": f"{outcome}: {reason}"}


def publish(work: Work, result: dict[str, Any]) -> None:
    """Keep the verdict with the run, for the card of the version that comes of it."""
    work.write_json("verdict", result["verdict"])
    work.log_files("verdict.json")


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


def _measured(work: Work, measured: dict[str, float]) -> Iterator[GateCheck]:
    """A model whose main metric has no value was not judged at all: such as with test rows of one label."""
    primary, rows = work.recipe.primary, work.results["evaluate"]["rows"]
    if primary not in measured:
        detail = f"{primary} cannot be computed on the {rows:,} test rows; have they one label only, or one group?"
        yield GateCheck(f"{primary} is known", None, rows=rows, detail=detail)


def _golden(work: Work, probed: dict[str, Any]) -> Iterator[GateCheck]:
    """What the fresh process answered against what the training process answers to the same requests."""
    if probed["error"] or "answers" not in probed:
        return
    folder = work.folder / PACKAGE
    described, sample = package.signature(folder), package.sample(folder)
    here = np.asarray(work.read_object("model").predict(package.prepare(described, sample))).tolist()
    differing = sum(not _alike(mine, theirs) for mine, theirs in zip(here, probed["answers"], strict=True))
    detail = f"{len(here) - differing} of {len(here)} golden requests get the same answer in a fresh process"
    yield GateCheck("golden requests agree", not differing, float(differing), "0 differ", rows=len(here), detail=detail)


def _alike(mine: Any, theirs: Any) -> bool:
    if isinstance(mine, float) and isinstance(theirs, (int, float)):
        return bool(np.isclose(mine, theirs, rtol=1e-9, atol=1e-12, equal_nan=True))
    return bool(mine == theirs or str(mine) == str(theirs))


def _behaviour(work: Work) -> Iterator[GateCheck]:
    for found in work.results.get("test", {}).get("tests", []):
        yield GateCheck(
            f"test {found['name']}",
            found["passed"],
            found["value"],
            found["limit"],
            rows=found["rows"],
            detail=f"{found['name']}: {found['detail']}",
        )


def _fairness(work: Work) -> Iterator[GateCheck]:
    settings = work.recipe.fairness
    if settings is None:
        return
    frame, model = work.read_frame("test"), work.read_object("model")
    rows, target = work.divided(frame)
    answer, labels = answer_of(model, rows, work.recipe.model.task)
    truth = places_of(target, labels)
    for column in settings.sensitive:
        groups = slicing.levels_of(frame[column])
        for name, bound, values, chosen in _gaps(settings, truth, answer, labels, fitting.threshold_of(model)):
            yield fairness.gap_check(
                name,
                column,
                values[chosen],
                groups[chosen],
                bound,
                min_rows=settings.min_rows,
                confidence=work.recipe.gate.confidence,
            )


def _gaps(
    settings: Fairness, truth: Array, answer: Array, labels: list[Any] | None, threshold: float | None
) -> Iterator[tuple[str, float, Array, Array]]:
    """Yield (name, bound, value of each row, which rows count) of each bound that was set."""
    everyone = np.ones(len(truth), dtype=bool)
    if labels is None:
        if settings.error_gap is not None:
            yield "error gap", settings.error_gap, answer - truth, everyone
        return
    place = _positive(settings, labels)
    said = (np.argmax(metrics.decided("f1", answer, threshold), axis=1) == place).astype(float)
    if settings.demographic_parity is not None:
        yield "demographic parity", settings.demographic_parity, said, everyone
    if settings.equal_opportunity is not None:
        yield "equal opportunity", settings.equal_opportunity, said, truth == place


def _positive(settings: Fairness, labels: list[Any]) -> int:
    texts = [level_text(label) for label in labels]
    if not settings.positive:
        return len(labels) - 1
    if settings.positive not in texts:
        raise InvalidInput(
            f"[fairness] positive: {settings.positive!r} is no label.",
            hint=ids.did_you_mean(settings.positive, texts, f"Labels: {', '.join(texts)}."),
        )
    return texts.index(settings.positive)


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
