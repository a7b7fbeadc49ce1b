"""docs/query.md, run: every command, every line of Python and every query in its tables."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

import mlops_tui
from mlops_tui.cli.app import main
from mlops_tui.core.query import Fields, read
from mlops_tui.domains.alerts.searching import ALERTS
from mlops_tui.domains.features.searching import TABLES
from mlops_tui.domains.jobs.searching import JOBS
from mlops_tui.domains.registry.searching import MODELS, VERSIONS
from mlops_tui.domains.serving.searching import DEPLOYMENTS
from mlops_tui.workbench import Workbench

PAGE = (Path(__file__).parent.parent / "docs" / "query.md").read_text()


def blocks(kind: str) -> list[str]:
    pieces = re.split(r"^```(\w*)\n", PAGE, flags=re.MULTILINE)  # text, kind, block, "", text, kind, block, "", ...
    return [pieces[at + 1] for at in range(1, len(pieces), 4) if pieces[at] == kind]


@pytest.fixture
def filled(workbench: Workbench, monkeypatch: pytest.MonkeyPatch) -> Workbench:
    monkeypatch.setenv("MLOPS_WORKSPACE", str(workbench.workspace.root))
    with mlops_tui.start_run(experiment="churn", name="resnet") as run:
        run.log_params({"lr": 1e-3})
        run.log_metric("auc", 0.93)
    return workbench


def test_every_command_runs_as_written(filled: Workbench, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [line for block in blocks("") for line in block.splitlines() if line.startswith("mlops ")]
    assert len(lines) >= 10
    for line in lines:
        with pytest.raises(SystemExit) as ended:
            main(shlex.split(line)[1:])
        assert ended.value.code == 0, (line, capsys.readouterr().err)
        if "metrics.auc" in line or "--view" in line:
            assert "resnet" in capsys.readouterr().out, line


def test_the_mistake_looks_as_shown(filled: Workbench, capsys: pytest.CaptureFixture[str]) -> None:
    shown = next(block for block in blocks("") if block.startswith("$"))
    command, _, wanted = shown.partition("\n")
    with pytest.raises(SystemExit) as ended:
        main(shlex.split(command)[2:])
    assert ended.value.code == 5
    assert capsys.readouterr().err == wanted


def test_the_python_runs_as_written(filled: Workbench) -> None:
    names: dict[str, object] = {}
    for block in blocks("python"):
        exec(block, names)
    found = names["workbench"]
    assert isinstance(found, Workbench)
    assert [run.name for run in found.experiments.runs(query="metrics.auc>=0.9 params.lr<1e-2 -draft")] == ["resnet"]
    found.close()


def queries() -> list[str]:
    """What stands in the first column of the table of the language."""
    rows = re.findall(r"^\| `(.+?)` \|", PAGE.split("## Fields")[0], re.MULTILINE)
    return [row.replace("\\|", "|") for row in rows]


@pytest.mark.parametrize("query", queries())
def test_every_query_of_the_table_is_one(query: str, workbench: Workbench) -> None:
    read(query, TABLES if query.startswith("size") else workbench.experiments.fields)


def test_every_field_is_on_the_page_and_every_one_on_the_page_is_a_field(workbench: Workbench) -> None:
    lists: dict[str, Fields] = {"runs": workbench.experiments.fields, "models": MODELS, "features": TABLES, "jobs": JOBS,
                                "alerts": ALERTS, "deployments": DEPLOYMENTS, "versions (Python)": VERSIONS}  # fmt: skip
    for name, fields in lists.items():
        row = next(line for line in PAGE.splitlines() if line.startswith(f"| {name} |"))
        written = {word.partition(".")[0] for word in re.findall(r"`([\w.]+)`", row)} - {"is"}
        assert written == {one.name for one in fields.all} - {"text"}, name
        if "`is`" in row:
            assert fields.get("is") is not None, name
