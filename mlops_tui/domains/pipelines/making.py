"""What a pipeline file says about how a model is made, section by section: the names and types of INTERFACES."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

Share = Annotated[float, Meta(ge=0, lt=1)]
Positive = Annotated[int, Meta(ge=1)]


class Head(Struct, forbid_unknown_fields=True, frozen=True):
    """[pipeline] `tests`: pytest files, or folders of them, of the project that `mlops pipelines test` runs."""

    name: str
    description: str = ""
    owner: str = ""
    tests: list[str] = []


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

    method: Literal["none", "random", "grid", "sobol", "optuna"] = "none"
    trials: Positive = 20
    cv: Annotated[int, Meta(ge=2)] = 3
    folds: Literal["auto", "kfold", "stratified", "time", "group"] = "auto"
    prune: bool = True
    space: dict[str, Range | list[Any]] = {}


class Calibrate(Struct, forbid_unknown_fields=True, frozen=True):
    """[calibrate] Turn what a classifier says into probabilities, fitted on folds it did not learn from."""

    method: Literal["none", "sigmoid", "isotonic"] = "none"
    cv: Annotated[int, Meta(ge=2)] = 3
