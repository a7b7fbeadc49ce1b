"""The gateway's thread for the databases, so that a slow disk never holds up a request."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Concatenate, ParamSpec, TypeVar

from mlops_tui.core.workspace import Workspace
from mlops_tui.domains.serving.service import Serving
from mlops_tui.workbench import Workbench

T = TypeVar("T")
P = ParamSpec("P")


class Ledger:
    """One thread with a workbench of its own, opened on first use."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._workbench: Workbench | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ledger")

    async def call(self, function: Callable[Concatenate[Serving, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a method of the serving room, given as `Serving.report`, in the thread."""

        def run() -> T:
            if self._workbench is None:
                self._workbench = Workbench(self._workspace, actor="gateway")
            return function(self._workbench.serving, *args, **kwargs)

        return await asyncio.get_running_loop().run_in_executor(self._thread, run)

    async def close(self) -> None:
        """Close the workbench and end the thread."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._close)
        self._thread.shutdown()

    def _close(self) -> None:
        if self._workbench is not None:
            self._workbench.close()
