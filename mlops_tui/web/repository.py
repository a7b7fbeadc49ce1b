"""The model repository extension of the Open Inference Protocol: which deployments there are, one put into service or taken out."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec

from mlops_tui.core.errors import AlreadyExists, NotFound, Unavailable
from mlops_tui.core.ids import did_you_mean
from mlops_tui.domains.serving import protocol
from mlops_tui.domains.serving.access import Right
from mlops_tui.domains.serving.records import State, Wanted, weights_of
from mlops_tui.domains.serving.service import Serving
from mlops_tui.web.asgi import Request, Response, json_response
from mlops_tui.web.doorman import Doorman
from mlops_tui.web.fleet import Fleet
from mlops_tui.web.ledger import Ledger

_BODY_BYTES = 1_000_000  # loads may come with parameters, which are read and not used
_LOOK = 0.05
_STATES = {State.READY: "READY", State.DEGRADED: "READY", State.STARTING: "LOADING"}


class _Asked(msgspec.Struct):
    ready: bool = False
    parameters: dict[str, Any] | None = None


_decoder = msgspec.json.Decoder(_Asked)


class Repository:
    """Answers below /v2/repository."""

    def __init__(self, fleet: Fleet, doorman: Doorman, ledger: Ledger, timeout_s: float) -> None:
        self._fleet = fleet
        self._doorman = doorman
        self._ledger = ledger
        self._timeout_s = timeout_s

    async def index(self, request: Request) -> Response:
        """All versions of the deployments that this caller may see; with {"ready": true} those that answer."""
        self._doorman.admit(request.caller, None)
        asked = await self._asked(request)
        found = [item for item in self._listed(request) if not asked.ready or item["state"] == "READY"]
        return json_response(found)

    async def change(self, request: Request, name: str, verb: str) -> Response:
        """Put a deployment into service, and wait until it is, or take it out. Raises NotFound, Unavailable."""
        self._doorman.admit(request.caller, Right.ADMIN, name)
        await self._asked(request)
        if name not in self._fleet.deployments:
            hint = did_you_mean(name, self._fleet.deployments, "List them: mlops deployments list")
            raise NotFound(f"There is no deployment {name[:80]!r}.", hint=hint)
        why = f"asked over HTTP{f' by the token {request.caller.name}' if request.caller else ''}"
        if verb == "unload":
            try:
                await self._ledger.call(Serving.stop, name, why)
            except AlreadyExists:
                pass
        elif self._state(name) is not State.READY:
            await self._ledger.call(Serving.start, name, why)
        await self._until(name, State.STOPPED if verb == "unload" else State.READY)
        return json_response({})

    async def _until(self, name: str, wanted: State) -> None:
        """Return when the fleet has carried it out; the gateway looks at what is wanted several times a second."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._timeout_s
        while (state := self._state(name)) is not wanted:
            if state is None or loop.time() > deadline:
                raise Unavailable(f"{name} is not {wanted} yet: {state}.", hint=f"See: mlops deployments show {name}")
            await asyncio.sleep(_LOOK)

    def _state(self, name: str) -> State | None:
        return next((route.state for route in self._fleet.routes() if route.deployment == name), None)

    def _listed(self, request: Request) -> list[dict[str, str]]:
        workers = {(worker.model, worker.version): worker for worker in self._fleet.workers()}
        found = []
        for name, item in self._fleet.deployments.items():
            if request.caller is not None and not request.caller.sees(name):
                continue
            for version in weights_of(item):
                worker = workers.get((item.model, version))
                stopped = item.wanted is Wanted.STOPPED or worker is None
                state = "UNAVAILABLE" if stopped or worker is None else _STATES.get(worker.state, "UNAVAILABLE")
                reason = "stopped" if item.wanted is Wanted.STOPPED else worker.detail if worker else ""
                found.append({"name": name, "version": str(version), "state": state, "reason": reason})
        return found

    async def _asked(self, request: Request) -> _Asked:
        body = await request.body(_BODY_BYTES, self._timeout_s)
        asked: _Asked = protocol.decode(_decoder, body) if body.strip() else _Asked()
        return asked
