"""The definitions that `new` writes: complete, commented, and right from the first run on."""

from __future__ import annotations

_COMMON = """\
# {name}: written by `mlops pipelines new`. Check it with `mlops pipelines show {name}`; run it with `mlops pipelines run {name}`.
[pipeline]
name = "{name}"
description = ""
owner = ""

[charter]                      # why it exists; shown on the card, checked by the gate
problem = ""
success = []                   # such as ["{primary} {sign} {bound}"]

[data]
spine = "{spine}"              # feature table with keys, event time and target
features = []                  # tables joined point in time, such as ["weather", "orders@12:total_30d"]
target = "{target}"
# window = "180d"              # only the newest part
# drop = []                    # columns the model must not see
checks = "error"               # data checks that stop the pipeline: error | warn | off

[split]
by = "{split}"                 # time | random | group | stratified
validation = 0.15
test = 0.15
"""

_REGRESSION = """
[model]
task = "regression"
estimator = "sklearn.ensemble.HistGradientBoostingRegressor"
preprocess = "auto"            # or "steps/prep.py:build", any scikit-learn transformer factory
# target_transform = "log1p"   # for counts and prices
[model.params]
max_iter = 200

[evaluate]
primary = "rmse"
metrics = ["rmse", "mae", "r2"]
"""

_CLASSIFICATION = """
[model]
task = "classification"
estimator = "sklearn.ensemble.HistGradientBoostingClassifier"
preprocess = "auto"            # or "steps/prep.py:build", any scikit-learn transformer factory
[model.params]
max_iter = 200

[evaluate]
primary = "roc_auc"
metrics = ["roc_auc", "f1", "precision", "recall", "brier"]
"""

_END = """
[gate]
against = "champion"           # none | champion
rule = "not_worse"             # better | not_worse: by a paired interval on the same rows
margin = {margin}                  # in the metric's unit, or a share of the champion's score
confidence = 0.95

[register]
model = "{name}"

[deploy]
to = "none"                    # none | staging | production
strategy = "replace"           # replace | blue_green | canary

# [[triggers]]
# kind = "schedule"
# cron = "0 3 * * *"
# timezone = "Europe/Berlin"
"""

TEMPLATES = {
    "regression": (
        _COMMON + _REGRESSION + _END,
        {"primary": "rmse", "sign": "<=", "bound": "10", "split": "time", "margin": '"2%"'},
    ),
    "classification": (
        _COMMON + _CLASSIFICATION + _END,
        {"primary": "roc_auc", "sign": ">=", "bound": "0.80", "split": "stratified", "margin": "0.005"},
    ),
}


def render(name: str, template: str, spine: str, target: str) -> str:
    """Fill a template in; `template` is a key of TEMPLATES."""
    text, values = TEMPLATES[template]
    return text.format(name=name, spine=spine, target=target, **values)
