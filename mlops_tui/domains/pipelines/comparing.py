"""The new model against the champion, on the same newest labelled rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mlops_tui.core.errors import NotFound, WorkbenchError
from mlops_tui.domains.pipelines import fitting, gate, slicing, unsupervised
from mlops_tui.domains.pipelines.answers import answer_of, in_order_of, places_of
from mlops_tui.domains.pipelines.recipe import margin_of
from mlops_tui.domains.pipelines.records import GateCheck
from mlops_tui.domains.pipelines.wrappers import rank_correlation
from mlops_tui.domains.registry import metrics, package
from mlops_tui.domains.registry.records import CHAMPION

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

    from mlops_tui.domains.pipelines.work import Work
    from mlops_tui.domains.registry.metrics import Array
    from mlops_tui.domains.registry.records import Version

MIN_UNSEEN = 50
# The newest event time a version learned from, kept with it: a later gate compares on rows that neither has seen.
LEARNED_UNTIL = "learned_until"


def champion_of(work: Work) -> Version | None:
    try:
        return work.registry.version(f"{work.recipe.model_name}@{CHAMPION}")
    except NotFound:
        return None


def against(work: Work, champion: Version | None) -> Iterator[GateCheck]:
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
