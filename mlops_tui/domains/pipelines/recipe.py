"""What a pipeline file says, section by section: the names and types of INTERFACES, and what follows from them."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from mlops_tui.domains.pipelines.records import CLASSES, HIGHER_IS_BETTER, STEPS, UNSUPERVISED, metrics_of

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
    target: str = ""
    features: list[str] = []
    window: str = ""
    checks: Literal["error", "warn", "off"] = "error"
    mode: Literal["event", "known"] = "event"
    ttl: str = ""
    drop: list[str] = []
    keep: list[str] = []


class Split(Struct, forbid_unknown_fields=True, frozen=True):
    """[split] Shares of the rows; `group` names the column that is kept together; `leakage` what to do about a leak found."""

    by: Literal["time", "random", "group", "stratified"] = "random"
    validation: Share = 0.15
    test: Annotated[float, Meta(gt=0, lt=1)] = 0.15
    group: str = ""
    seed: int = 0
    leakage: Literal["warn", "error", "off"] = "warn"


class Preprocess(Struct, forbid_unknown_fields=True, frozen=True):
    """[preprocess] How `auto` prepares. `columns` overrules one column: a kind, `drop`, or a transformer's import path."""

    categories: Literal["auto", "target", "ordinal", "hash"] = "auto"
    text: Literal["auto", "tfidf", "category", "drop"] = "auto"
    text_features: Annotated[int, Meta(ge=1, le=5000)] = 100
    missing: Literal["auto", "indicator", "impute"] = "auto"
    scale: Literal["auto", "standard", "robust", "none"] = "auto"
    columns: dict[str, str] = {}


class Select(Struct, forbid_unknown_fields=True, frozen=True):
    """[select] Which prepared columns the model sees: those that vary, the k best alone, or the k best to a forest."""

    method: Literal["none", "variance", "k_best", "model"] = "none"
    k: Positive = 20
    threshold: Annotated[float, Meta(ge=0)] = 0.0


class Estimator(Struct, forbid_unknown_fields=True, frozen=True):
    """[model] `target_transform` log1p fits on log(1 + y) and answers in the target's own unit.

    `refit` learns once more from all rows, the test rows too, after the gate said yes; the scores stay those before it.
    """

    task: Literal["classification", "regression", "clustering", "anomaly", "semi-supervised"]
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
    """[tune] Search by cross-validation on the training part. `folds` auto: as the split cuts. `prune`: a setting below the
    median of the finished ones after a fold is given up.
    """

    method: Literal["none", "random", "grid", "sobol"] = "none"
    trials: Positive = 20
    cv: Annotated[int, Meta(ge=2)] = 3
    folds: Literal["auto", "kfold", "stratified", "time", "group"] = "auto"
    prune: bool = True
    space: dict[str, Range | list[Any]] = {}


class Calibrate(Struct, forbid_unknown_fields=True, frozen=True):
    """[calibrate] Turn what a classifier says into probabilities, fitted on folds it did not learn from."""

    method: Literal["none", "sigmoid", "isotonic"] = "none"
    cv: Annotated[int, Meta(ge=2)] = 3


class Threshold(Struct, forbid_unknown_fields=True, frozen=True):
    """[evaluate.threshold] From which probability on the second label is said, chosen on the validation rows.

    f1, accuracy: the best. precision, recall: at least `at_least`, and then the most of the other. cost: the least of
    `false_positive` and `false_negative` added up. fixed: `value`.
    """

    by: Literal["f1", "accuracy", "precision", "recall", "cost", "fixed"]
    at_least: Annotated[float, Meta(ge=0, le=1)] = 0.0
    false_positive: Annotated[float, Meta(ge=0)] = 1.0
    false_negative: Annotated[float, Meta(ge=0)] = 1.0
    value: Annotated[float, Meta(gt=0, lt=1)] = 0.5


class Evaluate(Struct, forbid_unknown_fields=True, frozen=True):
    """[evaluate] `resamples` of the bootstrap behind each interval; `bins` of the reliability table; `examples` kept."""

    primary: str = ""
    metrics: list[str] = []
    slices: list[str] = []
    resamples: Annotated[int, Meta(ge=100, le=10_000)] = 500
    bins: Annotated[int, Meta(ge=2, le=100)] = 10
    examples: Annotated[int, Meta(ge=0, le=10_000)] = 50
    threshold: Threshold | None = None


class Explain(Struct, forbid_unknown_fields=True, frozen=True):
    """[explain] Permutation importance over `repeats` shuffles, and partial dependence of the `top` columns at `points`."""

    rows: Annotated[int, Meta(ge=30)] = 1000
    repeats: Annotated[int, Meta(ge=2, le=100)] = 5
    top: Annotated[int, Meta(ge=0, le=100)] = 5
    points: Annotated[int, Meta(ge=2, le=200)] = 15


