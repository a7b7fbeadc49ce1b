"""pandera schemas to checks and back. The schemas here are stand-ins with the attributes that pandera 0.35 gives."""

from __future__ import annotations

import ast
import re
import sys
from types import ModuleType, SimpleNamespace

import pytest

from mlops_tui.core.errors import InvalidInput, NotFound, Unavailable
from mlops_tui.domains.features import pandera_bridge
from mlops_tui.domains.features.check_records import Check, Severity


def said(name, *, warns=False, **statistics):
    return SimpleNamespace(name=name, statistics=statistics, raise_warning=warns)


def column(*checks, nullable=True, unique=False):
    return SimpleNamespace(checks=checks, nullable=nullable, unique=unique, regex=False)


def schema(columns, *, unique=None, checks=()):
    return SimpleNamespace(columns=columns, unique=unique, checks=checks)


def one(check):
    found, left = pandera_bridge.to_checks(schema({"a": column(check)}))
    assert left == []
    return found[0]


def test_presence_and_uniqueness_are_checks():
    found, left = pandera_bridge.to_checks(
        schema({"a": column(nullable=False), "b": column(unique=True)}, unique=["a", "b"], checks=[said("tall")])
    )
    assert found == [Check("not_null", ("a",)), Check("unique", ("b",)), Check("unique", ("a", "b"))]
    assert left == ["the frame: tall"]


def test_bounds_sets_and_lengths_are_checks():
    bounds = {"min_value": 0, "max_value": 5, "include_min": True, "include_max": True}
    assert one(said("in_range", **bounds)) == Check("range", ("a",), low=0, high=5)
    assert one(said("in_range", **bounds | {"include_max": False})).where == '"a" < (0) OR "a" >= (5)'
    assert one(said("greater_than_or_equal_to", min_value=1, warns=True)).severity is Severity.WARN
    assert one(said("less_than_or_equal_to", max_value=1)) == Check("range", ("a",), high=1)
    assert one(said("greater_than", min_value=1.5)).where == '"a" <= (1.5)'
    assert one(said("less_than", max_value="x'y")).where == "\"a\" >= 'x''y'"
    assert one(said("isin", allowed_values=["x", "y"])) == Check("in_set", ("a",), values=("x", "y"))
    assert one(said("equal_to", value=3)) == Check("in_set", ("a",), values=(3,))
    assert one(said("notin", forbidden_values=[1, 2])).where == '"a" IN ((1), (2))'
    assert one(said("not_equal_to", value=True)).where == '"a" = TRUE'
    assert one(said("str_length", min_value=1, max_value=3, exact_value=None)) == Check("length", ("a",), low=1, high=3)
    assert one(said("str_length", min_value=None, max_value=None, exact_value=2)) == Check(
        "length", ("a",), low=2, high=2
    )


@pytest.mark.parametrize(
    ("check", "holds", "fails"),
    [
        (said("str_matches", pattern="ab"), "abc\n", "cab"),
        (said("str_matches", pattern=re.compile("^ab$")), "ab", "abc"),
        (said("str_contains", pattern="b|c"), "xcx", "xax"),
        (said("str_startswith", string="a."), "a.b", "axb"),
        (said("str_endswith", string="z)"), "xz)", "z)x"),
    ],
)
def test_patterns_hold_where_panderas_hold(check, holds, fails):
    pattern = one(check).pattern
    assert re.fullmatch(pattern, holds)
    assert not re.fullmatch(pattern, fails)


def test_what_is_no_check_here_is_named():
    found, left = pandera_bridge.to_checks(
        schema({"a": column(said("<lambda>"), said("isin", allowed_values=[1])), "b": SimpleNamespace(regex=True)})
    )
    assert [check.kind for check in found] == ["in_set"]
    assert left == ["a: <lambda>", "b: columns by pattern"]


def test_a_schema_is_written_as_python_that_can_be_read():
    checks = [
        Check("not_null", ("a",)),
        Check("range", ("a",), low=0, high=5),
        Check("in_set", ("b",), values=("x",), severity=Severity.WARN),
        Check("length", ("b",), low=1.0),
        Check("regex", ("b",), pattern="x|y"),
        Check("unique", ("a", "b")),
        Check("not_null", ("b",), tolerate=0.1),
        Check("freshness", ("t",), max_age=1000),
    ]
    written = pandera_bridge.to_source("t", {"a": "BIGINT", "b": "VARCHAR", "t": "TIMESTAMPTZ"}, checks)
    ast.parse(written)
    for wanted in (
        '"Int64"',
        "pa.Check.in_range(0, 5)",
        "pa.Check.isin(['x'], raise_warning=True)",
        "pa.Check.str_length(1, None)",
        "pa.Check.str_matches('^(?:x|y)$')",
        "unique=['a', 'b']",
        "# - not_null(b) (error)",
        "# - freshness(t) (error)",
    ):
        assert wanted in written
    assert written.count("nullable=False") == 1


@pytest.fixture
def pandera(monkeypatch):
    """As if pandera were installed."""
    for name in ("pandera", "pandera.pandas", "pandera.io", "pandera.io.pandas_io"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    sys.modules["pandera.io.pandas_io"].from_yaml = lambda path: schema({"v": column(said("<lambda>"))})


CODE = """
from types import SimpleNamespace as N
schema = N(columns={"v": N(checks=[], nullable=False, unique=False, regex=False)}, unique=None, checks=[])
class Model:
    to_schema = staticmethod(lambda: schema)
"""


def test_schemas_are_read_from_files_and_declared(workbench, tmp_path, pandera):
    features = workbench.features
    features.create("t", ["k"])
    features.ingest("t", [{"k": 1, "v": 2.0}])
    (tmp_path / "s.py").write_text(CODE)
    (tmp_path / "s.yaml").write_text("")
    (tmp_path / "broken.py").write_text("1 / 0")
    declared, left = features.import_pandera("t", "s.py:Model", tmp_path)
    assert ([check.kind for check in declared], left) == (["not_null"], [])
    assert features.import_pandera("t", "s.yaml", tmp_path) == ([], ["v: <lambda>"])
    assert "nullable=False" in features.export_pandera("t")
    with pytest.raises(NotFound, match="no schema 'Modell'") as caught:
        features.import_pandera("t", "s.py:Modell", tmp_path)
    assert "'Model'" in caught.value.hint
    with pytest.raises(NotFound, match="no file"):
        features.import_pandera("t", "none.py:x", tmp_path)
    with pytest.raises(InvalidInput, match="ZeroDivisionError"):
        features.import_pandera("t", "broken.py:x", tmp_path)


def test_without_pandera_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandera.pandas", None)
    (tmp_path / "s.py").write_text(CODE)
    with pytest.raises(Unavailable) as caught:
        pandera_bridge.read("s.py:schema", tmp_path)
    assert "mlops-tui[pandera]" in caught.value.hint
