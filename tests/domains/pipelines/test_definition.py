from __future__ import annotations

import pytest

from mlops_tui.core.errors import InvalidInput
from mlops_tui.domains.pipelines import templates
from mlops_tui.domains.pipelines.definition import examine, parse

MINIMAL = """
[pipeline]
name = "churn"
[data]
spine = "labels"
target = "left"
[model]
task = "classification"
estimator = "sklearn.linear_model.LogisticRegression"
"""

# The example of the interfaces page, with what this release does not train or serve yet left out.
FULL = """
[pipeline]
name = "churn"
description = "Who leaves in the next 30 days"
owner = "growth"
[charter]
problem = "Keep customers who are about to leave"
success = ["recall >= 0.80", "latency_p95_ms <= 20"]
constraints = ["no use of postcode"]
[data]
spine = "labels"
features = ["customers", "orders"]
target = "left"
window = "180d"
checks = "error"
[split]
by = "time"
validation = 0.15
test = 0.15
[model]
task = "classification"
estimator = "sklearn.ensemble.HistGradientBoostingClassifier"
preprocess = "auto"
[model.params]
max_iter = 300
[tune]
method = "random"
trials = 30
cv = 5
[tune.space]
learning_rate = { low = 0.01, high = 0.3, log = true }
max_leaf_nodes = [15, 31, 63]
[evaluate]
primary = "roc_auc"
metrics = ["roc_auc", "precision", "f1", "brier"]
slices = ["country"]
[gate]
minimum = { roc_auc = 0.80 }
against = "champion"
metric = "roc_auc"
rule = "not_worse"
margin = 0.005
confidence = 0.95
tests = ["tests/churn_behaviour.py"]
[register]
model = "churn"
[deploy]
to = "staging"
deployment = "churn"
strategy = "canary"
steps = [2, 25, 75, 100]
approval = false
[[triggers]]
kind = "schedule"
cron = "0 3 * * *"
timezone = "Europe/Berlin"
missed = "latest"
overlap = "skip"
cooldown = "6h"
[resources]
engine = "local"
jobs = 2
timeout = "2h"
memory = "4GB"
retries = 1
[[steps]]
name = "enrich"
uses = "steps/enrich.py:run"
after = "load"
"""


def messages(text):
    return [f"{problem.line} {problem.where}: {problem.message}" for problem in examine(text, "churn.toml")[1]]


def changed(old, new, text=FULL):
    assert old in text
    return messages(text.replace(old, new))


def test_the_full_example_is_right():
    recipe = parse(FULL, "churn.toml")
    assert recipe.tune.space["learning_rate"].log is True
    assert recipe.triggers[0].cooldown == "6h"
    assert recipe.metrics == ["roc_auc", "precision", "f1", "brier", "recall"]  # recall: the charter asks for it


def test_what_is_left_out_has_a_sensible_default():
    recipe = parse(MINIMAL, "churn.toml")
    assert (recipe.primary, recipe.model_name, recipe.deployment_name) == ("roc_auc", "churn", "churn")
    assert recipe.gate.against == "champion"


@pytest.mark.parametrize("name", templates.TEMPLATES)
def test_every_template_is_right(name):
    parse(templates.render("mine", name, "labels", "target"), "mine.toml")


def test_all_mistakes_come_at_once_each_with_its_line_and_the_nearest_name():
    text = (
        FULL.replace("owner =", "ownr =").replace("trials = 30", 'trials = "many"').replace('by = "time"', 'by = "tme"')
    )
    assert messages(text) == [
        "5 pipeline.ownr: unknown key. Did you mean 'owner'?",
        "17 split.by: 'tme' is none of time, random, group, stratified. Did you mean 'time'?",
        "28 tune.trials: expected int, got str",
    ]
    with pytest.raises(InvalidInput, match=r"churn\.toml has 3 mistakes:\n  churn\.toml:5: pipeline\.ownr"):
        parse(text, "churn.toml")


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("[charter]", "[chartr]", "6 chartr: unknown section. Did you mean 'charter'?"),
        ('target = "left"\n', "", "10 data: classification needs target = COLUMN"),
        (
            'primary = "roc_auc"',
            'primary = "roc_acu"',
            "34 evaluate.primary: 'roc_acu' is no classification metric. Did you mean",
        ),
        (
            "minimum = { roc_auc = 0.80 }",
            "minimum = { rmse = 0.8 }",
            "38 gate.minimum: 'rmse' is no classification metric",
        ),
        ('window = "180d"', 'window = "180 days"', "14 data.window: '180 days' is not a length of time"),
        ("validation = 0.15", "validation = 0.9", "18 split.validation: validation and test leave nothing"),
        ("validation = 0.15", "validation = 1.5", "18 split.validation: expected float < 1.0"),
        ("low = 0.01", "low = 0.0", "31 tune.space.learning_rate: a logarithmic range must start above 0"),
        ("high = 0.3", "hgh = 0.3", "31 tune.space.learning_rate.hgh: unknown key. Did you mean 'high'?"),
        ('cron = "0 3 * * *"\n', "", "53 triggers[1]: a schedule needs cron"),
        ('cooldown = "6h"', 'coldown = "6h"', "59 triggers[1].coldown: unknown key. Did you mean 'cooldown'?"),
        ('uses = "steps/enrich.py:run"', 'uses = "enrich"', "68 steps[1].uses: write file.py:function"),
        ("margin = 0.005", 'margin = "5 percent"', "42 gate.margin: '5 percent' is no margin"),
        ('name = "churn"', 'name = "../churn"', "3 pipeline.name: '../churn' cannot name a pipeline"),
        ("steps = [2, 25, 75, 100]", "steps = [50, 25]", "51 deploy.steps: the shares of a canary must grow"),
        ('strategy = "canary"', 'strategy = "shadow"', "50 deploy.strategy: serving cannot shadow yet"),
        ('estimator = "sklearn', 'estimator = "Forest" #"', "22 model.estimator: 'Forest' names no module"),
    ],
)
def test_a_mistake_is_named_where_it_stands(old, new, expected):
    found = changed(old, new)
    assert any(message.startswith(expected) for message in found), found


def test_text_that_is_no_toml_is_one_mistake_with_its_line():
    assert messages('[pipeline]\nname = "churn\n')[0].startswith("2 TOML: ")


def test_a_missing_section_is_named():
    assert "the section [model] is missing" in messages(MINIMAL.partition("[model]")[0])[0]


def test_a_regression_cannot_be_stratified():
    text = MINIMAL.replace("classification", "regression") + '[split]\nby = "stratified"\n'
    assert "only classes can be stratified" in messages(text)[0]
