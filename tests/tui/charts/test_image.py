"""Pictures in half blocks: PNG of every kind decoded as it was encoded, broken ones refused in a sentence."""

from __future__ import annotations

import struct
import zlib

import pytest

from mlops_tui.core.errors import InvalidInput
from mlops_tui.tui.charts import image

RED, GREEN, BLUE, WHITE = b"\xff\0\0", b"\0\xff\0", b"\0\0\xff", b"\xff\xff\xff"


def png(
    rows: list[bytes], width: int, *, kind: int = 2, depth: int = 8, palette: bytes = b"", interlace: int = 0
) -> bytes:
    """A PNG of rows that begin with their filter."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", width, interlace or len(rows), depth, kind, 0, 0, bool(interlace))
    colours = chunk(b"PLTE", palette) if palette else b""
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + colours
        + chunk(b"IDAT", zlib.compress(b"".join(rows)))
        + chunk(b"IEND", b"")
    )


def test_colours_come_back_as_they_were() -> None:
    found = image.decode(png([b"\0" + RED + GREEN, b"\0" + BLUE + WHITE], 2))
    assert (found.width, found.height, found.pixels) == (2, 2, (RED + GREEN, BLUE + WHITE))


@pytest.mark.parametrize("kind", [1, 2, 3, 4])
def test_every_filter_is_taken_back(kind: int) -> None:
    first, second = bytes(range(12)), bytes(range(40, 52))
    rows = [b"\0" + first, bytes([kind]) + _filtered(kind, second, first)]
    assert image.decode(png(rows, 4)).pixels == (first, second)


def _filtered(kind: int, row: bytes, above: bytes, step: int = 3) -> bytes:
    """What an encoder writes (section 9.2 of the specification)."""
    out = bytearray()
    for at, value in enumerate(row):
        left = row[at - step] if at >= step else 0
        corner = above[at - step] if at >= step else 0
        up = above[at]
        guess = left + up - corner
        nearest = min((abs(guess - left), 0, left), (abs(guess - up), 1, up), (abs(guess - corner), 2, corner))[2]
        out.append((value - {1: left, 2: up, 3: (left + up) // 2, 4: nearest}[kind]) & 255)
    return bytes(out)


@pytest.mark.parametrize(
    ("kind", "depth", "row", "palette", "pixels"),
    [
        (0, 8, b"\x00\xff", b"", b"\0\0\0" + WHITE),
        (0, 1, b"\x40", b"", b"\0\0\0" + WHITE),
        (0, 16, b"\x00\x00\xff\xff", b"", b"\0\0\0" + WHITE),
        (3, 4, b"\x01", RED + BLUE, RED + BLUE),
        (3, 8, b"\x01\x00", RED + BLUE, BLUE + RED),
        (4, 8, b"\xff\xff\xff\x00", b"", WHITE + b"\0\0\0"),
        (6, 8, RED + b"\xff" + RED + b"\x00", b"", RED + b"\0\0\0"),
        (2, 16, b"\xff\xff\0\0\0\0" + b"\0\0\xff\xff\0\0", b"", RED + GREEN),
    ],
)
def test_every_kind_of_pixel_is_read(kind: int, depth: int, row: bytes, palette: bytes, pixels: bytes) -> None:
    assert image.decode(png([b"\0" + row], 2, kind=kind, depth=depth, palette=palette)).pixels == (pixels,)


def test_an_interlaced_picture_is_put_together() -> None:
    # Adam7 of 2x2: pass 1 has (0,0), pass 6 has (1,0), pass 7 the second row.
    rows = [b"\0" + RED, b"\0" + GREEN, b"\0" + BLUE + WHITE]
    assert image.decode(png(rows, 2, interlace=2)).pixels == (RED + GREEN, BLUE + WHITE)


def test_a_large_picture_becomes_small_and_keeps_its_shape() -> None:
    found = image.decode(png([b"\0" + RED * 40] * 20, 40), 10, 100)
    assert (found.width, found.height) == (10, 5)
    assert (image.fitted(found, 4).width, image.fitted(found, 4).height) == (4, 2)


@pytest.mark.parametrize(
    "spoil", [lambda one: one[:46], lambda one: one.replace(b"IDAT", b"IDAX"), lambda one: b"GIF89a" + one]
)
def test_what_is_broken_is_said_in_a_sentence(spoil) -> None:
    with pytest.raises(InvalidInput):
        image.decode(spoil(png([b"\0" + RED * 8] * 8, 8)))


def test_a_picture_of_absurd_size_is_refused_before_it_is_unpacked() -> None:
    with pytest.raises(InvalidInput, match="cannot be shown"):
        image.decode(png([b"\0" + RED], 2**31 - 1))


def test_two_rows_of_pixels_are_one_line_and_neighbours_of_one_colour_one_span() -> None:
    found = image.Image(2, 3, (RED + RED, BLUE + BLUE, GREEN + WHITE))
    assert image.half_blocks(found) == [
        (("▀▀", "#ff0000/#0000ff"),),
        (("▀", "#00ff00/#000000"), ("▀", "#ffffff/#000000")),
    ]
    assert image.shaded(image.Image(2, 1, (b"\0\0\0" + WHITE,))) == [((" @", "text"),)]
