"""The guard of the disk: with too little free no job is started, and an alert says so until there is room again."""

from __future__ import annotations

import shutil
import time

from mlops_tui.domains.alerts.records import AlertState
from mlops_tui.workbench import Workbench

LOOK_S = 15.0
RULE = "disk"
SUBJECT = "workspace"


class DiskGuard:
    """Remembers what it saw for a while: a look is a system call, and the loop asks at every turn."""

    def __init__(self, bench: Workbench, least: float) -> None:
        self._bench = bench
        self._least = least
        self._looked = float("-inf")
        self._low = False

    def low(self) -> bool:
        """Whether less is free than must be (bytes; 0 never is)."""
        if self._least and time.monotonic() - self._looked >= LOOK_S:
            self._looked = time.monotonic()
            free = shutil.disk_usage(self._bench.workspace.root).free
            was, self._low = self._low, free < self._least
            self._tell(free, was)
        return self._low

    def _tell(self, free: float, was: bool) -> None:
        alerts = self._bench.alerts
        if self._low and not was:
            title = f"{free / 1e9:.1f} GB of disk are free, less than {self._least / 1e9:g}: no job is started"
            alerts.raise_alert(RULE, SUBJECT, severity="critical", title=title, detail="Free some, or: mlops gc")
        elif not self._low and any(one.state is not AlertState.RESOLVED for one in alerts.list(rule=RULE, limit=1)):
            alerts.resolve_by(RULE, SUBJECT, f"{free / 1e9:.1f} GB are free again")
