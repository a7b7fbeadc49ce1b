"""A pipeline file that was read, and what follows from what it says."""

from __future__ import annotations

import re

from msgspec import Struct

from mlops_tui.domains.pipelines import graph
from mlops_tui.domains.pipelines.criteria import Behaviour, Evaluate, Explain, Fairness, Gate
from mlops_tui.domains.pipelines.making import (
    Calibrate,
    Charter,
    Data,
    Estimator,
    Head,
    Preprocess,
    Select,
    Split,
    Tune,
)
from mlops_tui.domains.pipelines.operating import Contract, Deploy, Extra, Register, Resources, Trigger
from mlops_tui.domains.pipelines.records import CLASSES, HIGHER_IS_BETTER, STEPS, UNSUPERVISED, metrics_of


class Recipe(Struct, frozen=True):
    """A pipeline file that was read and found right."""

    pipeline: Head
    data: Data
    model: Estimator
    charter: Charter = Charter()
    split: Split = Split()
    preprocess: Preprocess = Preprocess()
    select: Select = Select()
    tune: Tune = Tune()
    calibrate: Calibrate = Calibrate()
    evaluate: Evaluate = Evaluate()
    explain: Explain | None = None
    fairness: Fairness | None = None
    gate: Gate = Gate()
    register: Register = Register()
    deploy: Deploy = Deploy()
    resources: Resources = Resources()
    triggers: list[Trigger] = []
    steps: list[Extra] = []
    tests: list[Behaviour] = []
    contracts: list[Contract] = []

    @property
    def plan(self) -> tuple[str, ...]:
        """The steps this definition has, in their order; its own after `load`, then `collect`, which lays them together."""
        asked = {
            graph.COLLECT: bool(self.steps),
            "select": self.select.method != "none",
            "tune": self.tune.method != "none",
            "calibrate": self.calibrate.method != "none",
            "explain": self.explain is not None,
            "test": bool(self.tests),
        }
        first, *rest = (name for name in STEPS if asked.get(name, True))
        return (first, *graph.ordered(graph.own_needs(self.steps)), *rest)

    @property
    def labelled(self) -> bool:
        """Whether the model learns from a target."""
        return self.model.task not in UNSUPERVISED

    @property
    def classes(self) -> bool:
        """Whether the answer is a label with probabilities."""
        return self.model.task in CLASSES

    @property
    def metrics(self) -> list[str]:
        """The metrics to compute: the primary first, then those asked for, then what gate and charter need."""
        asked = [self.primary, *self.evaluate.metrics, self.gate_metric, *self.gate.minimum, *self.gate.maximum]
        asked += [found[0] for text in self.charter.success if (found := parse_criterion(text))]
        return [name for name in dict.fromkeys(asked) if name in metrics_of(self.model.task)]

    @property
    def primary(self) -> str:
        by_task = {
            "regression": "rmse",
            "clustering": "silhouette",
            "anomaly": "roc_auc" if self.data.target else "stability",
        }
        return self.evaluate.primary or by_task.get(self.model.task, "roc_auc")

    @property
    def gate_metric(self) -> str:
        return self.gate.metric or self.primary

    @property
    def model_name(self) -> str:
        return self.register.model or self.pipeline.name

    @property
    def deployment_name(self) -> str:
        return self.deploy.deployment or self.model_name


_PERCENT = re.compile(r"\s*(\d+(?:\.\d+)?)\s*%\s*")


def margin_of(margin: float | str, scored: float) -> float | None:
    """The margin as a number: `"2%"` is that share of `scored`; None when it cannot be read."""
    if not isinstance(margin, str):
        return margin
    found = _PERCENT.fullmatch(margin)
    return float(found[1]) / 100 * abs(scored) if found else None


_CRITERION = re.compile(r"\s*([a-z][a-z0-9_]*)\s*(>=|<=|>|<)\s*(-?\d+(?:\.\d+)?(?:e-?\d+)?)\s*", re.IGNORECASE)


def parse_criterion(text: str) -> tuple[str, str, float] | None:
    """Read `recall >= 0.80` as (metric, sign, value); None when it is a sentence for people or an unknown metric."""
    found = _CRITERION.fullmatch(text)
    if not found or found[1] not in HIGHER_IS_BETTER:
        return None
    return found[1], found[2], float(found[3])
