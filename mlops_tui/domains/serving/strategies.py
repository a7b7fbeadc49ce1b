"""How a version may take over the traffic of a deployment: names that also those need who serve nothing."""

from __future__ import annotations

STRATEGIES = ("replace", "blue_green", "canary")
