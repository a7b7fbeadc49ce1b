"""Writing the audit trail inside other rooms' changes, reading it, and proving that nobody edited it."""

from __future__ import annotations

import sqlite3
from typing import Any

from mlops_tui.core.context import Context
from mlops_tui.core.errors import NotFound
from mlops_tui.domains.audit.records import Entry, Verification
from mlops_tui.domains.audit.store import AuditStore


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
    ) -> list[Entry]:
        """Entries, newest first. `since` in ms; `before_id` pages on."""
        return self._store.find(limit=limit, kind=kind, name=name, actor=actor, since=since, before_id=before_id)

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
