"""Starts workers: a zygote process that forks them, and the unix socket where they report for work."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import shutil
import sys
from pathlib import Path
from typing import Any

from mlops_tui.core.workspace import Workspace
from mlops_tui.domains.serving.worker import THREAD_LIMITS
from mlops_tui.web.link import Link, WorkerLost

# Importing scikit-learn takes 4 s of CPU, and a busy machine may take ten times that.
START_SECONDS = 120.0


class Nursery:
    """One zygote per gateway, started when the first worker is wanted and again should it die."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._path = workspace.socket_path(f"gateway-{os.getpid()}")
        self._server: asyncio.Server | None = None
        self._zygote: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._starting = asyncio.Lock()
        self._expected: dict[str, asyncio.Future[Link]] = {}
        self._keys: dict[int, str] = {}
        self._ended: dict[int, int] = {}

    async def open(self) -> None:
        """Listen for workers."""
        for debris in self._workspace.tmp.glob("worker-*"):  # packages that killed workers had checked out
            shutil.rmtree(debris, ignore_errors=True)
        self._path.unlink(missing_ok=True)
        loop = asyncio.get_running_loop()
        self._server = await loop.create_unix_server(lambda: Link(self._claim), str(self._path))
        self._path.chmod(0o600)

    async def close(self) -> None:
        """Stop the zygote and the socket; workers end as their sockets close."""
        if self._server is not None:
            self._server.close()
        if self._zygote is not None and self._zygote.stdin is not None:
            self._zygote.stdin.close()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._zygote.wait(), 2.0)
            if self._zygote.returncode is None:
                self._zygote.kill()
                await self._zygote.wait()
        if self._reader is not None:
            await self._reader
        self._path.unlink(missing_ok=True)

    async def bear(self, package: str, seconds: float, engine: str = "", check: dict[str, Any] | None = None) -> Link:
        """Fork a worker for a package, perhaps with an order to check it first (`staging.Order`); the link once it has said
        hello. Raises WorkerLost or TimeoutError.
        """
        zygote = await self._ready_zygote()
        key = secrets.token_hex(8)
        loop = asyncio.get_running_loop()
        link: asyncio.Future[Link] = loop.create_future()
        self._expected[key] = link
        try:
            assert zygote.stdin is not None
            order = {"fork": key, "package": package, "engine": engine, "check": check}
            zygote.stdin.write(json.dumps(order).encode() + b"\n")
            async with asyncio.timeout(seconds):
                return await link
        except ConnectionError as error:
            raise WorkerLost from error
        finally:
            self._expected.pop(key, None)

    async def farewell(self, pid: int, seconds: float = 0.3) -> int | None:
        """Return how a worker ended (exit code, or minus the signal), None when that is not known in time."""
        for _ in range(round(seconds / 0.02)):
            if pid in self._ended:
                return self._ended.pop(pid)
            await asyncio.sleep(0.02)
        return None

    def _claim(self, link: Link) -> bool:
        future = self._expected.pop(link.key, None)
        if future is None or future.done():
            return False
        future.set_result(link)
        return True

    async def _ready_zygote(self) -> asyncio.subprocess.Process:
        async with self._starting:
            if self._zygote is None or self._zygote.returncode is not None:
                async with asyncio.timeout(START_SECONDS):
                    self._zygote = await self._start()
            return self._zygote

    async def _start(self) -> asyncio.subprocess.Process:
        command = [
            sys.executable,
            "-m",
            "mlops_tui.domains.serving.zygote",
            "--workspace",
            str(self._workspace.root),
            "--socket",
            str(self._path),
        ]
        pipe = asyncio.subprocess.PIPE
        environment = {**os.environ, **THREAD_LIMITS, "PYTHONPATH": _import_path()}
        zygote = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, env=environment)
        assert zygote.stdout is not None
        try:
            if not await zygote.stdout.readline():  # {"ready": true}
                raise WorkerLost
        except BaseException:
            if zygote.returncode is None:
                zygote.kill()
            raise
        self._reader = asyncio.create_task(self._listen(zygote))
        return zygote

    async def _listen(self, zygote: asyncio.subprocess.Process) -> None:
        assert zygote.stdout is not None
        while line := await zygote.stdout.readline():
            event = json.loads(line)
            if "forked" in event:
                self._keys[event["pid"]] = event["forked"]
            elif "exited" in event:
                self._note_end(event["exited"], event["status"])
        await zygote.wait()
        for future in self._expected.values():
            if not future.done():
                future.set_exception(WorkerLost())

    def _note_end(self, pid: int, status: int) -> None:
        self._ended[pid] = status
        while len(self._ended) > 100:
            del self._ended[next(iter(self._ended))]
        early = self._expected.get(self._keys.pop(pid, ""))
        if early is not None and not early.done():  # it died before it said hello
            early.set_exception(WorkerLost())


def _import_path() -> str:
    """Let the zygote find the same package as this process, also when that runs from a checkout."""
    ours = str(Path(__file__).resolve().parents[2])
    others = os.environ.get("PYTHONPATH", "")
    return f"{ours}{os.pathsep}{others}" if others else ours
