"""Who may come in: Host and Origin, tokens with their rights and rates, and a count of what each token asked."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterable

from mlops_tui.core.clock import HOUR, now_ms
from mlops_tui.core.errors import NotAllowed
from mlops_tui.core.settings import Serving as ServingSettings
from mlops_tui.domains.serving.access import Right, Token, Usage, hash_of
from mlops_tui.web.asgi import Refusal, Request, check_host

_ASK = {"www-authenticate": 'Bearer realm="mlops"'}


@dataclasses.dataclass(slots=True)
class _Bucket:
    """Tokens of a token bucket: fills at its rate up to one second's worth (at least one)."""

    rate: float
    left: float
    at: float

    def take(self, now: float) -> float:
        """Take one; 0, or the seconds until there is one."""
        self.left = min(max(1.0, self.rate), self.left + (now - self.at) * self.rate)
        self.at = now
        if self.left >= 1.0:
            self.left -= 1.0
            return 0.0
        return (1.0 - self.left) / self.rate


@dataclasses.dataclass(slots=True)
class _Used:
    requests: int = 0
    rows: int = 0
    errors: int = 0
    limited: int = 0
    last_at: int = 0


class Doorman:
    """Checks requests against the newest settings and tokens it was given."""

    def __init__(
        self,
        settings: ServingSettings,
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], int] = now_ms,
    ) -> None:
        self._settings = settings
        self._clock = clock  # a jump of the wall clock fills no bucket
        self._now = now
        self._tokens: dict[str, Token] = {}
        self._buckets: dict[str, _Bucket] = {}
        self._usage: dict[tuple[str, str, int], _Used] = {}
        self.edition = (
            0  # moves when settings or tokens change: what was found out about a caller before counts no more
        )

    def configure(self, settings: ServingSettings) -> None:
        """Take new settings."""
        self._settings = settings
        self.edition += 1

    def know(self, tokens: Iterable[Token]) -> None:
        """Take the tokens as they are now."""
        self._tokens = {token.hash: token for token in tokens}
        self.edition += 1
        rates = {token.name: token.rate for token in self._tokens.values()}
        self._buckets = {name: one for name, one in self._buckets.items() if rates.get(name) == one.rate}

    def greet(self, request: Request) -> Token | None:
        """Return whose request this is, None for nobody's. Raises Refusal 400, 401, 403 or 421."""
        for name in ("host", "authorization"):
            if name in request.repeated:
                raise Refusal(400, f"The header {name.title()} is there twice.")
        check_host(request, (self._settings.host, *self._settings.hosts))
        kind, _, secret = request.headers.get("authorization", "").partition(" ")
        if kind.lower() != "bearer":
            return None
        token = self._tokens.get(hash_of(secret.strip()))
        state = token.state(self._now()) if token is not None else "not known here"
        if token is None or state != "active":
            raise Refusal(
                401,
                f"The token is {state}.",
                {"www-authenticate": _ASK["www-authenticate"] + ', error="invalid_token"'},
            )
        return token

    def over(self, token: Token) -> bool:
        """Whether a token that was good once is good no more."""
        return token.state(self._now()) != "active"

    def admit(self, caller: Token | None, right: Right | None, deployment: str | None = None) -> None:
        """Let a caller through who has a right (None: any right) at a deployment, at their rate.

        Raises Refusal 401 (a token is needed) or 429 (too many requests), NotAllowed (this token may not).
        """
        if caller is None:
            if self._settings.require_token:
                raise Refusal(401, "A token is needed: send the header Authorization: Bearer TOKEN.", _ASK)
            return
        if right is not None and not caller.may(right, deployment):
            where = f" at {deployment[:80]}" if deployment is not None else ""
            raise NotAllowed(f"The token {caller.name} may not {_WORDS[right]}{where}.", hint="Ask for another token.")
        if right is None and deployment is not None and not caller.sees(deployment):
            raise NotAllowed(f"The token {caller.name} is for other deployments.", hint="Ask for another token.")
        wait = self._wait(caller)
        if wait:
            self.note(caller, deployment or "", limited=1)
            after = {"retry-after": str(max(1, round(wait + 0.5)))}
            raise Refusal(429, f"The token {caller.name} is good for {caller.rate:g} requests a second.", after)

    def note(
        self, caller: Token | None, deployment: str, *, rows: int = 0, status: int = 200, limited: int = 0
    ) -> None:
        """Count one request of a token."""
        if caller is None:
            return
        at = self._now()
        key = (caller.name, deployment, at // HOUR * HOUR)
        used = self._usage.get(key)
        if used is None:
            used = self._usage[key] = _Used()
        used.requests += 1
        used.rows += rows
        used.errors += status >= 400
        used.limited += limited
        used.last_at = at

    def take(self) -> list[Usage]:
        """Return what was counted since the last call."""
        counted, self._usage = self._usage, {}
        return [
            Usage(*key, used.requests, used.rows, used.errors, used.limited, used.last_at)
            for key, used in counted.items()
        ]

    def _wait(self, caller: Token) -> float:
        if caller.rate is None:
            return 0.0
        now = self._clock()
        bucket = self._buckets.get(caller.name)
        if bucket is None:
            bucket = self._buckets[caller.name] = _Bucket(caller.rate, max(1.0, caller.rate), now)
        return bucket.take(now)


_WORDS = {Right.INFER: "ask for predictions", Right.FEEDBACK: "report labels", Right.ADMIN: "administer"}
