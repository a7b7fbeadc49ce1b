from __future__ import annotations

import os
from types import SimpleNamespace

import pytest

from mlops_tui.domains.pipelines import cache, facts


@pytest.fixture
def work(workspace, tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    return SimpleNamespace(folder=folder, context=SimpleNamespace(workspace=workspace))


def kept(work):
    return sorted(path.name for path in cache.folder(work.context.workspace).glob("[!.]*"))


def test_files_and_folders_of_a_step_come_back_with_its_result(work):
    (work.folder / "model.joblib").write_bytes(b"model")
    (work.folder / "package").mkdir()
    (work.folder / "package" / "part").write_text("part")
    cache.save(work, "k1", ("model.joblib", "package", "never made"), {"detail": "done"})
    (work.folder / "model.joblib").unlink()
    (work.folder / "package" / "part").unlink()
    assert cache.restore(work, "k1") == {"detail": "done"}
    assert (work.folder / "model.joblib").read_bytes() == b"model"
    assert (work.folder / "package" / "part").read_text() == "part"
    assert cache.restore(work, "k2") is None


def test_the_first_result_of_a_key_stays(work):
    for text in ("first", "second"):
        cache.save(work, "k1", (), {"detail": text})
    assert cache.restore(work, "k1") == {"detail": "first"}
    assert [path.name for path in cache.folder(work.context.workspace).iterdir()] == ["k1"]


def test_a_damaged_entry_is_no_entry(work):
    cache.save(work, "k1", (), {"detail": "done"})
    (cache.folder(work.context.workspace) / "k1" / cache.RESULT).write_text("{")
    assert cache.restore(work, "k1") is None


def test_a_disk_that_refuses_costs_the_cache_and_not_the_run(work):
    cache.folder(work.context.workspace).write_text("a file where the folder should be")
    cache.save(work, "k1", (), {"detail": "done"})
    assert cache.restore(work, "k1") is None


def test_the_longest_unused_go_first_and_what_is_too_old_goes_anyway(work):
    place = cache.folder(work.context.workspace)
    for age, name in enumerate(("new", "middle", "old")):
        (work.folder / "data").write_bytes(bytes(1000))
        cache.save(work, name, ("data",), {})
        (work.folder / "data").unlink()
        used = (place / name / cache.RESULT).stat().st_mtime - age * 1000
        os.utime(place / name / cache.RESULT, (used, used))
    assert cache.prune(work.context.workspace) == 0
    assert cache.prune(work.context.workspace, max_bytes=2500) == 1
    assert kept(work) == ["middle", "new"]
    assert cache.prune(work.context.workspace, max_age_s=500) == 1
    assert kept(work) == ["new"]


def made_of(**changes):
    same = {"metrics": {"rmse": 1.5}, "answers": "a" * 64, "definition": "d" * 64, "libraries": {"numpy": "2.3.0"}}
    return {**same, **changes}


def test_equal_results_differ_in_nothing_whatever_they_were_made_of():
    assert facts.differences(made_of(), made_of()) == []
    assert facts.differences(made_of(), made_of(libraries={"numpy": "2.4.0"})) == []


def test_what_differs_is_said_with_what_may_be_why():
    after = made_of(metrics={"rmse": 1.5000000000000002}, libraries={"numpy": "2.4.0"})
    assert facts.differences(made_of(), after) == [
        "rmse 1.5 -> 1.5000000000000002",
        "the libraries changed: numpy 2.3.0 -> 2.4.0",
    ]
    assert facts.differences(made_of(), made_of(answers="b" * 64)) == [
        "answers to single rows differ, the metrics do not"
    ]
