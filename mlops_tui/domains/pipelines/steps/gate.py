"""Decide whether the model may serve: limits, charter, the champion on the same rows, and a load in a fresh process."""

from __future__ import annotations

import json
import subprocess
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from mlops_tui.core import ids, processes
from mlops_tui.core.errors import InvalidInput, NotFound, Unavailable, WorkbenchError
from mlops_tui.domains.pipelines import fairness, fitting, gate, metrics, slicing, unsupervised
from mlops_tui.domains.pipelines.answers import answer_of, in_order_of, places_of
from mlops_tui.domains.pipelines.recipe import margin_of
from mlops_tui.domains.pipelines.records import GateCheck, GateVerdict, Outcome, decide
from mlops_tui.domains.pipelines.steps.register import LEARNED_UNTIL
from mlops_tui.domains.pipelines.work import PACKAGE, Work
from mlops_tui.domains.pipelines.wrappers import rank_correlation
from mlops_tui.domains.registry import package
from mlops_tui.domains.registry.profile import level_text
from mlops_tui.domains.registry.records import CHAMPION

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

    from mlops_tui.domains.pipelines.metrics import Array
    from mlops_tui.domains.pipelines.recipe import Fairness
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
        *_golden(work, probed),
        *gate.limits("minimum", recipe.gate.minimum, measured),
        *gate.limits("maximum", recipe.gate.maximum, measured),
        *gate.charter(recipe.charter.success, measured),
        *_behaviour(work),
        *_against(work, champion),
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
    if not work.recipe.labelled:
        yield from _against_unlabelled(work, champion)
        return
    unseen = _unseen(work, champion)
    frame = work.read_frame("test")[unseen]
    rows, target = work.divided(frame)
    task, metric = work.recipe.model.task, work.recipe.gate_metric
    model = work.read_object("model")
    new, labels = answer_of(model, rows, task)
    asked = _asked(work, champion, frame)
    if isinstance(asked, GateCheck):
        yield asked
        return
    old_model, old, old_labels = asked
    truth, old = places_of(target, labels), in_order_of(old, old_labels, labels)
    if work.recipe.classes:  # each says its labels from its own threshold on
        new = metrics.decided(metric, new, fitting.threshold_of(model))
        old = metrics.decided(metric, old, fitting.threshold_of(old_model))
    scored = metrics.score(metric, truth, old)
    common: dict[str, Any] = {
        "confidence": settings.confidence,
        "power": settings.power,
        "resamples": work.recipe.evaluate.resamples,
        "champion": champion.ref,
    }
    margin, slice_margin = margin_of(settings.margin, scored), margin_of(settings.slice_margin, scored)
    assert margin is not None
    assert slice_margin is not None
    yield gate.against_champion(metric, truth, new, old, rule=settings.rule, margin=margin, **common)
    if settings.slices == "off":
        return
    columns = [name for name in work.recipe.evaluate.slices if name in frame.columns]
    parts = [(f"{column}={level}", chosen) for column, level, chosen in slicing.slices(frame, columns)]
    yield from gate.slices_against(metric, truth, new, old, parts, margin=slice_margin, **common)


def _asked(work: Work, champion: Version, frame: pd.DataFrame) -> tuple[Any, Array, list[Any] | None] | GateCheck:
    """The champion, its answers and its labels; a check that stays open when it cannot be asked."""
    try:
        model = work.registry.load(champion.ref)
        answer, labels = answer_of(model, package.prepare(champion.signature, frame), work.recipe.model.task)
    except KeyError as error:
        return _open(champion, f"{champion.ref} needs inputs that are not there: {' '.join(str(error).split())}")
    except (WorkbenchError, ValueError, TypeError, AttributeError, IndexError) as error:
        return _open(champion, f"{champion.ref} cannot be asked: {' '.join(str(error).split())}")
    return model, answer, labels


def _against_unlabelled(work: Work, champion: Version) -> Iterator[GateCheck]:
    """Groups: the silhouettes of the same rows in the new model's space. Outliers: by labels where there are some."""
    frame, model = work.read_frame("test"), work.read_object("model")
    asked = _asked(work, champion, frame)
    if isinstance(asked, GateCheck):
        yield asked
        return
    _, old, _ = asked
    rows, settings = work.divided(frame)[0], work.recipe.gate
    if work.recipe.model.task == "clustering":
        yield _silhouettes(work, model, rows, old, champion)
        return
    target = work.recipe.data.target
    known = frame[target].notna().to_numpy() if target else np.zeros(len(frame), dtype=bool)
    new, labels = answer_of(model, rows, "anomaly")
    if not known.any():
        agreed = rank_correlation(new[:, 1], old[:, 1])
        yield GateCheck(
            f"against {champion.ref}",
            None,
            float(agreed) if np.isfinite(agreed) else None,
            rows=len(frame),
            detail=f"no labels to compare by; its ranking agrees with that of {champion.ref} by {agreed:.3g} (Spearman)",
        )
        return
    truth = places_of(frame[target][known], labels)
    # What can be said of the model alone compares no two of them; their ranking of the labelled rows does.
    metric = work.recipe.gate_metric if metrics.computed([work.recipe.gate_metric]) else "roc_auc"
    margin = margin_of(settings.margin, metrics.score(metric, truth, old[known]))
    assert margin is not None
    yield gate.against_champion(
        metric,
        truth,
        new[known],
        old[known],
        rule=settings.rule,
        margin=margin,
        confidence=settings.confidence,
        power=settings.power,
        resamples=work.recipe.evaluate.resamples,
        champion=champion.ref,
    )


def _silhouettes(work: Work, model: Any, rows: pd.DataFrame, old: Array, champion: Version) -> GateCheck:
    settings = work.recipe.gate
    points = unsupervised.space(model, rows)
    new = unsupervised.groups(model, rows)
    chosen, mine = unsupervised.silhouettes(points, new)
    _, theirs = unsupervised.silhouettes(points, old)
    if len(mine) != len(theirs) or not len(mine):
        return _open(champion, f"{champion.ref} finds one group only among the {len(rows):,} rows; nothing to compare")
    margin = margin_of(settings.margin, float(theirs.mean()))
    assert margin is not None
    # A mean of rows against a mean of rows: the accuracy of a bootstrap needs no more than that.
    return gate.against_champion(
        "silhouette",
        np.zeros(len(chosen)),
        mine,
        theirs,
        rule=settings.rule,
        margin=margin,
        confidence=settings.confidence,
        power=settings.power,
        resamples=work.recipe.evaluate.resamples,
        champion=champion.ref,
    )


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
        if column not in frame.columns:
            raise InvalidInput(
                f"[fairness] sensitive: there is no column {column!r} in the joined rows.", hint="Check it."
            )
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
