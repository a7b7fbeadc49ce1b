"""Queries against a list: what fields mean, what is said about mistakes, and what completes."""

from __future__ import annotations

import dataclasses

import pytest

from mlops_tui.core.errors import InvalidInput
from mlops_tui.core.query import Field, Fields, Kind, attempt, read
from mlops_tui.core.query_completion import complete, token

NOW = 1_760_000_000_000  # 2025-10-09T08:53:20Z
HOUR = 3_600_000


@dataclasses.dataclass
class Model:
    name: str = "churn"
    state: str = "ready"
    version: int = 3
    aliases: tuple[str, ...] = ("champion", "blue")
    size: int = 1500
    made_at: int | None = NOW - HOUR
    took: int = 90_000
    metrics: dict[str, float] = dataclasses.field(default_factory=lambda: {"auc": 0.9, "val loss": 0.2})
    params: dict[str, str] = dataclasses.field(default_factory=lambda: {"lr": "1e-3", "opt": "Adam"})


FIELDS = Fields(
    Field("name", get=lambda one: one.name, searched=True, known=lambda: ["churn", "fraud", "two words"]),
    Field("state", Kind.CHOICE, lambda one: one.state, ("is",), choices=("ready", "failed")),
    Field("version", Kind.NUMBER, lambda one: one.version),
    Field("alias", get=lambda one: one.aliases, aliases=("aliases",), searched=True, known=lambda: ["champion"]),
    Field("size", Kind.SIZE, lambda one: one.size),
    Field("made", Kind.TIME, lambda one: one.made_at),
    Field("took", Kind.SPAN, lambda one: one.took),
    Field("metrics", Kind.NUMBER, lambda one: one.metrics, ("metric",), keyed=True, known=lambda: ["auc", "val loss"]),
    Field("params", Kind.MIXED, lambda one: one.params, keyed=True, known=lambda: ["lr", "opt"]),
)


@pytest.mark.parametrize(
    "text",
    [
        *("", "churn", "CHU", "champ", "chu blue", "nothing | churn", "-nothing", "name=churn", "name:CHURN", "name~hur"),
        *("name!=fraud", "state:ready", "is:READY", "state:rea", "state!=failed", "version=3", "version>=3 version<4", "v | churn"),
        *("alias:champion", "alias=blue", "alias!=green", "-alias:green", "size>1kB", "size<=1.5kB", "size=1500", "took>1m took<2m"),
        *("made>2h", "made<30m", "made:2h", "made:today", "-made:yesterday", "made=2025-10-09", "made>=2025-10-09T07:53"),
        *("made!=2025-10-08", "metrics.auc>=0.9", 'metric."val loss"<0.3', "metrics:auc", "metrics~loss", "-metrics.none>0"),
        *("params.lr=0.001", "params.lr<1e-2", 'params.lr="1e-3"', "params.opt:adam", "params.opt=Adam", "params.opt~DA", "params.opt!=3"),
    ],
)  # fmt: skip
def test_it_holds(text):
    assert read(text, FIELDS, NOW).holds(Model())


@pytest.mark.parametrize(
    "text",
    [
        *("nothing", "churn nothing", "-churn", "name=CHURN", "name:hur", "state:failed", "version!=3", "alias!=blue", "size>2kB"),
        *("made>30m", "made<2h", "made:30m", "made:yesterday", "made!=today", "metrics.none!=0", "metrics.none>0", "metrics:none"),
        *("params.opt=adam", "params.opt>1 | params.lr>1", "params.none!=3", 'params.lr="0.001"', "took<=1m"),
    ],
)  # fmt: skip
def test_it_does_not_hold(text):
    assert not read(text, FIELDS, NOW).holds(Model())


def test_what_is_not_there_meets_nothing_but_a_minus():
    nothing = Model(made_at=None, aliases=())
    for text in ("made<1h", "made>1h", "made!=today", "alias:champion"):
        assert not read(text, FIELDS, NOW).holds(nothing), text
    assert read("-made>1h alias!=champion", FIELDS, NOW).holds(nothing)


