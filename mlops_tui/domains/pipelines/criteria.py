"""What a pipeline file says about what a model must show, section by section: the names and types of INTERFACES."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from mlops_tui.domains.pipelines.making import Positive, Share


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
    """[explain] Permutation importance over `repeats` shuffles, and partial dependence of the `top` columns at `points`.

    `shap`: also what each column adds to each answer of the stored sample (extra `shap`).
    """

    rows: Annotated[int, Meta(ge=30)] = 1000
    repeats: Annotated[int, Meta(ge=2, le=100)] = 5
    top: Annotated[int, Meta(ge=0, le=100)] = 5
    points: Annotated[int, Meta(ge=2, le=200)] = 15
    shap: bool = False


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
