"""Approval of versions by other people: who has to agree before a version may become the champion."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlops_tui.core.errors import AlreadyExists, InvalidInput, NotAllowed, NotFound
from mlops_tui.domains.registry.governance_store import GovernanceStore
from mlops_tui.domains.registry.records import Decision, Request, RequestState, Version

if TYPE_CHECKING:
    import builtins
    from collections.abc import Iterable

    from mlops_tui.core.context import Context
    from mlops_tui.domains.audit.service import Audit

MOST = 9
APPROVE, REFUSE = "approve", "refuse"


class Approvals:
    """Requests to put a version into production, and what people said to them.

    People are told apart by the actor's name (the user of the machine, or MLOPS_ACTOR): this keeps colleagues honest and
    the record true, it does not keep somebody out who owns the files.
    """

    def __init__(self, context: Context, audit: Audit) -> None:
        self._context = context
        self._audit = audit
        self._store = GovernanceStore(context)

    def needed(self, model: str) -> int:
        """Return how many other people have to approve a version of `model` before production; 0 when none do."""
        return self._store.needed(model)

    def require(self, model: str, approvals: int, why: str = "") -> int:
        """Ask for so many approvals from now on (0 to 9) of a model that exists. Raises InvalidInput."""
        if not 0 <= approvals <= MOST:
            raise InvalidInput(f"{approvals} approvals cannot be asked for.", hint=f"Give 0 to {MOST}.")
        before, after = {"approvals": self.needed(model)}, {"approvals": approvals}
        with self._context.catalog.write() as tx:
            self._store.set_needed(tx, model, approvals)
            self._audit.note(tx, "require", "model", model, why=why, before=before, after=after)
        return approvals

    def list(self, model: str | None = None, *, open_only: bool = False) -> builtins.list[Request]:
        """Return requests of one model or of all, newest first."""
        return self._store.requests(model, open_only=open_only)

    def newest(self, version: Version) -> Request | None:
        """Return the last request for a version, or None."""
        return self._store.newest(version.model, version.version)

    def ask(self, version: Version, why: str = "") -> Request:
        """Open a request for a version; an open one, and one that is approved, is returned as it is."""
        with self._context.catalog.write() as tx:
            found = self.newest(version)
            if found is not None and found.state in {RequestState.OPEN, RequestState.APPROVED}:
                return found
            self._store.add_request(tx, version.model, version.version, why, self._context.actor, self._context.now())
            after = {"approvals": self.needed(version.model)}
            self._audit.note(tx, "ask", "model", version.ref, why=why, after=after)
            return self._present(version)

    def approve(self, version: Version, why: str = "") -> Request:
        """Agree to the open request of a version; with the last approval needed it ends as approved.

        Raises NotFound (nothing was asked), NotAllowed (who asked for or registered it cannot approve it), AlreadyExists (said
        so already).
        """
        with self._context.catalog.write():
            found = self._open(version)
            self._check_other(found, version)
            given = found.approvals + 1
            state = RequestState.APPROVED if given >= max(1, found.needed) else RequestState.OPEN
            return self._decide(found, version, APPROVE, state, why)

    def refuse(self, version: Version, why: str) -> Request:
        """Say no to the open request of a version, which ends it. Raises NotFound, InvalidInput (no reason given)."""
        if not why.strip():
            raise InvalidInput("A refusal needs a reason.", hint="Give it with --why.")
        with self._context.catalog.write():
            return self._decide(self._open(version), version, REFUSE, RequestState.REFUSED, why)

    def withdraw(self, version: Version, why: str = "") -> Request:
        """Take the open request of a version back. Raises NotFound, NotAllowed for anybody but who asked."""
        with self._context.catalog.write():
            found = self._open(version)
            if found.asked_by != self._context.actor:
                raise NotAllowed(f"Only {found.asked_by} can withdraw this request.", hint="Refuse it instead.")
            return self._decide(found, version, "withdraw", RequestState.WITHDRAWN, why)

    def supersede(self, by: Version, earlier: Iterable[Version]) -> builtins.list[Request]:
        """Withdraw the open requests of `earlier` versions that nobody agreed to yet, because `by` takes their place: a pipeline
        that runs every night must not pile up questions that its newest model answers.
        """
        with self._context.catalog.write():
            found = [(one, self.newest(one)) for one in earlier]
            return [
                self._decide(
                    request, one, "withdraw", RequestState.WITHDRAWN, f"{by.ref} of the same pipeline is newer"
                )
                for one, request in found
                if request is not None and request.state is RequestState.OPEN and not request.approvals
            ]

    @staticmethod
    def given(request: Request) -> bool:
        """Whether as many people as are needed now have agreed."""
        return request.state is RequestState.APPROVED and request.approvals >= request.needed

    def check(self, version: Version) -> None:
        """Raise NotAllowed unless the version may go to production: approved, or nobody has to be asked."""
        needed, found = self.needed(version.model), self.newest(version)
        if not needed or (found is not None and self.given(found)):
            return
        people = "another person" if needed == 1 else f"{needed} other people"
        said = f" Its request is {found.state}, {found.approvals} of {needed} agreed." if found else ""
        raise NotAllowed(
            f"{version.ref} goes to production only after {people} approved it.{said}",
            hint=f"Ask: mlops models ask {version.ref}. Another then says: mlops models approve {version.ref}",
        )

    def _open(self, version: Version) -> Request:
        found = self.newest(version)
        if found is None or found.state is not RequestState.OPEN:
            raise NotFound(f"Nobody asks for {version.ref} now.", hint=f"Ask: mlops models ask {version.ref}")
        return found

    def _check_other(self, request: Request, version: Version) -> None:
        actor = self._context.actor
        if actor in {request.asked_by, version.created_by}:
            role = "asked for it" if actor == request.asked_by else "made it"
            raise NotAllowed(
                f"{actor} {role}, so another person has to approve {version.ref}.",
                hint="Another user of this machine, or one who sets MLOPS_ACTOR to their name.",
            )
        if any(decision.by == actor for decision in request.decisions):
            raise AlreadyExists(f"{actor} has approved {version.ref} already.")

    def _decide(self, request: Request, version: Version, verb: str, state: RequestState, why: str) -> Request:
        now = self._context.now()
        decisions = [*request.decisions, Decision(self._context.actor, verb, now, why)]
        with self._context.catalog.write() as tx:
            self._store.decide(tx, request.id, state, decisions, None if state is RequestState.OPEN else now)
            after = {"state": str(state), "approvals": sum(one.verdict == APPROVE for one in decisions)}
            self._audit.note(tx, verb, "model", version.ref, why=why, before={"state": str(request.state)}, after=after)
            return self._present(version)

    def _present(self, version: Version) -> Request:
        found = self.newest(version)
        assert found is not None
        return found
