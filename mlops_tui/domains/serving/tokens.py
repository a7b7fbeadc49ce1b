"""Tokens of the gateway: made and revoked by people, looked up by the gateway, counted by what they ask."""

from __future__ import annotations

import builtins
import math
from collections.abc import Iterable, Sequence

from mlops_tui.core.clock import HOUR
from mlops_tui.core.context import Context
from mlops_tui.core.errors import AlreadyExists, InvalidInput, NotFound
from mlops_tui.core.ids import check_name, did_you_mean
from mlops_tui.domains.audit.service import Audit
from mlops_tui.domains.serving.access import Token, Usage, check_rights, hash_of, new_secret
from mlops_tui.domains.serving.access_store import AccessStore
from mlops_tui.domains.serving.store import ServingStore


class Tokens:
    """The tokens of one workspace."""

    def __init__(self, context: Context, audit: Audit) -> None:
        self._context = context
        self._audit = audit
        self._store = AccessStore(context)

    def create(
        self,
        name: str,
        *,
        rights: Sequence[str] = ("infer",),
        deployments: Sequence[str] = (),
        expires_at: int | None = None,
        rate: float | None = None,
        why: str = "",
    ) -> tuple[Token, str]:
        """Make a token; the record and its secret, which is told this one time and kept nowhere.

        Raises AlreadyExists (names are never used again), NotFound (no such deployment), InvalidInput (rights, rate, a time
        that has passed).
        """
        check_name("token", name)
        allowed = check_rights(rights)
        now = self._context.now()
        if expires_at is not None and expires_at <= now:
            raise InvalidInput(
                "The token would have expired already.", hint="Say for how long it is good: --expires 90d"
            )
        if rate is not None and not (math.isfinite(rate) and rate > 0):
            raise InvalidInput(f"{rate} requests a second is no rate.", hint="Use a number above 0.")
        known = [item.name for item in ServingStore(self._context).find()]
        for one in deployments:
            if one not in known:
                raise NotFound(
                    f"There is no deployment {one!r}.", hint=did_you_mean(one, known, "mlops deployments list")
                )
        secret = new_secret()
        mine = tuple(dict.fromkeys(deployments))
        token = Token(name, hash_of(secret), allowed, mine, rate, now, self._context.actor, expires_at)
        with self._context.catalog.write() as tx:
            if self._store.find(name) is not None:
                raise AlreadyExists(f"There is a token {name!r} already.", hint="Take another name; revoked ones stay.")
            self._store.add(tx, token)
            facts = {"rights": list(allowed), "deployments": list(mine), "rate": rate, "expires_at": expires_at}
            self._audit.note(tx, "create", "token", name, why=why, after=facts)
        return token, secret

    def list(self) -> builtins.list[Token]:
        """All tokens by name, those that are over too."""
        return self._store.list()

    def get(self, name: str) -> Token:
        """One token. Raises NotFound."""
        found = self._store.find(name)
        if found is None:
            names = [token.name for token in self._store.list()]
            raise NotFound(
                f"There is no token {name!r}.", hint=did_you_mean(name, names, "See them: mlops tokens list")
            )
        return found

    def revoke(self, name: str, why: str = "") -> Token:
        """Make a token worth nothing, within a second in a running gateway. Raises NotFound, AlreadyExists (it is)."""
        with self._context.catalog.write() as tx:
            if self.get(name).revoked_at is not None:
                raise AlreadyExists(f"The token {name} is revoked already.", hint="See them: mlops tokens list")
            self._store.revoke(tx, name, self._context.now())
            self._audit.note(tx, "revoke", "token", name, why=why)
        return self.get(name)

    def record_usage(self, counted: Iterable[Usage]) -> None:
        """Add to the counts of use."""
        self._store.add_usage(counted)

    def usage(self, since: int, name: str | None = None) -> builtins.list[Usage]:
        """What tokens asked since a time (ms, by whole hours), by token and deployment. Raises NotFound."""
        if name is not None:
            self.get(name)
        return self._store.usage(since // HOUR * HOUR, name)
