"""Notes, the model card and the health of a version."""

from __future__ import annotations

import pytest

from mlops_tui.core.errors import InvalidInput, NotFound
from mlops_tui.domains.registry import package


@pytest.fixture
def two(registry, make_package):
    registry.register("bikes", make_package(1.0, "one"), snapshots=["hours@1", "gone@4"], metrics={"mae": 2.0})
    registry.register("bikes", make_package(2.0, "two"), metrics={"mae": 1.5, "r2": 0.8})
    registry.promote("bikes/1", why="the first")
    return registry


def test_notes_are_of_a_model_or_of_one_version(two):
    two.note("bikes", "asked for by the depot")
    two.note("bikes/1", " no snow in it ")
    assert [note.text for note in two.notes("bikes")] == ["asked for by the depot"]
    assert [note.text for note in two.notes("bikes@champion")] == ["asked for by the depot", "no snow in it"]
    with pytest.raises(InvalidInput):
        two.note("bikes", "  ")
    with pytest.raises(NotFound):
        two.note("bkes", "x")


def test_the_card_compares_with_the_champion(two):
    card = two.card("bikes/2")
    assert "| mae | 1.5 | 2 | -0.5 |" in card
    assert "| r2 | 0.8 |  |  |" in card
    assert "Champion" not in two.card("bikes/1")


def test_the_card_says_what_is_missing(two):
    card = two.card("bikes/2")
    assert "Not described." in card
    assert "Where it came from was not recorded." in card
    assert "Nobody has to approve it." in card
    assert "| snapshot | `gone@4` | removed since |" in two.card("bikes/1")


def test_the_card_tells_inputs_as_they_were_in_training(registry, make_package, workbench):
    registry.register("bikes", make_package())
    card = registry.card("bikes/1")
    profile = registry.profile("bikes/1")
    assert "| `temp` | float64 |" in card
    assert ("1 to 4" in card) == (profile is not None)


def test_text_of_people_cannot_break_the_table(two):
    two.promote("bikes/2", why="a | b\nc")
    assert "| a \\| b c |" in two.card("bikes/2")


def test_a_whole_version_is_healthy(two, asked_here):
    found = {item.check: item for item in two.health("bikes/1")}
    assert found["package"].ok
    assert found["answers"].ok, found["answers"].detail


def test_a_damaged_package_is_named(two, workbench):
    sha = workbench.context.artifacts.manifest(two.version("bikes/1").sha)[package.MODEL]
    path = workbench.context.artifacts.path(sha)
    path.chmod(0o644)
    path.write_bytes(b"something else")
    (found,) = two.health("bikes/1")
    assert (found.check, found.ok) == ("package", False)


def test_a_version_that_cannot_answer_is_named(registry, make_package, asked_here):
    folder = make_package()
    (folder / package.MODEL).write_bytes(b"no model")
    registry.register("bikes", folder)
    found = {item.check: item for item in registry.health("bikes/1")}
    assert not found["answers"].ok
    assert "cannot be loaded" in found["answers"].detail
