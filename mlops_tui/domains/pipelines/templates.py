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
{targets}
# window = "180d"              # only the newest part
# drop = []                    # columns the model must not see
checks = "error"               # data checks that stop the pipeline: error | warn | off

[split]
by = "{split}"                 # time | random | group | stratified
validation = 0.15
test = 0.15
leakage = "warn"               # rows or columns that give the answer away: warn | error | off
"""

_REGRESSION = """
[model]
task = "regression"
estimator = "sklearn.ensemble.HistGradientBoostingRegressor"
preprocess = "auto"            # or "steps/prep.py:build", any scikit-learn transformer factory
# target_transform = "log1p"   # for counts and prices
[model.params]
max_iter = 200

# [tune]                       # search settings; the trials survive a kill
# method = "sobol"             # none | random | sobol | grid
# trials = 20
# cv = 3
# [tune.space]
# learning_rate = {{ low = 0.01, high = 0.3, log = true }}

[evaluate]
primary = "rmse"
metrics = ["rmse", "mae", "r2"]
slices = []                    # columns whose groups are scored, and guarded by the gate, by themselves

[explain]                      # importance of each column, partial dependence of the first ones
top = 3

# [[tests]]
# name = "more is never less"
# kind = "direction"           # invariance | direction | minimum
# column = "temperature"
# change = 1.0
# expect = "up"
"""

_CLASSIFICATION = """
[model]
task = "classification"
estimator = "sklearn.ensemble.HistGradientBoostingClassifier"
preprocess = "auto"            # or "steps/prep.py:build", any scikit-learn transformer factory
[model.params]
max_iter = 200

# [tune]                       # search settings; the trials survive a kill
# method = "sobol"             # none | random | sobol | grid
# trials = 20
# cv = 3
# [tune.space]
# learning_rate = {{ low = 0.01, high = 0.3, log = true }}

# [calibrate]                  # so that 0.8 means 80 %
# method = "sigmoid"           # none | sigmoid | isotonic

[evaluate]
primary = "roc_auc"
metrics = ["roc_auc", "f1", "precision", "recall", "brier", "ece"]
slices = []                    # columns whose groups are scored, and guarded by the gate, by themselves
# [evaluate.threshold]         # from which probability on the second label is said
# by = "cost"                  # f1 | accuracy | precision | recall | cost | fixed
# false_negative = 5.0

[explain]                      # importance of each column, partial dependence of the first ones
top = 3

# [fairness]
# sensitive = ["sex"]
# demographic_parity = 0.1
"""

_SEMI = """
[model]
task = "semi-supervised"       # rows without a label are learned from too
estimator = "sklearn.linear_model.LogisticRegression"   # any classifier, or LabelSpreading
preprocess = "auto"            # or "steps/prep.py:build", any scikit-learn transformer factory
[model.params]
max_iter = 1000

[evaluate]
primary = "roc_auc"
metrics = ["roc_auc", "f1", "accuracy", "brier"]
"""

_CLUSTERING = """
[model]
task = "clustering"
estimator = "sklearn.cluster.KMeans"    # one with predict, so that it can serve
preprocess = "auto"            # or "steps/prep.py:build", any scikit-learn transformer factory
[model.params]
n_clusters = 4

[evaluate]
primary = "silhouette"
metrics = ["silhouette", "davies_bouldin", "stability"]
"""

_ANOMALY = """
[model]
task = "anomaly"
estimator = "sklearn.ensemble.IsolationForest"    # or mlops_tui.domains.pipelines.wrappers.ECOD
preprocess = "auto"            # or "steps/prep.py:build", any scikit-learn transformer factory
[model.params]
contamination = 0.01

[evaluate]
primary = "stability"          # with a target (1: an anomaly) also roc_auc, average_precision, precision, recall, f1
metrics = ["stability", "flagged"]
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

_TARGET = 'target = "{target}"'
_NO_TARGET = '# target = "{target}"          # where some rows have labels'


def _values(primary: str, sign: str, bound: str, split: str, margin: str, targets: str = _TARGET) -> dict[str, str]:
    return {"primary": primary, "sign": sign, "bound": bound, "split": split, "margin": margin, "targets": targets}


TEMPLATES = {
    "regression": (_COMMON + _REGRESSION + _END, _values("rmse", "<=", "10", "time", '"2%"')),
    "classification": (_COMMON + _CLASSIFICATION + _END, _values("roc_auc", ">=", "0.80", "stratified", "0.005")),
    "semi-supervised": (_COMMON + _SEMI + _END, _values("roc_auc", ">=", "0.80", "stratified", "0.005")),
    "clustering": (_COMMON + _CLUSTERING + _END, _values("silhouette", ">=", "0.3", "random", "0.02", "")),
    "anomaly": (_COMMON + _ANOMALY + _END, _values("stability", ">=", "0.8", "random", "0.02", _NO_TARGET)),
}


def render(name: str, template: str, spine: str, target: str) -> str:
    """Fill a template in; `template` is a key of TEMPLATES."""
    text, values = TEMPLATES[template]
    targets = values["targets"].format(target=target)
    return text.format(name=name, spine=spine, target=target, **{**values, "targets": targets})
