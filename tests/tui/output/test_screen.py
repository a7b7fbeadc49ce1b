"""What is sent gives the same screen as what Textual wrote, and is far shorter; what is not understood goes through."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_tui.tui.output.screen import ThinScreen

from .model import Model

WIDTH, HEIGHT = 24, 6
TEXT = st.text(st.sampled_from("ab  ─●…漢字é\u0301"), min_size=1, max_size=12).map(
    lambda text: text.lstrip("\u0301") or "x"
)
STYLE = st.sampled_from(
    [
        "",
        "1",
        "2;3",
        "4",
        "7",
        "31",
        "38;5;9",
        "38;2;1;2;3;48;2;4;5;6",
        "1;38;2;1;2;3;48;2;4;5;6",
        "48;2;4;5;6",
        "9;44",
        "1;2",
    ]
)


@st.composite
def segment(draw: st.DrawFn, width: int = WIDTH, height: int = HEIGHT) -> str:
    """As Textual writes: move, text in a style, reset; never past the right edge, wide graphemes never halved by it."""
    text, codes = draw(TEXT), draw(STYLE)
    x, y = draw(st.integers(1, width - 2 * len(text) + 1)) if 2 * len(text) < width else 1, draw(st.integers(1, height))
    again = draw(st.sampled_from(["", "", "\x1b[1m\x1b[0m", "\x1b[7m!\x1b[0m"]))
    return f"\x1b[{y};{x}H" + (f"\x1b[{codes}m{text}\x1b[0m" if codes else text) + again


def full(width: int, height: int, codes: str = "48;2;9;9;9") -> str:
    """A full repaint."""
    rows = [f"\x1b[{y};1H\x1b[{codes}m{' ' * width}\x1b[0m" for y in range(1, height + 1)]
    return "\n".join(rows)


@st.composite
def frames(draw: st.DrawFn) -> list[list[str]]:
    first = draw(st.sampled_from([[], [full(WIDTH, HEIGHT)]]))
    return [first, *draw(st.lists(st.lists(segment(), max_size=5), max_size=6))]


def halves(cells: list[list[tuple[str, object]]]) -> list[list[tuple[str, object]]]:
    """Cut halves of wide graphemes are blanks whose look no two terminals agree on."""
    return [[(text, style if style != "halved" else None) for text, style in row] for row in cells]


def same(stock: Model, ours: Model, view: Callable[[Model], list[list[tuple[str, object]]]]) -> None:
    for mine, theirs in zip(halves(view(ours)), halves(view(stock)), strict=True):
        for left, right in zip(mine, theirs, strict=True):
            assert left == right or (right == (" ", None) and left[0] == " ")


@settings(max_examples=150, deadline=None)
@given(frames())
def test_every_stream_gives_the_same_cells(script: list[list[str]]) -> None:
    screen, stock, ours = ThinScreen(WIDTH, HEIGHT), Model(WIDTH, HEIGHT), Model(WIDTH, HEIGHT)
    for frame in script:
        for payload in frame:
            stock.feed(payload)
            screen.write(payload)
        ours.feed(screen.take())
        same(stock, ours, lambda model: model.cells)


@settings(max_examples=150, deadline=None)
@given(frames())
def test_with_erasing_every_stream_looks_the_same(script: list[list[str]]) -> None:
    screen = ThinScreen(WIDTH, HEIGHT, erases_with_background=True)
    stock, ours = Model(WIDTH, HEIGHT), Model(WIDTH, HEIGHT, bce=True)
    for frame in script:
        for payload in frame:
            stock.feed(payload)
            screen.write(payload)
        ours.feed(screen.take())
        same(stock, ours, Model.seen)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.one_of(segment(), st.sampled_from(["RESIZE", "REPAINT", "\x1b[2J", "\x1b[3;3H\x1b[5X", "\x07"])), max_size=14
    )
)
def test_after_a_resize_a_redraw_or_an_unknown_sequence_the_next_full_paint_is_right(script: list[str]) -> None:
    width, height = WIDTH, HEIGHT
    screen, stock, ours = ThinScreen(width, height), Model(width, height), Model(width, height)
    for payload in script:
        if payload == "RESIZE":
            width, height = width - 1, height
            for one in (screen, stock, ours):
                one.resize(width, height)
        elif payload == "REPAINT":
            screen.repaint()
        else:
            stock.feed(payload)
            screen.write(payload)
            if len(payload) % 2:
                ours.feed(screen.take())
    for one in (full(width, height), "\x1b[2;3H\x1b[1mtitle\x1b[0m"):
        stock.feed(one)
        screen.write(one)
        ours.feed(screen.take())
    assert ours.cells == stock.cells


@settings(max_examples=100, deadline=None)
@given(st.lists(segment(), max_size=6), st.data())
def test_a_sequence_may_be_cut_anywhere(script: list[str], data: st.DataObject) -> None:
    payload = "".join(script)
    at = data.draw(st.integers(0, len(payload)))
    whole, cut = ThinScreen(WIDTH, HEIGHT), ThinScreen(WIDTH, HEIGHT)
    whole.write(payload)
    cut.write(payload[:at])
    cut.write(payload[at:])
    assert cut.take() == whole.take()


def painted(*payloads: str, **options: bool) -> ThinScreen:
    screen = ThinScreen(80, 24, **options)
    for payload in payloads:
        screen.write(payload)
    screen.take()
    return screen


def test_what_is_drawn_twice_is_sent_once() -> None:
    screen = painted(full(80, 24))
    screen.write(full(80, 24))
    assert screen.take() == ""


def test_one_changed_cell_costs_one_move_and_one_style() -> None:
    screen = painted(full(80, 24))
    screen.write("\x1b[5;7H\x1b[48;2;9;9;9m" + "x".rjust(40) + "\x1b[0m\x1b[1;1H")
    assert screen.take() == "\x1b[5;46H\x1b[48;2;9;9;9mx\x1b[m\x1b[H"


def test_styles_change_by_the_shortest_step() -> None:
    screen = painted(full(80, 24), "\x1b[1;1H")
    screen.write("\x1b[1;1H\x1b[1;31;44ma\x1b[0m\x1b[31;44mb\x1b[0m\x1b[32;44mc\x1b[0m\x1b[1;1H")
    assert screen.take() == "\x1b[1;31;44ma\x1b[22mb\x1b[32mc\x1b[m\r"


def test_a_background_is_painted_by_erasing_where_the_terminal_can() -> None:
    plain, erasing = ThinScreen(80, 24), ThinScreen(80, 24, erases_with_background=True)
    for screen in (plain, erasing):
        screen.write(full(80, 24))
    assert len(plain.take()) > 80 * 24
    assert len(erasing.take()) < 200


def test_a_frame_ends_in_plain_style_with_the_cursor_where_the_application_wants_it() -> None:
    screen = painted()
    screen.write("\x1b[2;3H\x1b[31mred\x1b[0m\x1b[10;20H")
    assert screen.take().endswith("\x1b[m\x1b[10;20H")


def test_a_joined_emoji_leaves_the_rest_of_the_row_in_its_columns() -> None:
    family = "👩‍👩‍👧"
    screen = painted(full(80, 24))
    screen.write(f"\x1b[1;1H\x1b[48;2;9;9;9m{family}{' ' * 6}|\x1b[0m")
    sent = screen.take()
    assert f"  \x1b[1G{family}\x1b[3G" in sent
    assert sent.count("|") == 1


def test_a_wide_grapheme_that_loses_a_half_is_drawn_as_a_blank() -> None:
    screen = painted("\x1b[1;1H漢字")
    screen.write("\x1b[1;2Hx")
    model = Model(80, 24)
    model.feed("\x1b[1;1H漢字" + screen.take())
    assert "".join(text for text, _ in model.cells[0][:4]) == " x字"


@pytest.mark.parametrize(
    "unknown", ["\x1bP1$r0m\x1b\\", "\x1b[3;9r", "\x1b_Gf=100;AAAA\x1b\\", "\tx", "\x1b[4:3mcurly\x1b[0m"]
)
def test_what_is_not_understood_goes_through_and_nothing_is_assumed_after_it(unknown: str) -> None:
    screen = painted(full(80, 24))
    screen.write(unknown)
    assert unknown in screen.take()
    screen.write("\x1b[1;1H\x1b[0m")
    screen.write(full(80, 24))
    assert len(screen.take()) > 80 * 23


def test_controls_keep_their_order_and_come_through_without_a_frame() -> None:
    screen = painted(full(80, 24))
    controls = ["\x1b[?1004h", "\x07", "\x1b]52;c;aGk=\x07", "\x1b]2;mlops\x07", "\x1b[>25u", "\x1b[?2026$p"]
    for one in controls:
        screen.write(one)
    assert screen.take() == "".join(controls)


def test_synchronized_output_wraps_frames_that_could_tear() -> None:
    screen = ThinScreen(80, 24)
    for payload in ("\x1b[?2026h", full(80, 24), "\x1b[?2026l"):
        screen.write(payload)
    sent = screen.take()
    assert sent.startswith("\x1b[?2026h")
    assert sent.endswith("\x1b[?2026l")
    screen.write("\x1b[?2026h\x1b[1;1Hx\x1b[?2026l")
    assert "2026" not in screen.take()


def test_links_open_and_close() -> None:
    screen = painted()
    screen.write("\x1b[1;1H\x1b]8;id=1;https://example.org\x1b\\here\x1b]8;;\x1b\\ there")
    assert screen.take().startswith("\x1b[H\x1b[m\x1b]8;id=1;https://example.org\x1b\\here\x1b]8;;\x1b\\ there")


def test_nothing_outside_the_terminal_is_sent() -> None:
    screen = ThinScreen(10, 2)
    screen.write("\x1b[3;1Hbelow\n\nand below\x1b[1;8Hlong tail")
    sent = screen.take()
    assert "below" not in sent
    assert sent.startswith("\x1b[1;8H\x1b[mlol")
