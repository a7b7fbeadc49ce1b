"""Queries kept under names."""

from __future__ import annotations

import threading

import pytest

from mlops_tui.core.errors import InvalidInput, NotFound
from mlops_tui.core.views import Views


@pytest.fixture
def views(workspace):
    return Views(workspace)


def test_views_are_kept_by_list(views, workspace):
    assert views.list("runs") == {}
    views.save("runs", "good", 'metrics.auc>=0.9 -"old | one"')
    views.save("jobs", "good", "state:failed")
    views.save("runs", "good", "metrics.auc>=0.95")
    views.save("runs", "a.b", "x")
    again = Views(workspace)
    assert again.list("runs") == {"a.b": "x", "good": "metrics.auc>=0.95"}
    assert again.get("jobs", "good") == "state:failed"
    again.remove("runs", "good")
    assert views.list("runs") == {"a.b": "x"}


def test_a_view_that_is_not_there_is_not_found(views):
    with pytest.raises(NotFound, match="no view 'good' of runs") as error:
        views.get("runs", "good")
    assert "--save-view" in error.value.hint
    views.save("runs", "good", "x")
    with pytest.raises(NotFound) as error:
        views.remove("runs", "goood")
    assert error.value.hint == "Did you mean 'good'?"


def test_a_name_that_cannot_be_one_is_refused_and_nothing_written(views, workspace):
    with pytest.raises(InvalidInput):
        views.save("runs", "../x", "a")
    assert not (workspace.root / "views.toml").exists()


def test_comments_of_a_person_stay(views, workspace):
    path = workspace.root / "views.toml"
    path.write_text('# ours\n[runs]\nnight = "started>1d"  # for Monday\n')
    views.save("runs", "day", "started>2h")
    assert "# ours" in path.read_text()
    assert "# for Monday" in path.read_text()
    assert list(views.list("runs")) == ["day", "night"]


@pytest.mark.parametrize("text", ["[runs", "runs = 3", "[runs]\na = 1", "\x00"])
def test_a_damaged_file_is_reported_and_not_written_over(views, workspace, text):
    path = workspace.root / "views.toml"
    path.write_text(text)
    with pytest.raises(InvalidInput, match=r"views\.toml"):
        views.list("runs")
    with pytest.raises(InvalidInput):
        views.save("runs", "x", "a")
    assert path.read_text() == text


def test_two_writers_lose_nothing(workspace):
    def write(letter):
        for number in range(10):
            Views(workspace).save("runs", f"{letter}{number}", letter)

    threads = [threading.Thread(target=write, args=(letter,)) for letter in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(Views(workspace).list("runs")) == 30
    assert not list(workspace.root.glob(".views*"))
