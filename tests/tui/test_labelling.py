"""Labelling by single keys: what is on screen, what is stored, undo, notes, skipped rows, the end of a queue."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from mlops_tui.core.workspace import Workspace
from mlops_tui.tui.screens.label_lines import RESERVED, keys_of
from mlops_tui.tui.screens.labelling import AHEAD, Labelling
from mlops_tui.workbench import Workbench

from .conftest import Open, desk_of, press, settle, text_of
from .filling import NOW


@pytest.fixture
def bench(filled: Workspace) -> Iterator[Workbench]:
    """Rows of hours, to be called busy or quiet."""
    with Workbench(filled, actor="ana", now=lambda: NOW) as made:
        made.labels.create("calls", "hours", ["busy", "quiet", "broken"], order="given", limit=30)
        yield made


@pytest.fixture
def label(open_app: Open, filled: Workspace, bench: Workbench) -> Callable[..., Any]:
    return lambda size=(80, 24), **options: open_app(filled, "features", size, **options)


async def begin(pilot: Pilot[Any]) -> Labelling:
    desk_of(pilot).go("labels")
    await settle(pilot)
    await press(pilot, "a")
    screen = pilot.app.screen
    assert isinstance(screen, Labelling)
    return screen


def said(bench: Workbench) -> list[tuple[int, str | None, str]]:
    return [(one.position, one.label, one.note) for one in bench.labels.labels("calls")]


@pytest.mark.parametrize("size", [(80, 24), (160, 45)], ids=lambda one: f"{one[0]}x{one[1]}")
async def test_the_screen_looks_as_it_did(label: Any, snapshot: Any, size: tuple[int, int]) -> None:
    async with label(size) as pilot:
        await begin(pilot)
        await press(pilot, "1", "2", "s")
        snapshot(pilot, f"labelling-{size[0]}x{size[1]}")


async def test_a_key_labels_the_row_and_the_next_is_there_before_the_store_has_it(label: Any, bench: Workbench) -> None:
    async with label() as pilot:
        screen = await begin(pilot)
        screen._busy = True  # the store takes its time
        await pilot.press("1", "2")
        assert screen._item is not None
        assert screen._item.position == 3
        assert said(bench) == []
        screen._busy = False
        screen._pump()
        await settle(pilot)
        assert said(bench) == [(1, "busy", ""), (2, "quiet", "")]
        assert "2 done, 0 skipped, 28 left" in text_of(pilot)


async def test_all_rows_of_a_queue_come_once_and_then_it_says_so(label: Any, bench: Workbench) -> None:
    async with label() as pilot:
        await begin(pilot)
        for _ in range(30):
            await pilot.press("1")
        await settle(pilot)
        assert [one[0] for one in said(bench)] == list(range(1, 31))
        assert "Nothing is left for ana: 30 rows labelled." in text_of(pilot)
        await press(pilot, "p")
        assert bench.features.get("calls_labels").rows == 30
    assert AHEAD < 30


async def test_undo_brings_the_row_back_also_that_of_an_earlier_session(label: Any, bench: Workbench) -> None:
    bench.labels.put("calls", 1, "busy")
    async with label() as pilot:
        screen = await begin(pilot)
        await press(pilot, "2", "s", "u", "u")
        assert screen._item is not None
        assert screen._item.position == 2
        assert said(bench) == [(1, "busy", "")]
        await press(pilot, "u")
        assert said(bench) == []
        assert screen._item.position == 1
        assert [one.position for one in screen._ahead][:2] == [2, 3]
        await press(pilot, "u")
        assert "nothing to take back" in text_of(pilot)


async def test_a_note_goes_with_the_label_and_its_letters_label_nothing(label: Any, bench: Workbench) -> None:
    async with label() as pilot:
        screen = await begin(pilot)
        await press(pilot, "n")
        assert screen.query_one("#label-note", Input).has_focus
        await press(pilot, *"1 us", "enter")
        assert said(bench) == []
        assert "1 us" in text_of(pilot)
        await press(pilot, "3")
        assert said(bench) == [(1, "broken", "1 us")]
        await press(pilot, "n", "x", "escape", "1")
        assert said(bench)[1] == (2, "busy", "")


async def test_skipped_rows_are_gone_through_once_more_and_leaving_notes_what_was_done(
    label: Any, bench: Workbench
) -> None:
    async with label() as pilot:
        await begin(pilot)
        await press(pilot, "s", "1", "s", "S")
        assert "skipped rows" in text_of(pilot)
        await press(pilot, "2", "s")
        assert "No skipped row is left." in text_of(pilot)
        assert said(bench) == [(2, "busy", ""), (1, "quiet", ""), (3, None, "")]
        await press(pilot, "S")
        assert "row 4 of 30" in text_of(pilot)
        await press(pilot, "escape")
        assert not isinstance(pilot.app.screen, Labelling)
        deed = pilot.app.deeds.log[-1]  # type: ignore[attr-defined]
        assert (deed.command, deed.said) == ("mlops labels show calls", "5 labels and skips given.")


async def test_suspect_labels_are_gone_through_with_what_the_other_rows_say(label: Any, bench: Workbench) -> None:
    async with label() as pilot:
        screen = await begin(pilot)
        await press(pilot, "W")
        assert "Nothing is labelled" in text_of(pilot)
        assert "row 1 of 30" in text_of(pilot)
        for item in bench.labels.items("calls"):
            warm = item.values["temp"] > 14
            bench.labels.put("calls", item.position, "busy" if warm != (item.position == 5) else "quiet")
        await press(pilot, "W")
        assert "suspect labels" in text_of(pilot)
        assert screen._item is not None
        assert screen._item.position == 5
        assert "rather    quiet" in text_of(pilot)
        await press(pilot, "2")
        assert (5, "quiet", "") in said(bench)


async def test_what_was_said_is_written_before_the_screen_goes(label: Any, bench: Workbench) -> None:
    async with label() as pilot:
        screen = await begin(pilot)
        screen._busy = True  # the store takes its time
        await pilot.press("1", "2", "escape")
        assert pilot.app.screen is screen
        screen._busy = False
        screen._pump()
        await settle(pilot)
        assert pilot.app.screen is not screen
        assert said(bench) == [(1, "busy", ""), (2, "quiet", "")]


async def test_a_queue_that_went_meanwhile_is_told(label: Any, bench: Workbench) -> None:
    async with label() as pilot:
        await begin(pilot)
        bench.labels.remove("calls")
        await press(pilot, "1")
        assert "no label queue 'calls'" in text_of(pilot)
        await press(pilot, "escape")
        assert not isinstance(pilot.app.screen, Labelling)


async def test_a_read_only_session_labels_nothing(label: Any, bench: Workbench) -> None:
    async with label(read_only=True) as pilot:
        desk_of(pilot).go("labels")
        await settle(pilot)
        await press(pilot, "a")
        assert not isinstance(pilot.app.screen, Labelling)
        await press(pilot, "o")
        assert not isinstance(pilot.app.screen, Labelling)


def test_classes_get_digits_and_their_first_letter_where_it_is_free() -> None:
    assert keys_of(["busy", "quiet", "unsure", "bad"]) == {
        "1": "busy",
        "2": "quiet",
        "3": "unsure",
        "4": "bad",
        "b": "busy",
    }
    many = [f"class {at}" for at in range(14)]
    keys = keys_of(many)
    assert set(keys.values()) == set(many)
    assert not set(keys) & {*RESERVED}
