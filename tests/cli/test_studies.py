"""`mlops studies` as typed."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("optuna")


def test_a_study_is_made_shown_and_listed(mlops, workspace):
    from mlops_tui.studies.running import optimize

    code, _, err = mlops("studies", "create", "s", "--command", "echo {x}", "--param", "x=int:1:3", "--seed", "1")
    assert (code, "mlops studies run s" in err) == (0, True)
    optimize(lambda trial: trial.suggest_int("x", 1, 3), study="s", trials=4, workspace=workspace.root)
    code, out, _ = mlops("studies", "show", "s")
    assert code == 0
    assert "Best so far" in out
    assert "Importance" in out
    code, out, _ = mlops("studies", "list", "--json")
    assert (json.loads(out)[0]["trials"], json.loads(out)[0]["running"]) == (4, False)
    code, out, _ = mlops("studies", "show", "s", "--plot", "--ascii")
    assert "best so far" in out
    assert "importance" in out
    assert out.isascii()


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["create", "s"], 2),
        (["create", "s", "--command", "echo", "--param", "x=y"], 5),
        (["create", "s", "--command", "'open"], 2),
        (["show", "none"], 3),
        (["run", "none", "--trials", "1"], 3),
        (["stop", "none"], 3),
    ],
)
def test_mistakes_have_exit_codes(mlops, words, code):
    assert mlops("studies", *words)[0] == code


def test_running_needs_an_end(mlops):
    mlops("studies", "create", "s", "--objective", "m:f")
    code, _, err = mlops("studies", "run", "s")
    assert (code, "--trials N" in err) == (2, True)
