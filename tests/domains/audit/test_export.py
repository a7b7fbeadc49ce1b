from __future__ import annotations

import json
from pathlib import Path

import pytest

from mlops_tui.core.errors import InvalidInput
from mlops_tui.workbench import Workbench


@pytest.fixture
def trail(workbench: Workbench) -> Workbench:
    """Entries with values of every sort, also such whose keys are numbers and whose text has commas, quotes and lines."""
    values = [
        None,
        {10: 1, 2: "x"},
        'a "b", c\nd',
        [1.5, None, True],
        {"ä": {"nested": [1e-9, 12345678901234567890]}},
        "",
        0,
    ]
    with workbench.context.catalog.write() as tx:
        for at, value in enumerate(values):
            kind = "model" if at % 2 else "schedule"
            workbench.audit.note(
                tx, "change", kind, f"n{at}", why='it, "was" so', before=value, after=at, cause={"n": at}
            )
    return workbench


@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_an_exported_trail_is_proved_line_by_line(trail: Workbench, tmp_path: Path, form: str) -> None:
    file = tmp_path / f"trail.{form}"
    done = trail.audit.export(file, form)
    assert (done.entries, done.first, done.last) == (7, 1, 7)
    found = trail.audit.verify_file(file)
    assert (found.ok, found.checked, found.gaps, found.last) == (True, 7, 0, done.hash)


@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_every_edit_of_an_exported_trail_is_seen(trail: Workbench, tmp_path: Path, form: str) -> None:
    file = tmp_path / "trail"
    trail.audit.export(file, form)
    text = file.read_text()
    file.write_text(text.replace("n3", "n9"))
    found = trail.audit.verify_file(file)
    assert (found.ok, found.first_bad) == (False, 4)
    file.write_text(text.replace("12345678901234567890", "12345678901234567891"))
    assert trail.audit.verify_file(file).first_bad == 5
    other = text.splitlines(keepends=True)
    file.write_text("".join([*other[:-2], other[-1], other[-2]]))
    assert "stands behind" in trail.audit.verify_file(file).reason


def test_what_a_filter_leaves_out_is_counted_and_the_rest_is_still_proved(trail: Workbench, tmp_path: Path) -> None:
    file = tmp_path / "models.jsonl"
    assert trail.audit.export(file, kind="model").entries == 3
    found = trail.audit.verify_file(file)
    assert (found.ok, found.checked, found.gaps) == (True, 3, 3)
    assert [json.loads(line)["name"] for line in file.read_text().splitlines()] == ["n1", "n3", "n5"]


def test_a_trail_of_another_workspace_and_a_file_that_is_none_are_told(trail: Workbench, tmp_path: Path, clock) -> None:
    file = tmp_path / "trail.jsonl"
    trail.audit.export(file)
    clock.advance(1)
    with trail.context.catalog.write() as tx:
        tx.execute("DROP TRIGGER audit_no_delete")
        tx.execute("DELETE FROM audit WHERE id = 7")
        trail.audit.note(tx, "change", "model", "other")
    assert "not in this workspace" in trail.audit.verify_file(file).reason
    for text in ('{"id": 1}\n', "a,b\n1,2\n", "[1]\n"):
        file.write_text(text)
        with pytest.raises(InvalidInput, match="no export"):
            trail.audit.verify_file(file)
    with pytest.raises(InvalidInput, match="no form"):
        trail.audit.export(file, "xml")


def test_the_trail_is_found_by_verb_and_time(trail: Workbench, clock) -> None:
    clock.advance(1000)
    with trail.context.catalog.write() as tx:
        trail.audit.note(tx, "pause", "schedule", "late")
    assert [entry.name for entry in trail.audit.list(verb="pause")] == ["late"]
    assert len(trail.audit.list(until=clock.now)) == 7
