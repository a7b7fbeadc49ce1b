"""A query selects the same records in Python and in SQLite, whatever the data and the query."""

from __future__ import annotations

import math
import sqlite3

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mlops_tui.core.errors import InvalidInput
from mlops_tui.core.query import Field, Fields, Kind, Query, Sql, attempt, read
from mlops_tui.core.query_values import as_number

NOW = 1_760_000_000_000
DAY = 86_400_000


def fields() -> Fields:
    def of(name):
        return lambda record: record[name]

    within = "r.id IN (SELECT run FROM {} WHERE {{key}} AND {{}})"
    return Fields(
        Field("name", get=of("name"), searched=True, sql=Sql("r.name")),
        Field("note", get=of("note"), searched=True, sql=Sql("r.note")),
        Field("state", Kind.CHOICE, of("state"), ("is",), ("open", "Closed"), sql=Sql("r.state")),
        Field("size", Kind.SIZE, of("size"), sql=Sql("r.size")),
        Field("took", Kind.SPAN, of("took"), sql=Sql("r.took")),
        Field("version", Kind.NUMBER, of("version"), ("v",), sql=Sql("r.version")),
        Field("at", Kind.TIME, of("at"), sql=Sql("r.at")),
        Field("metrics", Kind.NUMBER, of("metrics"), ("metric",), keyed=True, known=lambda: ["auc", "loss"],
              sql=Sql("m.value", within=within.format("metric m"), name="m.key", nan=True)),
        Field("params", Kind.MIXED, of("params"), keyed=True,
              sql=Sql("p.value", "p.number", within.format("param p"), "p.key")),
        Field("tag", Kind.TEXT, of("tags"), ("tags",), keyed=True,
              sql=Sql("t.value", within=within.format("tag t"), name="t.key")),
    )  # fmt: skip


FIELDS = fields()
WORDS = ["auc", "loss", "Ärger", "ÄRGER", "ärger", "straße", "STRASSE", "kleine Äpfel", "İ", "K", "a'b", 'q"q', "%", "_", "", "1", "0.5",
         "nan", "inf", "open", "OPEN", "Res-50", "10%", "1e-3", "0.001", "\x1f", "\n"]  # fmt: skip
TEXTS = st.sampled_from(WORDS) | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=6)
NUMBERS = st.sampled_from([0.0, 0.5, 1.0, -1.0, 0.001, math.inf, -math.inf]) | st.floats(allow_nan=False)
KEYS = st.sampled_from(["auc", "loss", "Ärger", "x y"])
RECORD = st.fixed_dictionaries(
    {
        "name": TEXTS,
        "note": st.none() | TEXTS,
        "state": st.sampled_from(["open", "Closed", "odd"]),
        "size": st.none() | st.integers(0, 3_000_000),
        "took": st.none() | st.integers(0, 2 * DAY),
        "version": st.integers(-3, 3) | st.integers(-(2**63), 2**63 - 1),
        "at": st.none() | st.integers(NOW - 3 * DAY, NOW + DAY),
        "metrics": st.dictionaries(KEYS, NUMBERS | st.just(math.nan), max_size=2),
        "params": st.dictionaries(KEYS, TEXTS, max_size=2),
        "tags": st.dictionaries(KEYS, TEXTS, max_size=2),
    }
)


NOTHING = {"name": "x", "note": None, "state": "open", "size": None, "took": None, "version": 1, "at": None, "metrics": {},
           "params": {"auc": "auto"}, "tags": {}}  # fmt: skip


def database(records: list[dict]) -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:")
    for sql in (
        """CREATE TABLE r (id INTEGER PRIMARY KEY, name TEXT NOT NULL, note TEXT, state TEXT NOT NULL, size INTEGER,
            took INTEGER, version INTEGER NOT NULL, at INTEGER) STRICT""",
        "CREATE TABLE metric (run INTEGER, key TEXT, value REAL) STRICT",
        "CREATE TABLE param (run INTEGER, key TEXT, value TEXT, number REAL) STRICT",
        "CREATE TABLE tag (run INTEGER, key TEXT, value TEXT) STRICT",
    ):
        connection.execute(sql)
    for number, one in enumerate(records):
        row = [one[name] for name in ("name", "note", "state", "size", "took", "version", "at")]
        connection.execute("INSERT INTO r VALUES (?,?,?,?,?,?,?,?)", (number, *row))
        for key, value in one["metrics"].items():
            connection.execute("INSERT INTO metric VALUES (?,?,?)", (number, key, None if math.isnan(value) else value))
        for key, value in one["params"].items():
            connection.execute("INSERT INTO param VALUES (?,?,?,?)", (number, key, value, as_number(value)))
        for key, value in one["tags"].items():
            connection.execute("INSERT INTO tag VALUES (?,?,?)", (number, key, value))
    return connection