class Behaviour(Struct, forbid_unknown_fields=True, frozen=True):
    """[[tests]] What the model must do on the test rows.

    invariance: `column` set to each of `values` moves no answer by more than `within`. direction: `column` raised by
    `change` moves no answer against `expect`. minimum: `metric` on the rows of `slice` is `at_least` or `at_most`.
    `allow` is the share of rows that may disobey.
    """

    name: str
    kind: Literal["invariance", "direction", "minimum"]
    column: str = ""
    values: list[Any] = []
    within: Annotated[float, Meta(ge=0)] = 0.0
    change: float = 0.0
    expect: Literal["up", "down"] = "up"
    metric: str = ""
    slice: dict[str, Any] = {}
    at_least: float | None = None
    at_most: float | None = None
    allow: Share = 0.0
    rows: Positive = 500


class Gate(Struct, forbid_unknown_fields=True, frozen=True):
    """[gate] What a model must show before it serves. `margin` in the metric's unit, or "2%" of the champion's score."""

    minimum: dict[str, float] = {}
    maximum: dict[str, float] = {}
    against: Literal["none", "champion"] = "champion"
    metric: str = ""
    rule: Literal["better", "not_worse"] = "not_worse"
    margin: Annotated[float, Meta(ge=0)] | str = 0.0
    confidence: Annotated[float, Meta(gt=0.5, lt=1)] = 0.95
    power: Annotated[float, Meta(gt=0.5, lt=1)] = 0.8
    slices: Literal["not_worse", "off"] = "not_worse"
    slice_margin: Annotated[float, Meta(ge=0)] | str = 0.0
    tests: list[str] = []


class Fairness(Struct, forbid_unknown_fields=True, frozen=True):
    """[fairness] Bounds on the gap between the groups of each `sensitive` column; groups below `min_rows` are left out.

    demographic_parity: of the share that gets the `positive` label; equal_opportunity: of the share of the truly positive
    that gets it. Regression: `error_gap`, of the mean error, in the target's unit.
    """

    sensitive: list[str]
    positive: str = ""
    demographic_parity: Annotated[float, Meta(ge=0, le=1)] | None = None
    equal_opportunity: Annotated[float, Meta(ge=0, le=1)] | None = None
    error_gap: Annotated[float, Meta(ge=0)] | None = None
    min_rows: Positive = 30


class Register(Struct, forbid_unknown_fields=True, frozen=True):
    """[register]"""

    model: str = ""
    description: str = ""


class Deploy(Struct, forbid_unknown_fields=True, frozen=True):
    """[deploy] `steps` are the shares of a canary in percent, each held for `bake` and `min_requests`, and in the end its
    failures may be more by `margin`; `approval` leaves the last word to a person.
    """

    to: Literal["none", "staging", "production"] = "none"
    deployment: str = ""
    strategy: Literal["replace", "blue_green", "canary", "shadow"] = "replace"
    steps: list[Annotated[float, Meta(gt=0, le=100)]] = []
    bake: str = ""
    min_requests: Annotated[int, Meta(ge=0)] = 0
    margin: Share = 0.0
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
    """[resources] `jobs`: processors an estimator may use, where it takes `n_jobs` and [model.params] says nothing of it, and
    how many settings are tried at once. `cache`: a step whose inputs, settings and code were seen before is not done again.
    """

    engine: Literal["local"] = "local"
    jobs: Positive = 1
    timeout: str = ""
    memory: Annotated[str, Meta(pattern=r"^(\d+(\.\d+)?\s?(MB|GB|MiB|GiB))?$")] = ""
    retries: Annotated[int, Meta(ge=0, le=10)] = 0
    cache: bool = True


class Extra(Struct, forbid_unknown_fields=True, frozen=True):
    """[[steps]] A function `run(frame) -> frame` of the project that changes the joined rows; `params` go to it by name.

    `cache` false: it reads more than the frame, so it is done anew each time.
    """

    name: str
    uses: str
    params: dict[str, Any] = {}
    cache: bool = True
    after: Literal["load"] = "load"


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

    @property
    def plan(self) -> tuple[str, ...]:
        """The steps this definition has, in their order."""
        asked = {
            "select": self.select.method != "none",
            "tune": self.tune.method != "none",
            "calibrate": self.calibrate.method != "none",
            "explain": self.explain is not None,
            "test": bool(self.tests),
        }
        return tuple(name for name in STEPS if asked.get(name, True))

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
