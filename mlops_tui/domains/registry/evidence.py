"""What the run behind a version kept of its judgement: charter, test results by slice, calibration, importance, verdict.

A pipeline logs these files with its run; a script that logs files of the same names and forms gets the same card.
"""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mlops_tui.core.errors import WorkbenchError

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlops_tui.domains.experiments.service import Experiments

REPORT, EXPLANATION, DEFINITION, VERDICT = "report.json", "explanation.json", "pipeline.toml", "verdict.json"
LONGEST = 4 * 2**20


@dataclass(frozen=True, slots=True)
class Evidence:
    """The files, read; what is not there, or cannot be read, is empty."""

    report: dict[str, Any] = field(default_factory=dict)
    explanation: dict[str, Any] = field(default_factory=dict)
    definition: dict[str, Any] = field(default_factory=dict)
    verdict: dict[str, Any] = field(default_factory=dict)

    @property
    def charter(self) -> dict[str, Any]:
        """[charter] of the definition."""
        return _table(self.definition.get("charter"))

    @property
    def fairness(self) -> dict[str, Any]:
        """[fairness] of the definition."""
        return _table(self.definition.get("fairness"))


def gather(experiments: Experiments, run_id: str) -> Evidence:
    """Read the files of a run; a run that is gone has none."""
    try:
        kept = {one.path: one.size for one in experiments.artifacts(run_id)} if run_id else {}
    except WorkbenchError:
        return Evidence()

    def read(name: str, parse: Callable[[str], Any]) -> dict[str, Any]:
        if not 0 < kept.get(name, 0) <= LONGEST:
            return {}
        try:
            return _table(parse(experiments.artifact_file(run_id, name).read_text(encoding="utf-8")))
        except (WorkbenchError, OSError, ValueError):  # damaged files are no evidence; `models health` names them
            return {}

    return Evidence(
        read(REPORT, json.loads),
        read(EXPLANATION, json.loads),
        read(DEFINITION, tomllib.loads),
        read(VERDICT, json.loads),
    )


def _table(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
