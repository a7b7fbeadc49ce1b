"""Raise, acknowledge, silence and resolve alerts; every move is audited in the transaction that makes it."""

from __future__ import annotations

import builtins
from functools import cached_property
from typing import TYPE_CHECKING, Any

from mlops_tui.core.clock import iso
from mlops_tui.core.errors import InvalidInput, NotAllowed, NotFound
from mlops_tui.core.query import read
from mlops_tui.domains.alerts import searching
from mlops_tui.domains.alerts.records import Alert, AlertState, Severity
from mlops_tui.domains.alerts.store import AlertsStore

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable

    from mlops_tui.core.context import Context
    from mlops_tui.domains.alerts.ruling import Rules
    from mlops_tui.domains.alerts.telling import Telling
    from mlops_tui.domains.audit.service import Audit


class Alerts:
    """The room of conditions that somebody should look at."""

    def __init__(self, context: Context, audit: Audit) -> None:
        self._context = context
        self._audit = audit
        self._store = AlertsStore(context)

    @cached_property
    def telling(self) -> Telling:
        """Who is told of them."""
        from mlops_tui.domains.alerts.telling import Telling

        return Telling(self._context, self._audit, self._store, self)

    @cached_property
    def rules(self) -> Rules:
        """Rules of the user's own over series."""
        from mlops_tui.domains.alerts.ruling import Rules

        return Rules(self._context, self._audit, self)

    def raise_alert(
        self,
        rule: str,
        subject: str,
        *,
        severity: str = Severity.WARNING,
        title: str,
        detail: str = "",
        facts: dict[str, Any] | None = None,
    ) -> Alert:
        """Open an alert, or count once more the unresolved one of the same rule and subject, in one write.

        A repetition brings the newest words, numbers and severity but leaves an acknowledgement or silence alone, unless
        the severity rose: then what was acknowledged is open again. Raises InvalidInput for an unknown severity.
        """
        level = _severity(severity)
        if not rule or not subject or not title:
            raise InvalidInput("An alert needs a rule, a subject and a title.")
        words = {"severity": level, "title": title, "detail": detail, "facts": facts or {}}
        with self._context.catalog.write() as tx:
            now = self._context.now()
            known = self._store.unresolved(rule, subject, now)
            if known is None:
                return self._open(tx, rule, subject, words, now)
            changes: dict[str, Any] = {**words, "count": known.count + 1, "last_at": now}
            if known.state is AlertState.ACKNOWLEDGED and _rank(level) > _rank(known.severity):
                changes |= {"state": AlertState.OPEN, "acknowledged_by": None, "acknowledged_at": None}
                self._note(tx, "reopen", known, why=f"severity rose to {level}")
            self._store.update(tx, known.id, **changes)
            return self.get(known.id)

    def acknowledge(self, alert_id: int, why: str = "") -> Alert:
        """Say that somebody is looking at it. Raises NotFound, NotAllowed when it is resolved."""
        return self._move(
            alert_id,
            "acknowledge",
            why,
            state=AlertState.ACKNOWLEDGED,
            acknowledged_by=self._context.actor,
            acknowledged_at=self._context.now(),
            silenced_until=None,
        )

    def silence(self, alert_id: int, until_ms: int, why: str = "") -> Alert:
        """Keep it quiet until then; if it is not resolved by that time it is open again.

        Raises NotFound, NotAllowed when it is resolved, InvalidInput for a time that has passed.
        """
        if until_ms <= self._context.now():
            raise InvalidInput(
                f"The silence would have ended at {iso(until_ms)}, which has passed.",
                hint="Give a length such as --for 4h, or a time to come.",
            )
        return self._move(alert_id, "silence", why, state=AlertState.SILENCED, silenced_until=until_ms)

    def reopen(self, alert_id: int, why: str = "") -> Alert:
        """Take an acknowledgement or a silence back. Raises NotFound, NotAllowed when it is resolved."""
        return self._move(
            alert_id,
            "reopen",
            why,
            state=AlertState.OPEN,
            acknowledged_by=None,
            acknowledged_at=None,
            silenced_until=None,
        )

    def resolve(self, alert_id: int, why: str = "") -> Alert:
        """End it; the next time its rule fires a new alert begins. Raises NotFound, NotAllowed when it is resolved."""
        return self._move(alert_id, "resolve", why, **self._resolved())

    def resolve_by(self, rule: str, subject: str, why: str = "back to normal") -> Alert | None:
        """End the unresolved alert of this rule and subject; None when there is none (asking costs one read)."""
        known = self._store.unresolved(rule, subject, self._context.now())
        return self._move(known.id, "resolve", why, **self._resolved()) if known else None

    def each(self, numbers: Iterable[int], move: Callable[[int], Alert]) -> builtins.list[Alert]:
        """Move several alerts, all or none: in one write, however many they are."""
        with self._context.catalog.write():
            return [move(one) for one in numbers]

    def get(self, alert_id: int) -> Alert:
        """The alert of that number. Raises NotFound."""
        found = self._store.get(alert_id, self._context.now())
        if found is None:
            raise NotFound(f"There is no alert {alert_id}.", hint="See them all: mlops alerts list --all")
        return found

    def list(
        self,
        state: str | None = None,
        limit: int = 100,
        *,
        subject: str | None = None,
        rule: str | None = None,
        query: str = "",
    ) -> list[Alert]:
        """Alerts, newest first; `query` is in the query language.

        Raises InvalidInput for a state that does not exist and for a query that cannot be read.
        """
        if state is not None and state not in set(AlertState):
            raise InvalidInput(f"'{state}' is not a state of an alert.", hint=f"One of: {', '.join(AlertState)}.")
        now = self._context.now()
        wanted = read(query, searching.ALERTS, now)
        found = self._store.find(now, state=state, subject=subject, rule=rule, limit=limit if wanted.empty else -1)
        return wanted.select(found)[:limit]

    def counts(self) -> dict[str, int]:
        """How many alerts are in each state; every state is a key."""
        found = self._store.counts(self._context.now())
        return {str(state): found.get(state, 0) for state in AlertState}

    def open_count(self) -> int:
        """How many wait for somebody."""
        return self.counts()[AlertState.OPEN]

    def _open(self, tx: sqlite3.Connection, rule: str, subject: str, words: dict[str, Any], now: int) -> Alert:
        row = {"rule": rule, "subject": subject, "state": AlertState.OPEN, "count": 1, "first_at": now, "last_at": now}
        alert = self.get(self._store.add(tx, {**row, **words}))
        self._note(tx, "raise", alert, why=alert.title)
        return alert

    def _move(self, alert_id: int, verb: str, why: str, **changes: Any) -> Alert:
        with self._context.catalog.write() as tx:
            before = self.get(alert_id)
            if not before.active:
                raise NotAllowed(f"Alert {alert_id} is resolved already.", hint="A new one opens if it happens again.")
            self._store.update(tx, alert_id, **changes, why=why)
            self._note(tx, verb, before, why=why, after=changes)
            return self.get(alert_id)

    def _resolved(self) -> dict[str, Any]:
        return {
            "state": AlertState.RESOLVED,
            "resolved_by": self._context.actor,
            "resolved_at": self._context.now(),
        }

    def _note(
        self, tx: sqlite3.Connection, verb: str, alert: Alert, *, why: str, after: dict[str, Any] | None = None
    ) -> None:
        about = {"alert": alert.id, "rule": alert.rule, "state": str(alert.state)}
        changed = {"severity": str(alert.severity)} if after is None else {k: v for k, v in after.items() if v}
        self._audit.note(tx, verb, "alert", alert.subject, why=why, before=about, after=changed)


def _severity(text: str) -> Severity:
    try:
        return Severity(text)
    except ValueError:
        raise InvalidInput(f"'{text}' is not a severity.", hint=f"One of: {', '.join(Severity)}.") from None


def _rank(severity: Severity) -> int:
    return list(Severity).index(severity)
