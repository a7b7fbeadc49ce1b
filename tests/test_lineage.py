"""Two trees around anything: what it came from, what came of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mlops_tui.core.errors import NotFound
from mlops_tui.lineage import Node, flat
from mlops_tui.workbench import Workbench


def package(folder: Path) -> Path:
    folder.mkdir(parents=True)
    described = {"task": "regression", "inputs": [], "outputs": []}
    (folder / "model.joblib").write_bytes(b"model")
    (folder / "sample.parquet").write_bytes(b"sample")
    (folder / "signature.json").write_text(json.dumps(described), encoding="utf-8")
    (folder / "environment.json").write_text('{"python": "3.11", "libraries": {}}', encoding="utf-8")
    return folder


@pytest.fixture
def served(workbench: Workbench, tmp_path: Path) -> Workbench:
    """hours@1 -> a run -> m/1 -> the deployment `shop`."""
    workbench.features.create("hours", ["station"])
    workbench.features.ingest("hours", [{"station": 1}])
    run = workbench.experiments.start("hire", name="first")
    workbench.registry.register("m", package(tmp_path / "package"), run_id=run.id, snapshots=["hours@1", "gone@3"],
                                git_commit="c0ffee" * 6)  # fmt: skip
    workbench.serving.deploy("shop", "m/1")
    return workbench


def lines(node: Node) -> list[str]:
    return [f"{branch}{one.kind}" for branch, one in flat(node)]


def test_a_version_has_its_data_above_and_its_deployments_below(served: Workbench) -> None:
    found = served.lineage("m/1")
    assert lines(found.up) == ["version", "├─ run", "├─ commit", "├─ snapshot", "└─ snapshot"]
    assert lines(found.down) == ["version", "└─ deployment"]
    assert "100% of its traffic" in found.down.below[0].words


def test_what_was_removed_is_said_to_be_gone(served: Workbench) -> None:
    gone = served.lineage("m/1").up.below[-1]
    assert (gone.name, gone.found, gone.words) == ("gone@3", False, "removed since")


def test_from_a_snapshot_one_comes_down_to_the_deployment(served: Workbench) -> None:
    found = served.lineage("hours@1")
    assert lines(found.up) == ["snapshot"]
    assert lines(found.down) == ["snapshot", "└─ run", "   └─ version", "      └─ deployment"]


def test_a_run_and_a_deployment_have_both_sides_too(served: Workbench) -> None:
    run = served.registry.version("m").run_id
    assert lines(served.lineage(run).down) == ["run", "└─ version", "   └─ deployment"]
    assert lines(served.lineage("shop").up)[:3] == ["deployment", "└─ version", "   ├─ run"]


def test_what_is_left_out_is_counted(served: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mlops_tui.lineage.MOST", 1)
    served.serving.deploy("other", "m/1")
    words = [one.name for _, one in flat(served.lineage("m/1").down)]
    assert words[-1] == "and 1 more"


def test_an_unknown_name_is_refused_with_what_can_be_named(served: Workbench) -> None:
    with pytest.raises(NotFound) as caught:
        served.lineage("nothing")
    assert "MODEL/VERSION" in caught.value.hint
