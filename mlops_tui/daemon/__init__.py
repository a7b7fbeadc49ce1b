"""The one background process of a workspace: schedules, jobs, sampling, log compaction, monitors and the gateway.

Everything that wants something of it writes a row; nothing talks to it. Killing it loses nothing: jobs and the gateway go
on, and the next daemon finds them.
"""

from mlops_tui.daemon.control import Status, log_path, restart, run, start, status, stop
from mlops_tui.daemon.unit import Bounds, install, plan, uninstall

__all__ = ["Bounds", "Status", "install", "log_path", "plan", "restart", "run", "start", "status", "stop", "uninstall"]
