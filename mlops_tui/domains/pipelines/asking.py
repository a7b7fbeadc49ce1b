"""Optuna through ask and tell: it proposes the next settings from the trial table, which stays the only memory."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from mlops_tui.core.extras import need
from mlops_tui.domains.pipelines.making import Range

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlops_tui.domains.pipelines.making import Tune
    from mlops_tui.domains.pipelines.records import Trial

STARTUP = 8  # random settings before the first that is proposed


def proposals(
    tune: Tune, done: Sequence[Trial], numbers: Sequence[int], *, sign: int, seed: int
) -> list[dict[str, Any]]:
    """The settings of the trials `numbers`, from those that are done (Tree-structured Parzen estimator, Bergstra 2011).

    The study is made anew from the table with a seed of its own for each group of trials, so a search that was killed goes on
    as if it had not been. Raises Unavailable without the extra.
    """
    optuna = need("optuna", "optuna")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    spans = {name: _distribution(optuna, span) for name, span in tune.space.items()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # constant_liar is called experimental; it keeps a group from repeating itself
        sampler = optuna.samplers.TPESampler(
            seed=seed + 7919 * numbers[0], n_startup_trials=STARTUP, constant_liar=True
        )
        study = optuna.create_study(direction="maximize" if sign > 0 else "minimize", sampler=sampler)
        for trial in sorted(done, key=lambda one: one.number):
            if trial.state == "done" and trial.value is not None:
                study.add_trial(optuna.trial.create_trial(params=trial.params, distributions=spans, value=trial.value))
        return [dict(study.ask(spans).params) for _ in numbers]


def _distribution(optuna: Any, span: Range | list[Any]) -> Any:
    kinds = optuna.distributions
    if not isinstance(span, Range):
        return kinds.CategoricalDistribution(tuple(span))
    if isinstance(span.low, int) and isinstance(span.high, int):
        return kinds.IntDistribution(span.low, span.high, log=span.log)
    return kinds.FloatDistribution(float(span.low), float(span.high), log=span.log)
