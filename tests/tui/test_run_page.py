"""The pages of the experiments desk: a run, runs side by side, an experiment; opened, looked through, acted on by keyboard."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from textual.pilot import Pilot

from mlops_tui.core.workspace import Workspace
from mlops_tui.domains.experiments.files import RunFiles
from mlops_tui.domains.experiments.records import Point
from mlops_tui.domains.experiments.spool import RunWriter
from mlops_tui.tui.history import Place
from mlops_tui.tui.screens import run_curves, run_files, runs
from mlops_tui.tui.screens.compare import CompareDesk
from mlops_tui.tui.screens.experiment import ExperimentDesk
from mlops_tui.tui.screens.run import RunDesk
from mlops_tui.tui.widgets.columns import Arrangement
from mlops_tui.workbench import Workbench

from .conftest import Open, desk_of, press, settle, text_of
from .filling import NOW

PNG = b"\x89PNG\r\n\x1a\n" + b"".join(
    struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
    for name, data in (
        (b"IHDR", struct.pack(">IIBBBBB", 4, 2, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress((b"\0" + b"\xff\0\0" * 4) * 2)),
        (b"IEND", b""),
    )
)


@pytest.fixture
def run_id(filled: Workspace) -> str:
    """The newest run, which still runs, with files, training and validation curves and a note."""
    with Workbench(filled, actor="ana", now=lambda: NOW) as bench:
        run = bench.experiments.runs("hire")[0]
        writer = RunWriter(filled, run.id)
        writer.metrics([("train_loss", step, 1 / (1 + step)) for step in range(20)], at=NOW - 60_000)
        writer.metrics([("val_loss", step, 1.2 / (1 + step)) for step in range(20)], at=NOW - 60_000)
        files = RunFiles(filled, writer)
        files.keep_bytes(b"# Report\n\nAll **well**.\n", "docs/report.md")
        files.keep_bytes(b"a,b\n1,2\n3,4\n", "docs/table.csv")
        files.keep_bytes(PNG, "roc.png")
        files.keep_bytes(b"numpy==2.1.0\nscipy==1.15.0\n", "environment/packages.txt")
        writer.close()
        bench.experiments.take_in()
        bench.experiments.note(run.id, "# Idea\n\ndeeper **trees**")
    return run.id


def page(pilot: Pilot[Any]) -> RunDesk:
    """The page on screen."""
    found = pilot.app.screen
    assert isinstance(found, RunDesk)
    return found


async def test_enter_opens_the_page_escape_goes_back_to_the_row_and_another_place_leaves_it(
    open_app: Open, filled: Workspace, run_id: str
) -> None:
    async with open_app(filled, "experiments", (100, 30)) as pilot:
        await press(pilot, "enter")
        seen = text_of(pilot)
        assert "boost-3" in seen.splitlines()[1]
        assert "◐ running" in seen.splitlines()[1]
        assert "val_loss" in seen
        assert "max_depth" in seen
        assert pilot.app.place == Place("experiments", "run", run_id)  # type: ignore[attr-defined]
        await press(pilot, "escape", "j", "enter")
        assert page(pilot).of != run_id
        await press(pilot, "escape")
        assert desk_of(pilot).ID == "experiments"
        await press(pilot, "k", "enter", "4", "less_than_sign")
        assert page(pilot).of == run_id
        await pilot.app.open_at("experiments", "experiments")  # type: ignore[attr-defined]
        await settle(pilot)
        assert (desk_of(pilot).ID, desk_of(pilot).section.id) == ("experiments", "experiments")


async def test_every_part_of_the_page_shows_what_the_run_has(open_app: Open, filled: Workspace, run_id: str) -> None:
    async with open_app(filled, "experiments", (160, 45)) as pilot:
        desk_of(pilot).go("run", run_id)
        await settle(pilot)
        said = {}
        for section in page(pilot).SECTIONS:
            said[section.id] = text_of(pilot)
            await press(pilot, "right_square_bracket")
        assert "max_depth" in said["parameters"]
        assert "numpy" in said["environment"]
        assert "2.1.0" in said["environment"]
        assert "▾ docs/  2" in said["artifacts"]
        assert "kept no log" in said["console"]
        assert "Nothing was recorded of the machine" in said["system"]
        assert "deeper trees" in said["notes"]
        assert "no parent" in said["lineage"]
        assert page(pilot).section.id == "summary"
        await _curves(pilot)
        await _files(pilot)


async def _curves(pilot: Pilot[Any]) -> None:
    """Training and validation share a chart; marks put others together."""
    page(pilot).go("curves", "val_loss")
    await settle(pilot)
    seen = text_of(pilot)
    assert "● train_loss" in seen
    assert "▲ val_loss" in seen
    await press(pilot, "space", "g", "space")
    seen = text_of(pilot)
    assert "● rmsle" in seen
    assert "● val_loss" in seen
    assert "● train_loss" not in seen


async def _files(pilot: Pilot[Any]) -> None:
    """Files are looked into, folders close."""
    for path, said in (("docs/report.md", "All well."), ("roc.png", "▀▀▀▀")):
        page(pilot).go("artifacts", path)
        await settle(pilot)
        assert said in text_of(pilot)
    page(pilot).go("artifacts", "docs/table.csv")
    await settle(pilot)
    await press(pilot, "enter")
    assert "2 rows, 2 columns" in text_of(pilot)
    await press(pilot, "escape")
    page(pilot).go("artifacts", "docs")
    await settle(pilot)
    await press(pilot, "enter")
    assert "▸ docs/  2" in text_of(pilot)
    assert "report.md" not in text_of(pilot)


async def test_tag_name_note_and_deletion_are_done_and_taken_back(
    open_app: Open, filled: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("EDITOR", raising=False)
    monkeypatch.delenv("VISUAL", raising=False)
    with Workbench(filled, actor="ana") as bench:
        run_id = bench.experiments.runs("hire")[-1].id

    def now() -> Any:
        with Workbench(filled, actor="ana") as bench:
            return bench.experiments.run(run_id), [one.id for one in bench.experiments.runs("hire")]

    async with open_app(filled, "experiments", (120, 36)) as pilot:
        desk_of(pilot).go("run", run_id)
        await settle(pilot)
        await press(pilot, "t", *"owner=ben", "enter")
        assert now()[0].tags["owner"] == "ben"
        await press(pilot, "u", "right", "enter")
        assert "owner" not in now()[0].tags
        await press(pilot, "r", "x", "enter")
        assert now()[0].name == "x"
        await press(pilot, "n", *"why", "ctrl+s")  # without an editor there is a dialog
        assert now()[0].tags["note"] == "why"
        await press(pilot, "d", "right", "enter")
        assert run_id not in now()[1]
        assert desk_of(pilot).ID == "experiments"
        await press(pilot, "u", "right", "enter")
        assert run_id in now()[1]


async def test_an_experiment_is_renamed_noted_and_deleted_with_its_runs_and_that_is_taken_back(
    open_app: Open, filled: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("EDITOR", raising=False)
    monkeypatch.delenv("VISUAL", raising=False)
    with Workbench(filled, actor="ana") as bench:
        for run in bench.experiments.runs(state="running"):
            bench.experiments.finish(run.id)

    def now() -> list[tuple[str, str, int]]:
        with Workbench(filled, actor="ana") as bench:
            return [(one.name, one.description, one.runs) for one in bench.experiments.list()]

    ((_, _, runs),) = now()
    async with open_app(filled, "experiments", (120, 36)) as pilot:
        desk_of(pilot).go("experiments", "hire")
        await settle(pilot)
        assert "points, " in text_of(pilot)
        await press(pilot, "n", *"why", "ctrl+s")
        await press(pilot, "r", "x", "enter")
        assert now() == [("x", "why", runs)]
        await press(pilot, "u", "right", "enter")
        await press(pilot, "d")
        assert "mlops experiments delete hire" in text_of(pilot)
        await press(pilot, "right", "enter")
        assert now() == []
        await press(pilot, "u", "right", "enter")
        assert now() == [("hire", "why", runs)]


async def test_runs_are_compared_an_experiment_is_looked_into_and_columns_are_chosen(
    open_app: Open, filled: Workspace
) -> None:
    async with open_app(filled, "experiments", (160, 45)) as pilot:
        desk = desk_of(pilot)
        await press(pilot, "space", "space", "c")
        assert isinstance(pilot.app.screen, CompareDesk)
        assert "★" in text_of(pilot)
        await press(pilot, "right_square_bracket")
        assert "● boost-3" in text_of(pilot)
        assert "▲ boost-2" in text_of(pilot)
        await press(pilot, "right_square_bracket")
        assert "rmsle by max_depth" in text_of(pilot)
        await press(pilot, "escape", "escape", "i")
        assert isinstance(pilot.app.screen, ExperimentDesk)
        seen = text_of(pilot)
        assert "too few to tell" in seen
        assert "rmsle over equal max_depth" in seen
        await press(pilot, "right_square_bracket")
        assert "4 best runs" in text_of(pilot)
        await press(pilot, "right_square_bracket", "enter")
        assert isinstance(pilot.app.screen, RunDesk)
        await press(pilot, "escape", "escape", "z")
        assert "p.max_depth" in text_of(pilot)
        await press(pilot, "C", *["j"] * 3, "space", "enter")  # the first metric goes away
        titles = [column.title for column in desk.table.columns]
        assert "rmsle" not in titles
        assert "p.max_depth" in titles
        await press(pilot, "C", "0", "enter")
        assert "rmsle" in [column.title for column in desk.table.columns]


def test_what_is_chosen_is_kept_with_its_order_and_the_rest_stays_away() -> None:
    every = runs.of_keys(runs.Keys(("auc", "loss"), ("lr",)))
    start, now = runs.candidates(
        runs.Keys(("auc", "loss"), ("lr",)), runs.of_keys(runs.Keys(("auc",), ())), Arrangement()
    )
    assert {column.title for column in start} == {column.title for column in every}
    assert now.hidden == {"loss", "p.lr"}
    kept = runs.chosen(every, Arrangement(("p.lr", "Run"), frozenset({"loss", "By"})))
    assert kept.order[:2] == ("p.lr", "Run")
    assert "loss" not in kept.order
    assert kept.hidden == {"By"}


@pytest.mark.parametrize(
    ("name", "base"),
    [("val_loss", "loss"), ("train/loss", "loss"), ("loss", "loss"), ("training_score", "score"), ("f1.eval", "f1"),
     ("latest", "latest"), ("val", "val"), ("invalid_rows", "invalid_rows")],
)  # fmt: skip
def test_a_metric_is_of_one_kind_on_all_data(name: str, base: str) -> None:
    assert run_curves.base(name) == base


def test_a_long_history_keeps_ends_extremes_and_gaps() -> None:
    points = [Point(step, step, float(step % 7)) for step in range(10_000)]
    points[5_000] = Point(5_000, 5_000, 1e9)
    points[6_000] = Point(6_000, 6_000, float("nan"))
    found = run_curves.thinned(points, 400)
    assert len(found) <= 402
    assert {0, 5_000, 6_000, 9_999} <= {one.step for one in found}
    assert [one.step for one in found] == sorted({one.step for one in found})


def test_steps_become_epochs_spread_evenly_between_two() -> None:
    epochs = run_curves.curve([Point(0, 0, 0.0), Point(10, 1, 1.0), Point(20, 2, 3.0)], "epoch")
    assert list(run_curves._at(epochs, [0.0, 5.0, 10.0, 15.0, 25.0])) == [0.0, 0.5, 1.0, 2.0, 3.0]


def test_a_course_is_as_many_means_as_there_is_room_for() -> None:
    assert run_curves.course([1.0, 3.0, 5.0, 7.0], 2) == [2.0, 6.0]
    assert run_curves.course([1.0, 2.0], 5) == [1.0, 2.0]


def test_files_are_a_tree_with_folders_first(filled: Workspace, run_id: str) -> None:
    with Workbench(filled, actor="ana") as bench:
        found = run_files.entries(run_id, bench)
    assert [one.path for one in found] == [
        "docs", "docs/report.md", "docs/table.csv", "environment", "environment/packages.txt", "roc.png"
    ]  # fmt: skip
    closed = run_files.visible(found, {"docs"})
    assert [one.path for one in closed] == ["docs", "environment", "environment/packages.txt", "roc.png"]


@pytest.mark.parametrize("size", [(80, 24), (160, 45)], ids=lambda size: f"{size[0]}x{size[1]}")
async def test_pictures(
    open_app: Open, filled: Workspace, run_id: str, snapshot: Callable[[Pilot[Any], str], None], size: tuple[int, int]
) -> None:
    async with open_app(filled, "experiments", size) as pilot:
        desk_of(pilot).go("run", run_id)
        await settle(pilot)
        snapshot(pilot, f"run-summary-{size[0]}x{size[1]}")
        await press(pilot, "right_square_bracket", "enter")
        snapshot(pilot, f"run-curves-{size[0]}x{size[1]}")
