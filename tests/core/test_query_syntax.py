"""The query language as text: what reads as what, where mistakes are, and that reading undoes writing."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mlops_tui.core.query_syntax import And, Compare, Not, Op, Or, Stumble, Word, caret, parse, render

A, B, C = Word("a"), Word("b"), Word("c")


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("", And(())),
        ("  \n ", And(())),
        ("a", A),
        ("a b", And((A, B))),
        ("a AND b and c", And((A, B, C))),
        ("a | b", Or((A, B))),
        ("a|b", Or((A, B))),
        ("a or b OR c", Or((A, B, C))),
        ("a b | c", Or((And((A, B)), C))),
        ("a (b | c)", And((A, Or((B, C))))),
        ("-a", Not(A)),
        ("not a b", And((Not(A), B))),
        ("-(a b)", Not(And((A, B)))),
        ("--a", Not(Not(A))),
        ("(a)", A),
        ('"a b"', Word("a b")),
        ("'a \"b\"'", Word('a "b"')),
        (r'"a \"b\" \\"', Word('a "b" \\')),
        ('"or" order', And((Word("or"), Word("order")))),
        ("it's x/y@3", And((Word("it's"), Word("x/y@3")))),
        ("metrics.auc>=0.9", Compare("metrics", "auc", Op.GE, "0.9")),
        ("metrics.auc > 0.9", Compare("metrics", "auc", Op.GT, "0.9")),
        ("params.lr<1e-3", Compare("params", "lr", Op.LT, "1e-3")),
        ("x!=-5", Compare("x", "", Op.NE, "-5")),
        ("x==5", Compare("x", "", Op.EQ, "5")),
        ("state:failed", Compare("state", "", Op.HAS, "failed")),
        ("tag.team=growth", Compare("tag", "team", Op.EQ, "growth")),
        ('name~"res 50"', Compare("name", "", Op.CONTAINS, "res 50", quoted=True)),
        ('metrics."val loss" < 1', Compare("metrics", "val loss", Op.LT, "1")),
        ("metrics.`val:loss`<1", Compare("metrics", "val:loss", Op.LT, "1")),
        ("metrics.a.b<1", Compare("metrics", "a.b", Op.LT, "1")),
        ("tag.url=http://x:80", Compare("tag", "url", Op.EQ, "http://x:80")),
        ("not:x", Compare("not", "", Op.HAS, "x")),
        ("-draft | alias:champion", Or((Not(Word("draft")), Compare("alias", "", Op.HAS, "champion")))),
    ],
)
def test_text_reads_as_its_tree(text, tree):
    assert parse(text) == tree


@pytest.mark.parametrize(
    ("text", "at", "length", "said"),
    [
        ("a |", 3, 1, "before the end"),
        ("| a", 0, 1, "before '|'"),
        ("a | | b", 4, 1, "before '|'"),
        ("(a", 0, 1, "never closed"),
        ("a)", 1, 1, "never opened"),
        ("a ()", 2, 2, "nothing between"),
        ('x "abc', 2, 1, "never closed"),
        ('""', 0, 2, "nothing between"),
        ("-", 0, 1, "minus"),
        ("a - b", 2, 1, "minus"),
        ("a not", 5, 1, "before the end"),
        ("state:", 0, 6, "needs a value"),
        ("a state: | b", 2, 6, "needs a value"),
        (">=3", 0, 2, "needs a field"),
        ("a!=b =c", 5, 1, "needs a field"),
        ("metrics.>3", 0, 8, "missing after 'metrics.'"),
        ('metrics."x" y', 0, 11, "operator"),
        ("a/b=3", 0, 3, "cannot be a field"),
        ("a\0", 1, 1, "no text"),
        ("a\udcff", 1, 1, "no text"),
        ("(" * 80 + "a" + ")" * 80, 50, 1, "More than 50"),
        ("a " * 201, 400, 1, "More than 200"),
        ("a" * 10_001, 0, 1, "longer than"),
    ],
)
def test_a_mistake_says_what_and_where(text, at, length, said):
    with pytest.raises(Stumble, match=said) as found:
        parse(text)
    assert (found.value.problem.at, found.value.problem.length) == (at, length)


def test_the_caret_stands_under_the_mistake():
    assert caret("a | stat:x", 4, 4) == "a | stat:x\n    ^^^^"
    assert caret("a |", 3) == "a |\n   ^"
    assert caret("模型 | b\t)", 7) == "模型 | b )\n         ^"
    query, marks = caret("x" * 500 + "?" + "y" * 500, 500).split("\n")
    assert query[marks.index("^")] == "?"
    assert len(query) <= 100


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=12)
BARE = st.from_regex(r"[a-z0-9_.+*=<>~:!-][a-z0-9'\"_.+*=<>~:!-]{0,6}", fullmatch=True)
COMPARE = st.builds(
    Compare,
    st.from_regex(r"[a-z_][a-z0-9_-]{0,5}", fullmatch=True),
    st.just("") | TEXT,
    st.sampled_from(Op),
    st.shared(st.booleans(), key="q").flatmap(lambda q: TEXT if q else BARE),
    st.shared(st.booleans(), key="q"),
)
TREE = st.recursive(
    st.builds(Word, TEXT.filter(str.strip)) | COMPARE,
    lambda inner: (
        st.builds(Not, inner)
        | st.builds(And, st.lists(inner, min_size=2, max_size=3).map(tuple))
        | st.builds(Or, st.lists(inner, min_size=2, max_size=3).map(tuple))
    ),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None)
@given(TREE)
@example(Compare("a", "", Op.LT, "=1"))
@example(And((Or((A, B)), Not(And((A, C))))))
def test_what_is_written_reads_as_the_same_tree(tree):
    assert parse(render(tree)) == tree


PIECES = st.sampled_from(
    [*"()|-:=<>~!.\"'` a1\\", "metrics.auc", " or ", " not ", "state:", ">=0.9", "\u00e4", "\udc80", "\0"]
)


@settings(max_examples=250, deadline=None)
@given(st.lists(PIECES, max_size=25).map("".join) | st.text(max_size=40))
def test_any_text_is_a_tree_or_a_mistake_inside_it(text):
    problem = mistake(text)
    if problem is None:
        assert parse(render(parse(text))) == parse(text)
    else:
        assert 0 <= problem.at <= len(text)
        assert len(caret(text, problem.at, problem.length).split("\n")) == 2


def mistake(text):
    try:
        parse(text)
    except Stumble as stumble:
        return stumble.problem
    return None
