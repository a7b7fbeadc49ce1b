from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from mlops_tui.core.errors import InvalidInput
from mlops_tui.domains.pipelines import templates
from mlops_tui.domains.pipelines.criteria import Threshold
from mlops_tui.domains.pipelines.definition import LISTS, SECTIONS, examine, parse
from mlops_tui.domains.pipelines.records import HIGHER_IS_BETTER

DOCS = Path(__file__).parents[3] / "docs" / "pipelines.md"
SAMPLE = Path(__file__).parents[3] / "sample_data" / "bike.toml"

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


# Everything this release adds to the example of the interfaces page.
MORE = (
    FULL.replace('method = "random"', 'method = "sobol"\nfolds = "time"')
    + """
[preprocess]
categories = "hash"
[preprocess.columns]
city = "sklearn.preprocessing.OrdinalEncoder"
age = "number"
[select]
method = "k_best"
[calibrate]
method = "isotonic"
[evaluate.threshold]
by = "cost"
false_negative = 5
[explain]
top = 3
[fairness]
sensitive = ["sex"]
demographic_parity = 0.1
[[tests]]
name = "sex does not matter"
kind = "invariance"
column = "sex"
values = ["f", "m"]
within = 0.01
[[tests]]
name = "good everywhere"
kind = "minimum"
metric = "recall"
slice = { country = "de" }
at_least = 0.7
"""
)


def test_what_a_definition_asks_for_are_its_steps():
    assert parse(MINIMAL, "churn.toml").plan == (
        *("load", "check", "split", "preprocess", "train", "evaluate", "gate", "register", "deploy"),
    )
    recipe = parse(MORE, "churn.toml")
    own = {step.name for step in recipe.steps} | ({"collect"} if recipe.steps else set())
    assert set(recipe.plan) - own - set(parse(MINIMAL, "churn.toml").plan) == {
        "select",
        "tune",
        "calibrate",
        "explain",
        "test",
    }
    assert recipe.evaluate.threshold.false_negative == 5


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "false_negative = 5",
            "false_negativ = 5",
            "evaluate.threshold.false_negativ: unknown key. Did you mean 'false_neg",
        ),
        ('by = "cost"', 'by = "costs"', "evaluate.threshold.by: 'costs' is none of f1, accuracy"),
        (
            'age = "number"',
            'age = "numbr"',
            "preprocess.columns.age: 'numbr' is no way to prepare a column. Did you mean",
        ),
        ('folds = "time"', 'folds = "group"', "tune.folds: folds by group need [split] group"),
        ('sensitive = ["sex"]', "sensitive = []", "fairness.sensitive: name at least one column"),
        ("demographic_parity = 0.1", "error_gap = 1.0", "fairness.error_gap: error_gap is for a regression"),
        ('values = ["f", "m"]', "", "tests[1]: a test of invariance needs values"),
        ('metric = "recall"', 'metric = "recal"', "tests[2].metric: 'recal' is no classification metric. Did you mean"),
        ("at_least = 0.7", "", "tests[2]: a test of a minimum needs at_least or at_most"),
        ('task = "classification"', 'task = "regression"', "calibrate.method: only a classification has probabilities"),
        ('preprocess = "auto"', 'preprocess = "scale"', "model.preprocess: write auto, none, file.py:function"),
    ],
)
def test_a_mistake_in_a_newer_section_is_named_where_it_stands(old, new, expected):
    assert old in MORE
    found = messages(MORE.replace(old, new, 1))
    assert any(message.partition(" ")[2].startswith(expected) for message in found), found


@pytest.mark.parametrize(
    ("task", "extra", "expected"),
    [
        ("clustering", '[select]\nmethod = "k_best"\n', "k_best needs a target"),
        ("clustering", "[explain]\n", "importance is measured by the target"),
        ("anomaly", '[tune]\nmethod = "random"\n[tune.space]\nx = [1]\n', "a search needs a target"),
        ("semi-supervised", "", "semi-supervised needs target = COLUMN"),
    ],
)
def test_a_task_without_a_target_is_told_what_needs_one(task, extra, expected):
    text = MINIMAL.replace("classification", task).replace('target = "left"\n', "") + extra
    assert any(expected in message for message in messages(text)), messages(text)


