"""Search settings by cross-validation on the training rows, on a trial table that survives a kill."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mlops_tui.core.errors import InvalidInput
from mlops_tui.domains.pipelines import asking, engines, fitting, search
from mlops_tui.domains.pipelines.answers import answer_of, places_of
from mlops_tui.domains.pipelines.records import HIGHER_IS_BETTER, Trial
from mlops_tui.domains.pipelines.work import Work
from mlops_tui.domains.registry import metrics

if TYPE_CHECKING:
    from collections.abc import Iterator

OUTPUTS: tuple[str, ...] = ()


def run(work: Work) -> dict[str, Any]:
    """Return the best settings. A search that was stopped goes on where it was: its trials belong to the study, not the run."""
    tune, primary, study = work.recipe.tune, work.recipe.primary, work.study
    frame = work.read_frame("train")
    cuts = fitting.folds(work, frame, tune.cv, tune.folds)
    sign = 1 if HIGHER_IS_BETTER[primary] else -1
    spread = work.recipe.resources.engine != "local"
    judged = engines.portable(work) if spread else work
    hunt = search.Search(
        lambda params, cut: _judge(judged, frame, params, cut), cuts, sign=sign, prune=tune.prune, seed=judged.seed
    )
    with work.context.catalog.write() as tx:
        work.store.begin_study(tx, work.run_id, study)
    trials = {trial.number: trial for trial in work.store.trials(study) if trial.state in ("done", "pruned", "failed")}
    groups, wanted = _groups(work, trials, sign)
    if trials:
        work.say(f"{len(trials)} of {wanted} trials were done by an earlier try")
    jobs = min(work.recipe.resources.jobs, search.BATCH)
    with engines.engine(work.recipe.resources):
        for group in groups:
            started = work.context.now()
            settings = dict(group)
            for number, state, folds, error in hunt.run(group, list(trials.values()), jobs, spread=spread):
                value = search.mean(folds) if state == "done" else None
                ended = work.context.now()
                trial = Trial(number, state, settings[number], value, folds, error, work.run_id, started, ended)
                trials[number], started = trial, ended
                with work.context.catalog.write() as tx:
                    work.store.put_trial(tx, study, trial)
                _tell(work, trial, trials, sign, wanted)
    return _result(work, list(trials.values()), sign, study)


def _groups(work: Work, trials: dict[int, Trial], sign: int) -> tuple[Iterator[list[tuple[int, dict[str, Any]]]], int]:
    """The settings still to try, in groups, and how many there are in all: drawn beforehand, or proposed group by group."""
    tune, seed = work.recipe.tune, work.recipe.split.seed
    if tune.method != "optuna":
        drawn = dict(enumerate(search.candidates(tune, seed)))
        return iter([[(number, params) for number, params in drawn.items() if number not in trials]]), len(drawn)

    def proposed() -> Iterator[list[tuple[int, dict[str, Any]]]]:
        for start in range(0, tune.trials, search.BATCH):
            numbers = range(start, min(start + search.BATCH, tune.trials))
            before = [trial for number, trial in trials.items() if number < start]
            settings = asking.proposals(tune, before, numbers, sign=sign, seed=seed)
            yield [(number, params) for number, params in zip(numbers, settings, strict=True) if number not in trials]

    return proposed(), tune.trials


def publish(work: Work, result: dict[str, Any]) -> None:
    """Show the trials with the run: the value of each by its number, and the table."""
    with work.context.catalog.write() as tx:
        work.store.begin_study(tx, work.run_id, result["study"])
    trials = work.store.trials(result["study"])
    points = [(trial.number, trial.value) for trial in trials if trial.value is not None]
    work.log_points(f"tune/{work.recipe.primary}", points)
    table = [{"trial": item.number, "state": item.state, "value": item.value, "params": item.params} for item in trials]
    work.write_json("trials", table)
    work.log_files("trials.json")


def _result(work: Work, trials: list[Trial], sign: int, study: str) -> dict[str, Any]:
    best = _best(trials, sign)
    if best is None:
        reasons = sorted({trial.error for trial in trials if trial.error})
        raise InvalidInput(
            f"Not one trial of the search could be fitted: {'; '.join(reasons[:3]) or 'no reason given'}.",
            hint="See the tune step's log.",
        )
    pruned = sum(trial.state == "pruned" for trial in trials)
    failed = sum(trial.state == "failed" for trial in trials)
    more = f", {pruned} given up early" if pruned else ""
    more += f", {failed} failed" if failed else ""
    return {
        "params": best.params,
        "value": best.value,
        "trials": len(trials),
        "pruned": pruned,
        "failed": failed,
        "study": study,
        "detail": f"{len(trials)} trials{more}, best {work.recipe.primary} {best.value:.4g}: {_shown(best.params)}",
    }


def _judge(work: Work, frame: Any, params: dict[str, Any], cut: search.Fold) -> float:
    learned, held = frame.iloc[cut[0]], frame.iloc[cut[1]]
    model = fitting.fit(work, fitting.assemble(work, params), learned)
    rows, target = work.divided(held)
    answer, labels = answer_of(model, rows, work.recipe.model.task)
    try:
        truth = places_of(target, labels)
    except InvalidInput as error:  # a label that this fold did not learn
        raise ValueError(error.message) from error
    return metrics.score(work.recipe.primary, truth, answer)


def _tell(work: Work, trial: Trial, trials: dict[int, Trial], sign: int, wanted: int) -> None:
    shown = f"{trial.value:.6g}" if trial.value is not None else f"{trial.state} {trial.error}".strip()
    work.say(f"trial {trial.number} {_shown(trial.params)}: {shown}")
    best = _best(list(trials.values()), sign)
    said = f", best {work.recipe.primary} {best.value:.4g}" if best else ""
    work.note(f"{len(trials)} of {wanted} trials{said}")


def _best(trials: list[Trial], sign: int) -> Trial | None:
    judged = [trial for trial in trials if trial.state == "done" and trial.value is not None]
    return max(judged, key=lambda trial: (sign * float(trial.value or 0.0), -trial.number), default=None)


def _shown(params: dict[str, Any]) -> str:
    return ", ".join(
        f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}" for name, value in params.items()
    )
