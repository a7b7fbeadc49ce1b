"""The YAML that trackers write."""

from __future__ import annotations

import pytest

from mlops_tui.core.errors import InvalidInput
from mlops_tui.transfer import flat_yaml


def test_scalars_are_what_yaml_says():
    text = "a: 1\nb: '1'\nc: 1.5\nd: null\ne: yes\nf: plain words\ng: \"tab\\t\\u00e9\"\nh: 'it''s'\ni: file:///x/y\nj: []\n"
    assert flat_yaml.read(text) == {
        "a": 1,
        "b": "1",
        "c": 1.5,
        "d": None,
        "e": True,
        "f": "plain words",
        "g": "tab\té",
        "h": "it's",
        "i": "file:///x/y",
        "j": None,
    }


def test_long_texts_that_were_folded_are_whole_again():
    text = 'a: \'{"x": 1,\n  "y": 2}\'\nb: one\n  two\nc: "broken\\\n  \\ off"\nd: \'first\n\n  second\'\n'
    found = flat_yaml.read(text)
    assert found == {"a": '{"x": 1, "y": 2}', "b": "one two", "c": "broken off", "d": "first\nsecond"}


def test_a_mapping_below_a_key_and_lists_are_read_or_skipped():
    text = "aliases:\n  champion: '1'\n  'odd: key': 2\nlr:\n  desc: null\n  value: 0.1\nitems:\n- 1\n- 2\nlast: 3\n"
    assert flat_yaml.read(text) == {
        "aliases": {"champion": "1", "odd: key": 2},
        "lr": {"desc": None, "value": 0.1},
        "items": None,
        "last": 3,
    }


@pytest.mark.parametrize("text", ["no colon here", "{json", "- 1\nx"])
def test_what_is_no_yaml_of_this_kind_is_refused(text):
    with pytest.raises(InvalidInput, match="not understood"):
        flat_yaml.read(text)
