"""What may be searched."""

from __future__ import annotations

import pytest

from mlops_tui.core.errors import InvalidInput
from mlops_tui.studies.records import Param, check_command, filled, read_param


@pytest.mark.parametrize(
    ("text", "param"),
    [
        ("lr=float:1e-5:0.1:log", Param("lr", "float", 1e-5, 0.1, log=True)),
        ("depth=int:2:10", Param("depth", "int", 2, 10)),
        ("kind=choice:a,b", Param("kind", "choice", choices=("a", "b"))),
        ("rate=float:0:1:step=0.5", Param("rate", "float", 0, 1, step=0.5)),
    ],
)
def test_parameters_are_read(text, param):
    assert read_param(text) == param


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "x=float",
        "x=float:1",
        "x=float:2:1",
        "x=float:0:1:log",
        "x=int:0.5:2",
        "x=int:1:9:by",
        "x=choice:",
        "a b=int:1:2",
        "x=float:a:b",
        "x=real:0:1",
        "x=float:1:2:log:step=1",
    ],
)
def test_what_is_no_parameter_is_refused(text):
    with pytest.raises(InvalidInput):
        read_param(text)


def test_a_grid_has_both_ends():
    assert read_param("x=float:0:0.3:step=0.1").grid() == pytest.approx([0, 0.1, 0.2, 0.3])
    assert read_param("x=int:1:7:step=3").grid() == [1, 4, 7]
    with pytest.raises(InvalidInput, match="needs a step"):
        read_param("x=float:0:1").grid()


def test_holes_and_parameters_belong_together():
    params = (read_param("a=int:1:2"),)
    with pytest.raises(InvalidInput, match=r"has \{b\}"):
        check_command(("run", "{a}{b}"), params)
    with pytest.raises(InvalidInput, match="does not use"):
        check_command(("run",), params)
    assert filled(("--a={a}", "{other}"), {"a": 1}) == ["--a=1", "{other}"]
