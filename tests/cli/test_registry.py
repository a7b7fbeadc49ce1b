"""`mlops models`, as typed."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from mlops_tui.domains.experiments.files import RunFiles
from mlops_tui.domains.experiments.spool import RunWriter
from mlops_tui.domains.registry import package


class Mean:
    def predict(self, rows):
        return np.zeros(len(rows))


@pytest.fixture
def folder(tmp_path):
    sample = pd.DataFrame({"temp": [1.0, 2.0]})
    package.save(tmp_path / "package", Mean(), sample=sample, task="regression", target="count")
    return tmp_path / "package"


@pytest.fixture
def two(mlops, folder):
    for _ in range(2):
        assert mlops("models", "register", "bikes", str(folder))[0] == 0
    return mlops


def test_an_empty_list_says_what_comes_next(mlops):
    code, out, err = mlops("models", "list")
    assert (code, out) == (0, "")
    assert "mlops pipelines new" in err


def test_registering_promoting_and_rolling_back(two):
    assert two("models", "promote", "bikes/1")[1] == "bikes/1 is Production (champion).\n"
    assert two("models", "promote", "bikes", "--why", "summer")[0] == 0
    shown = json.loads(two("models", "show", "bikes", "--json")[1])
    assert (shown["production"], shown["aliases"]) == (2, {"champion": 2})
    assert [move["verb"] for move in shown["promotions"]] == ["promote", "promote"]
    assert shown["promotions"][0]["why"] == "summer"
    assert two("models", "rollback", "bikes")[1] == "bikes@champion is version 1 again.\n"
    assert two("models", "rollback", "bikes")[0] == 6


def test_a_version_is_shown_with_inputs_and_lineage(two):
    code, out, _ = two("models", "show", "bikes/1")
    assert code == 0
    assert "temp   float64" in out
    shown = json.loads(two("models", "show", "bikes/1", "--json")[1])
    assert shown["signature"]["target"] == "count"
    assert shown["created_at"].endswith("Z")
    assert shown["lineage"] == []


def test_an_alias_is_set_and_removed(two):
    assert two("models", "alias", "bikes", "blue", "2")[0] == 0
    assert json.loads(two("models", "show", "bikes@blue", "--json")[1])["version"] == 2
    assert two("models", "alias", "bikes", "blue", "--remove")[0] == 0
    assert two("models", "show", "bikes@blue")[0] == 3
    assert two("models", "alias", "bikes", "blue")[0] == 2


def test_two_equal_versions_do_not_differ(two):
    code, out, err = two("models", "diff", "bikes/1", "bikes/2")
    assert (code, out) == (0, "")
    assert "do not differ" in err


def test_a_version_is_retired_with_a_replacement_and_not_from_production(two):
    two("models", "promote", "bikes/1")
    assert two("models", "retire", "bikes/2", "--yes")[0] == 2
    code, out, _ = two("models", "retire", "bikes/2", "--replacement", "bikes@champion", "--yes")
    assert code == 0
    assert out.startswith("bikes/2 is retired; bikes/1 takes its place.")
    assert "takes its place" in two("models", "note", "bikes/2")[1]
    assert two("models", "retire", "bikes/1", "--replacement", "bikes/2", "--yes")[0] == 5


def test_production_waits_for_another_person(two, monkeypatch):
    assert two("models", "require", "bikes", "--approvals", "1")[0] == 0
    code, _, err = two("models", "promote", "bikes/2")
    assert code == 6
    assert "mlops models ask bikes/2" in err
    assert two("models", "ask", "bikes/2", "--why", "better")[1] == "bikes/2: open, 0 of 1 agreed.\n"
    assert two("models", "approve", "bikes/2")[0] == 6
    monkeypatch.setenv("MLOPS_ACTOR", "ana")
    assert json.loads(two("models", "requests", "--json")[1])[0]["ref"] == "bikes/2"
    assert two("models", "approve", "bikes/2", "--promote")[1] == "bikes/2 is approved and Production.\n"
    assert "Nothing waits" in two("models", "requests")[2]
    assert two("models", "refuse", "bikes/1", "--why", "no")[0] == 3


def test_the_card_is_printed_or_written(two, tmp_path):
    two("models", "describe", "bikes/1", "Hires of the next hour")
    two("models", "note", "bikes/1", "trained without January")
    out = two("models", "card", "bikes/1")[1]
    assert out.startswith("# bikes/1\n")
    assert "Hires of the next hour" in out
    assert "trained without January" in out
    assert two("models", "card", "bikes/1", "-o", str(tmp_path / "card.md"))[0] == 0
    assert (tmp_path / "card.md").read_text() == out.removesuffix("\n")
    assert two("models", "card", "bikes/1", "-o", str(tmp_path / "none" / "card.md"))[0] == 7


def test_health_is_an_exit_code(two, asked_here):
    code, out, _ = two("models", "health", "bikes/1", "--json")
    assert code == 0
    assert [item["check"] for item in json.loads(out)] == ["package", "environment", "answers", "profile"]


def test_a_wrong_name_gets_the_nearest_and_exit_code_3(two):
    code, _, err = two("models", "show", "bkes")
    assert code == 3
    assert "Did you mean 'bikes'?" in err


def test_a_folder_that_is_no_package_is_refused(mlops, tmp_path):
    code, _, err = mlops("models", "register", "bikes", str(tmp_path))
    assert code == 3
    assert "no model package" in err
    assert mlops("models", "list", "--json")[1] == "[]\n"


def test_a_run_that_logged_a_model_is_registered_with_its_metrics(mlops, workbench, folder):
    run = workbench.experiments.start("bikes")
    writer = RunWriter(workbench.workspace, run.id)
    writer.metrics([("mae", 0, 1.5)])
    RunFiles(workbench.workspace, writer).keep_path(folder, "model")
    writer.close()
    registered = json.loads(mlops("models", "register", "bikes", "--run", run.id[:8], "--json")[1])
    assert (registered["run_id"], registered["metrics"]) == (run.id, {"mae": 1.5})
    code, _, err = mlops("models", "register", "bikes", "--run", run.id, "--artifact", "other")
    assert code == 3
    assert "It has: model." in err


def test_versions_are_found_by_tags_and_metrics(two):
    assert two("models", "tag", "bikes/2", "region=north", "team=city")[0] == 0
    assert "bikes/2" in two("models", "search", "tag.region=north")[1]
    assert two("models", "search", "tag.region=south")[1].strip() == ""
    two("models", "tag", "bikes/2", "--remove", "region")
    assert json.loads(two("models", "search", "tag.team=city", "--json")[1])[0]["tags"] == {"team": "city"}
    assert two("models", "search", "metrics.rmsle<")[0] == 5
    assert [two("models", "tag", "bikes/2", *words)[0] for words in ([], ["north"], ["=north"])] == [2, 2, 2]


def test_an_export_is_written_and_verified(two, tmp_path):
    box = tmp_path / "box"
    done = two("models", "export", "bikes/2", "--format", "container", "--to", str(box), "--json")
    assert json.loads(done[1])["format"] == "container"
    assert two("models", "verify", str(box))[0] == 0
    (box / "more").write_text("")
    changed = two("models", "verify", str(box))
    assert changed[:2] == (1, "more was added\n")
    assert two("models", "export", "bikes/2", "--format", "container", "--to", str(box))[0] == 4


def test_the_graph_is_drawn_both_ways(two):
    seen = two("lineage", "bikes/2")[1]
    assert seen.startswith("Came from\nversion bikes/2")
    assert "Came of it" in seen
    assert "Came from" not in two("lineage", "bikes/2", "--down")[1]
    assert set(json.loads(two("lineage", "bikes/2", "--json")[1])) == {"up", "down"}
    assert two("lineage", "nothing")[0] == 3