@pytest.mark.parametrize(
    ("text", "said", "hint"),
    [
        ("stat:ready", "There is no field 'stat' here.\nstat:ready\n^^^^", "Did you mean 'state'?"),
        ("a | auc>0.9", "There is no field 'auc' here.\na | auc>0.9\n    ^^^", "Did you mean 'metrics.auc'?"),
        ("zzz:1", "There is no field 'zzz' here.\nzzz:1\n^^^", "Fields: name, state, "),
        ("state:raedy", "No state is called 'raedy'.\nstate:raedy\n      ^^^^^", "Did you mean 'ready'?"),
        ("state:zzz", "No state is called 'zzz'.\nstate:zzz\n      ^^^", "There is: ready, failed."),
        ("version>new", "'version>' needs a number.\nversion>new\n        ^^^", "As in"),
        ("params.lr<low", "'params.lr<' needs a number.\nparams.lr<low\n          ^^^", "As in"),
        ('params.lr<"1"', "'params.lr<' needs a number.\nparams.lr<\"1\"\n          ^^^", "As in"),
        ("made>soon", "'soon' is not a time.\nmade>soon\n     ^^^^", "As in 2d"),
        ("made>" + "9" * 400 + "d", "is not a time.", "As in 2d"),
        ("took>5", "'5' is not a length of time.\ntook>5\n     ^", "As in 30s"),
        ("size>big", "'big' is not a size.\nsize>big\n     ^^^", "As in 500"),
        ("name<b", "'name' is text, which has no order.\nname<b\n^^^^^", "Use ="),
        ("version~3", "'version' is no text that could contain something.\nversion~3\n^^^^^^^^", "Use ="),
        ("name.x=3", "'name' has no parts.\nname.x=3\n^^^^^^", "Write name=3"),
        ("metrics>3", "Which of the metrics?\nmetrics>3\n^^^^^^^^", "Write metrics.NAME>3"),
        ("(a", "This parenthesis is never closed.\n(a\n^", ""),
    ],
)
def test_a_mistake_is_shown_with_a_caret_and_a_hint(text, said, hint):
    with pytest.raises(InvalidInput) as error:
        read(text, FIELDS, NOW)
    assert said in error.value.message
    assert hint in error.value.hint
    assert not hasattr(attempt(text, FIELDS, NOW), "holds")


def test_select_keeps_the_order_and_an_empty_query_says_so():
    one, two = Model("b"), Model("a")
    assert read("", FIELDS).select([one, two]) == [one, two]
    assert read(" ", FIELDS).empty
    assert not read("a", FIELDS).empty


@pytest.mark.parametrize(
    ("text", "offered"),
    [
        ("st", ["state:"]),
        ("a | -st", ["state:"]),
        ("is", ["state:"]),
        ("met", ["metrics."]),
        ("metrics.", ["metrics.auc>=", 'metrics."val loss">=']),
        ("metrics.lo", ['metrics."val loss">=']),
        ("metric.a", ["metric.auc>=", 'metric."val loss">=']),
        ("au", ["metrics.auc>="]),
        ("state:", ["state:failed", "state:ready"]),
        ("state=f", ["state=failed"]),
        ("(state:REA", ["state:ready"]),
        ('name:"two w', ['name:"two words"']),
        ("alias:", ["alias:champion"]),
        ("metrics:", ["metrics:auc", 'metrics:"val loss"']),
        ("made>t", ["made>today", "made>yesterday"]),
        ("zzz:", []),
        ("zzz.x", []),
        ('"quoted st', []),
    ],
)
def test_completion_offers(text, offered):
    assert complete(text, len(text), FIELDS) == offered


def test_an_empty_query_offers_every_field_and_the_cursor_decides_what_is_completed():
    assert len(complete("", 0, FIELDS)) == len(FIELDS.all)
    assert complete("st churn", 2, FIELDS) == ["state:"]
    assert token("a -st churn", 5) == (3, 5)
    assert complete("st", 99, FIELDS) == ["state:"]
