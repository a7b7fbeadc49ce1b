from __future__ import annotations

import sqlite3

import pytest

from mlops_tui.core.errors import NotFound
from mlops_tui.workbench import Workbench


def note(workbench: Workbench, verb: str, name: str, **values) -> int:
    with workbench.context.catalog.write() as tx:
        return workbench.audit.note(tx, verb, "model", name, **values)


def test_a_change_is_told_with_who_when_why_before_and_after(workbench: Workbench, clock) -> None:
    number = note(
        workbench,
        "promote",
        "churn",
        why="better",
        before={"stage": "Staging"},
        after={"stage": "Production"},
        cause={"run": "r1"},
    )
    entry = workbench.audit.get(number)
    assert (entry.actor, entry.at, entry.verb, entry.kind, entry.name, entry.why) == (
        "tester",
        clock.now,
        "promote",
        "model",
        "churn",
        "better",
    )
    assert (entry.before, entry.after, entry.cause) == ({"stage": "Staging"}, {"stage": "Production"}, {"run": "r1"})


def test_a_change_taken_back_leaves_no_note(workbench: Workbench) -> None:
    audit = workbench.audit
    with pytest.raises(RuntimeError), workbench.context.catalog.write() as tx:
        audit.note(tx, "promote", "model", "churn")
        raise RuntimeError
    assert audit.list() == []


def test_entries_are_listed_newest_first_and_filtered(workbench: Workbench, clock) -> None:
    note(workbench, "register", "a")
    clock.advance(1000)
    note(workbench, "promote", "b")
    assert [entry.name for entry in workbench.audit.list()] == ["b", "a"]
    assert [entry.verb for entry in workbench.audit.list(name="a")] == ["register"]
    assert [entry.name for entry in workbench.audit.list(since=clock.now)] == ["b"]
    assert [entry.name for entry in workbench.audit.list(before_id=2)] == ["a"]


def test_the_trail_cannot_be_changed_through_sql(workbench: Workbench) -> None:
    note(workbench, "register", "a")
    for statement in ("UPDATE audit SET why = 'x'", "DELETE FROM audit"):
        with pytest.raises(sqlite3.IntegrityError, match="append-only"), workbench.context.catalog.write() as tx:
            tx.execute(statement)


@pytest.mark.parametrize("edit", ["UPDATE audit SET why = 'nicer' WHERE id = 2", "DELETE FROM audit WHERE id = 2"])
def test_verify_finds_an_edit_made_behind_our_back(workbench: Workbench, edit: str) -> None:
    for name in ("a", "b", "c"):
        note(workbench, "register", name)
    assert workbench.audit.verify().ok
    with workbench.context.catalog.write() as tx:
        tx.execute("DROP TRIGGER audit_no_update")
        tx.execute("DROP TRIGGER audit_no_delete")
        tx.execute(edit)
    found = workbench.audit.verify()
    assert not found.ok
    assert found.first_bad in (2, 3)


def test_an_unknown_entry_is_not_found(workbench: Workbench) -> None:
    with pytest.raises(NotFound):
        workbench.audit.get(99)
