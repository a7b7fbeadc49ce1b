"""Writing the audit trail inside other rooms' changes, reading it, and proving that nobody edited it."""

from __future__ import annotations

import dataclasses
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_tui.core.context import Context
from mlops_tui.core.errors import InvalidInput, NotFound
from mlops_tui.core.lake import disk_error
from mlops_tui.domains.audit.records import Entry, Row, Verification
from mlops_tui.domains.audit.store import AuditStore

if TYPE_CHECKING:
    from mlops_tui.domains.audit.export import Exported


class Audit:
    """The trail of one workspace."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._store = AuditStore(context)

    def note(
        self,
        tx: sqlite3.Connection,
        verb: str,
        kind: str,
        name: str,
        *,
        why: str = "",
        before: Any = None,
        after: Any = None,
        cause: Any = None,
    ) -> int:
        """Record a change inside the `write()` that makes it, so that both land or neither; the entry's id.

        `before`, `after` and `cause` are JSON-ready values; times inside them in ms.
        """
        return self._store.add(
            tx,
            at=self._context.now(),
            actor=self._context.actor,
            verb=verb,
            kind=kind,
            name=name,
            why=why,
            before=before,
            after=after,
            cause=cause,
        )

    def list(
        self,
        limit: int = 100,
        kind: str | None = None,
        name: str | None = None,
        actor: str | None = None,
        since: int | None = None,
        before_id: int | None = None,
        *,
        verb: str | None = None,
        until: int | None = None,
    ) -> list[Entry]:
        """Entries, newest first. `since` and `until` in ms; `before_id` pages on."""
        return self._store.find(
            limit=limit, kind=kind, name=name, actor=actor, verb=verb, since=since, until=until, before_id=before_id
        )

    def export(
        self,
        target: Path,
        form: str = "jsonl",
        *,
        kind: str | None = None,
        name: str | None = None,
        actor: str | None = None,
        verb: str | None = None,
        since: int | None = None,
        until: int | None = None,
    ) -> Exported:
        """Write entries to a file, oldest first, as JSON lines or CSV with their hashes; whole or not at all.

        `verify_file` proves it without the workspace. Raises InvalidInput for another form, Unavailable when the disk refuses.
        """
        from mlops_tui.domains.audit import export  # csv and what it brings: every list command would pay for it

        if form not in export.FORMATS:
            raise InvalidInput(f"'{form}' is no form of an export.", hint=f"One of: {', '.join(export.FORMATS)}.")
        filters: dict[str, Any] = {
            "kind": kind,
            "name": name,
            "actor": actor,
            "verb": verb,
            "since": since,
            "until": until,
        }
        staged = target.with_name(f"{target.name}.part")
        count, first, last = 0, None, None
        try:
            with staged.open("w", encoding="utf-8", newline="") as file:

                def counted() -> Iterator[Row]:
                    nonlocal count, first, last
                    for row in self._store.rows(**filters):
                        count, first, last = count + 1, first or row, row
                        yield row

                for line in export.lines(counted(), form):
                    file.write(f"{line}\n")
            staged.replace(target)
        except OSError as error:
            raise disk_error(error, target) from error
        finally:
            staged.unlink(missing_ok=True)
        return export.Exported(
            str(target), count, first.id if first else None, last.id if last else None, last.hash if last else ""
        )

    def verify_file(self, path: Path) -> Verification:
        """Prove an exported file by itself, and that its last entry is this workspace's, where that is here.

        Raises InvalidInput for a file that is no export.
        """
        from mlops_tui.domains.audit import export

        found = export.verify(path)
        if found.ok and found.last and not self._store.has_hash(found.last):
            return dataclasses.replace(found, ok=False, reason="its last entry is not in this workspace's trail")
        return found

    def get(self, entry_id: int) -> Entry:
        """One entry; NotFound when there is none of that id."""
        entry = self._store.get(entry_id)
        if entry is None:
            raise NotFound(f"There is no audit entry {entry_id}.", hint="List them: mlops audit list")
        return entry

    def verify(self) -> Verification:
        """Recompute every hash in order.

        Shows any edit made by a careless hand or another program; a person who may write the file could rebuild the whole chain.
        """
        previous, previous_id, checked = "", 0, 0
        for entry, computed in self._store.chain():
            if entry.hash != computed:
                return Verification(False, checked, entry.id, f"entry {entry.id} was altered")
            if entry.previous_hash != previous or entry.id != previous_id + 1:
                return Verification(
                    False, checked, entry.id, f"something before entry {entry.id} was removed or inserted"
                )
            previous, previous_id, checked = entry.hash, entry.id, checked + 1
        return Verification(True, checked, None)
