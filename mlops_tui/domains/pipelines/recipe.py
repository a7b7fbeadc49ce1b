"""What a pipeline file says, section by section: the names and types of INTERFACES, and what follows from them."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from mlops_tui.domains.pipelines.records import HIGHER_IS_BETTER, metrics_of

Share = Annotated[float, Meta(ge=0, lt=1)]
Positive = Annotated[int, Meta(ge=1)]


class Head(Struct, forbid_unknown_fields=True, frozen=True):
    """[pipeline]"""

    name: str
    description: str = ""
    owner: str = ""


class Charter(Struct, forbid_unknown_fields=True, frozen=True):
    """[charter] Why it exists."""

    problem: str = ""
    success: list[str] = []
    constraints: list[str] = []


class Data(Struct, forbid_unknown_fields=True, frozen=True):
    """[data] `drop` names columns the model must not see, `keep` keys or times it may; `mode`, `ttl` rule the join."""

    spine: str
    target: str
    features: list[str] = []
    window: str = ""
    checks: Literal["error", "warn", "off"] = "error"
    mode: Literal["event", "known"] = "event"
    ttl: str = ""
    drop: list[str] = []
    keep: list[str] = []


class Split(Struct, forbid_unknown_fields=True, frozen=True):
    """[split] Shares of the rows; `group` names the column that is kept together."""

    by: Literal["time", "random", "group", "stratified"] = "random"
    validation: Share = 0.15
    test: Annotated[float, Meta(gt=0, lt=1)] = 0.15
    group: str = ""
    seed: int = 0


class Estimator(Struct, forbid_unknown_fields=True, frozen=True):
    """[model] `target_transform` log1p fits on log(1 + y) and answers in the target's own unit.

    `refit` learns once more from all rows, the test rows too, after the gate said yes; the scores stay those before it.
    """

    task: Literal["classification", "regression"]
    estimator: str
    preprocess: str = "auto"
    target_transform: Literal["none", "log1p"] = "none"
    refit: bool = False
    params: dict[str, Any] = {}


class Range(Struct, forbid_unknown_fields=True, frozen=True):
    """A searched range; whole numbers when both ends are."""

    low: float | int
    high: float | int
    log: bool = False


class Tune(Struct, forbid_unknown_fields=True, frozen=True):
    """[tune] Search by cross-validation on the training part (by time when the split is by time)."""

    method: Literal["none", "random", "grid"] = "none"
    trials: Positive = 20
    cv: Annotated[int, Meta(ge=2)] = 3
    space: dict[str, Range | list[Any]] = {}


class Evaluate(Struct, forbid_unknown_fields=True, frozen=True):
    """[evaluate] `resamples` of the bootstrap behind each interval."""

    primary: str = ""
    metrics: list[str] = []
    slices: list[str] = []
    resamples: Annotated[int, Meta(ge=100, le=10_000)] = 500


class Gate(Struct, forbid_unknown_fields=True, frozen=True):
    """[gate] What a model must show before it serves. `margin` in the metric's unit, or "2%" of the champion's score."""

    minimum: dict[str, float] = {}
    maximum: dict[str, float] = {}
    against: Literal["none", "champion"] = "champion"
    metric: str = ""
    rule: Literal["better", "not_worse"] = "not_worse"
    margin: Annotated[float, Meta(ge=0)] | str = 0.0
    confidence: Annotated[float, Meta(gt=0.5, lt=1)] = 0.95
    tests: list[str] = []


class Register(Struct, forbid_unknown_fields=True, frozen=True):
    """[register]"""

    model: str = ""
    description: str = ""


class Deploy(Struct, forbid_unknown_fields=True, frozen=True):
    """[deploy] `steps` are the shares of a canary in percent; `approval` leaves the last word to a person."""

    to: Literal["none", "staging", "production"] = "none"
    deployment: str = ""
    strategy: Literal["replace", "blue_green", "canary", "shadow"] = "replace"
    steps: list[Annotated[float, Meta(gt=0, le=100)]] = []
    approval: bool = False


class Trigger(Struct, forbid_unknown_fields=True, frozen=True):
    """[[triggers]] `deployment` and `table` name what is watched; by default the pipeline's own."""

    kind: Literal["schedule", "new_data", "drift", "performance", "commit", "manual"]
    cron: str = ""
    timezone: str = "UTC"
    missed: Literal["skip", "latest", "all"] = "latest"
    overlap: Literal["skip", "queue", "replace"] = "skip"
    cooldown: str = ""
    deployment: str = ""
    table: str = ""
    rows: Annotated[int, Meta(ge=0)] = 0
    share: Share = 0.0
    max_per_day: Annotated[int, Meta(ge=0)] = 0


class Resources(Struct, forbid_unknown_fields=True, frozen=True):
    """[resources] `jobs`: processors an estimator may use, where it takes `n_jobs` and [model.params] says nothing of it."""

    engine: Literal["local"] = "local"
    jobs: Positive = 1
    timeout: str = ""
    memory: Annotated[str, Meta(pattern=r"^(\d+(\.\d+)?\s?(MB|GB|MiB|GiB))?$")] = ""
    retries: Annotated[int, Meta(ge=0, le=10)] = 0


class Extra(Struct, forbid_unknown_fields=True, frozen=True):
    """[[steps]] A function `run(frame) -> frame` of the project that changes the joined rows."""

    name: str
    uses: str
    after: Literal["load"] = "load"


class Recipe(Struct, frozen=True):
    """A pipeline file that was read and found right."""

    pipeline: Head
    data: Data
    model: Estimator
    charter: Charter = Charter()
    split: Split = Split()
    tune: Tune = Tune()
    evaluate: Evaluate = Evaluate()
    gate: Gate = Gate()
    register: Register = Register()
    deploy: Deploy = Deploy()
    resources: Resources = Resources()
    triggers: list[Trigger] = []
    steps: list[Extra] = []

    @property
    def metrics(self) -> list[str]:
        """The metrics to compute: the primary first, then those asked for, then what gate and charter need."""
        asked = [self.primary, *self.evaluate.metrics, self.gate_metric, *self.gate.minimum, *self.gate.maximum]
        asked += [found[0] for text in self.charter.success if (found := parse_criterion(text))]
        return [name for name in dict.fromkeys(asked) if name in metrics_of(self.model.task)]

    @property
    def primary(self) -> str:
        return self.evaluate.primary or ("rmse" if self.model.task == "regression" else "roc_auc")

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