SPOKEN = TEXTS.map(lambda text: '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"')
OPERATORS = st.sampled_from(["=", "!=", "<", "<=", ">", ">=", "~", ":"])
NUMBER_WORDS = ["0", "0.5", "1", "-1", "1e-3", "nan", "inf", "9" * 30]
ASKED = {
    ("name", "note", 'tag."x y"', "tags.loss", "tag.auc", "tag", "metrics", "params"): [
        "auc",
        "ärger",
        "Res",
        "open",
        "1",
    ],
    ("state", "is"): ["open", "closed", "o", "clo", '"o"'],
    ("version", "v", "metrics.auc", "metric.loss"): NUMBER_WORDS,
    ("params.auc", "params.Ärger"): [*NUMBER_WORDS, "Res", "ärger"],
    ("size",): ["0", "1kB", "2MB", "1.5mb"],
    ("took",): ["2d", "1h", "0s"],
    ("at",): ["2d", "1h", "today", "yesterday", "2025-10-09", "2025-10-08T11:20", "now"],
}
NAMES = st.sampled_from([name for names in ASKED for name in names])
SUITED = st.sampled_from(
    [(name, value) for names, values in ASKED.items() for name in names for value in values]
).flatmap(lambda pair: OPERATORS.map(lambda operator: f"{pair[0]}{operator}{pair[1]}"))
LEAF = SUITED | st.builds("{}{}{}".format, NAMES, OPERATORS, SPOKEN) | SPOKEN.filter(lambda text: text[1:-1].strip())
QUERY = st.recursive(
    LEAF,
    lambda inner: (
        st.builds("-({})".format, inner)
        | st.builds("{} {}".format, inner, inner)
        | st.builds("({} | {})".format, inner, inner)
    ),
    max_leaves=5,
)


@settings(max_examples=250, deadline=None)
@given(st.lists(RECORD, min_size=1, max_size=6), QUERY)
@example([NOTHING], "-(note~x)")
@example([NOTHING], "params.auc!=1")
@example([NOTHING], "metrics.auc!=1 | params.loss!=1")
@example([NOTHING], "size<1kB | took<1h | at<1h | note:x")
def test_python_and_sql_select_the_same(records, text):
    query = attempt(text, FIELDS, NOW)
    if not isinstance(query, Query):
        return  # an operator or a value that does not suit its field
    condition, params = query.sql()
    connection = database(records)
    try:
        rows = connection.execute(f"SELECT id, {condition} FROM r ORDER BY id", params).fetchall()
    finally:
        connection.close()
    assert {row[1] for row in rows} <= {0, 1}, "a condition is never NULL"
    assert [bool(row[1]) for row in rows] == [query.holds(one) for one in records]


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=40) | st.builds("{}{}{}".format, NAMES, OPERATORS, st.text(max_size=12)))
def test_any_text_is_a_query_or_one_plain_sentence(text):
    found = attempt(text, FIELDS, NOW)
    if isinstance(found, Query):
        database([]).execute(f"SELECT {found.sql()[0]} FROM r", found.sql()[1]).close()
        return
    with pytest.raises(InvalidInput) as error:
        read(text, FIELDS, NOW)
    assert len(error.value.message.split("\n")) >= 3


def test_the_longest_query_that_is_read_also_runs():
    for text in ("ä " * 200, "ä | " * 199 + "ä", "-(" * 24 + "a" + ")" * 24):
        query = read(text, FIELDS, NOW)
        assert database([]).execute(f"SELECT {query.sql()[0]} FROM r", query.sql()[1]).fetchall() == []