def test_without_labels_an_outlier_detector_is_judged_by_what_needs_none():
    text = MINIMAL.replace("classification", "anomaly").replace('target = "left"\n', "")
    assert parse(text, "x.toml").primary == "stability"
    assert "'roc_auc' is no anomaly metric" in messages(text + '[evaluate]\nprimary = "roc_auc"\n')[0]


OWN = """
[[steps]]
name = "a"
uses = "prep.py:a"
needs = ["load"]
[[steps]]
name = "b"
uses = "prep.py:b"
needs = ["load"]
[[steps]]
name = "c"
uses = "prep.py:c"
needs = ["a", "b"]
[resources.steps.a]
timeout = "5m"
memory = "1GB"
"""


def test_own_steps_come_after_those_they_need_and_before_what_lays_them_together():
    assert parse(MINIMAL + OWN, "churn.toml").plan[:6] == ("load", "a", "b", "c", "collect", "check")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('needs = ["a", "b"]', 'needs = ["a", "x"]', "there is no step 'x' to wait for. Own steps: a, b, c, or load."),
        (
            'name = "a"\nuses = "prep.py:a"\nneeds = ["load"]',
            'name = "a"\nuses = "prep.py:a"\nneeds = ["c"]',
            "a -> c -> a",
        ),
        ('name = "b"\nuses = "prep.py:b"\nneeds = ["load"]', 'name = "b"\nuses = "prep.py:b"\nneeds = ["b"]', "b -> b"),
        ('name = "b"', 'name = "a"', "there is a step 'a' already"),
        ('name = "b"', 'name = "train"', "there is a step 'train' already"),
        ('name = "b"', 'name = "../b"', "is no name of a step"),
        ("resources.steps.a", "resources.steps.trian", "there is no step 'trian'. Did you mean 'train'?"),
        ('timeout = "5m"', 'timeout = "soon"', "resources.steps.a.timeout"),
        ('timeout = "5m"', "timout = 5", "Did you mean 'timeout'?"),
        ('memory = "1GB"', 'memory = "much"', "resources.steps.a.memory"),
    ],
)
def test_a_wrong_graph_or_limit_of_own_steps_is_said(old, new, said):
    assert any(said in message for message in messages(MINIMAL + OWN.replace(old, new))), messages(
        MINIMAL + OWN.replace(old, new)
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('after = "train"', "'train' hands on no rows"),
        ("columns = 3", "a table of names was expected"),
        ("[contracts.columns]\nx = { min = 3, max = 2 }", "max must not be below min"),
        ("[contracts.columns]\nx = { minn = 3 }", "Did you mean 'min'?"),
        ('[contracts.columns]\nx = { type = "float" }', "is none of any, number"),
    ],
)
def test_a_wrong_contract_is_said_at_its_line(text, said):
    assert any(said in message for message in messages(f"{MINIMAL}\n[[contracts]]\n{text}\n"))


@pytest.mark.parametrize("name", [*SECTIONS, *LISTS, "evaluate.threshold"])
def test_every_key_of_every_section_is_on_the_page_of_the_pipeline_file(name):
    text = DOCS.read_text(encoding="utf-8")
    kind = {**SECTIONS, **LISTS, "evaluate.threshold": Threshold}[name]
    head = f"\n| `[[{name}]]` |" if name in LISTS else f"\n| `[{name}]` |"
    rows = text.partition(head)[2].partition("\n| `[")[0]
    missing = [field.name for field in msgspec.structs.fields(kind) if f"`{field.name}`" not in rows]
    assert missing == []


def test_every_metric_is_on_the_page_of_the_pipeline_file():
    text = DOCS.read_text(encoding="utf-8")
    assert [name for name in HIGHER_IS_BETTER if name not in text] == []


def test_the_sample_pipeline_is_right():
    assert examine(SAMPLE.read_text(encoding="utf-8"), SAMPLE.name)[1] == []
