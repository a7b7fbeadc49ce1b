"""Pictures in half blocks: a PNG decoded with what Python has, made small, two pixels in each cell."""

from __future__ import annotations

import dataclasses
import struct
import zlib

from mlops_tui.core.errors import InvalidInput
from mlops_tui.tui.lines import Line, Span

_HEAD = b"\x89PNG\r\n\x1a\n"
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
MOST_PIXELS = 20_000_000
"""Decoding goes byte by byte in Python: more than this takes too long to look at something."""
_SHADES = " .:-=+*#%@"
_PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


@dataclasses.dataclass(frozen=True, slots=True)
class Image:
    """`pixels` are rows of width x 3 bytes: red, green, blue, over black where the picture lets through."""

    width: int
    height: int
    pixels: tuple[bytes, ...]


def is_png(data: bytes) -> bool:
    """Whether this begins like a PNG."""
    return data.startswith(_HEAD)


def size_of(data: bytes) -> tuple[int, int]:
    """Width and height as the head of a PNG says. Raises InvalidInput."""
    if not is_png(data) or len(data) < 33:
        raise InvalidInput("This is no PNG image.", hint="Save it with b and open it with a program for pictures.")
    width, height = struct.unpack(">II", data[16:24])
    return width, height


def decode(data: bytes, columns: int = 0, rows: int = 0) -> Image:
    """The picture, no larger than `columns` x `rows` pixels where those are given (the nearest pixels are kept).

    Follows the PNG specification (W3C, third edition): all colour types, depths 1 to 16, palette, interlace. Raises InvalidInput
    for what is broken or too large.
    """
    width, height = size_of(data)
    depth, kind, _, _, interlaced = data[24:29]
    if kind not in _CHANNELS or depth not in (1, 2, 4, 8, 16) or not 0 < width * height <= MOST_PIXELS:
        raise InvalidInput(f"A picture of {width} x {height} pixels cannot be shown here.", hint="Save it with b.")
    palette, body = _chunks(data)
    bits = _CHANNELS[kind] * depth
    try:
        raw = zlib.decompress(body)
        lines = _interlaced(raw, width, height, bits) if interlaced else _unfiltered(raw, 0, width, height, bits)[0]
        return _scaled([bytes(one) for one in lines], width, height, depth, kind, palette, columns, rows)
    except (zlib.error, IndexError) as error:
        raise InvalidInput("This picture is broken or not whole.", hint=str(error)) from error


def _chunks(data: bytes) -> tuple[bytes, bytes]:
    """The palette and the compressed pixels."""
    palette, body, at = b"", [], 8
    while at + 12 <= len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        name = data[at + 4 : at + 8]
        if name == b"PLTE":
            palette = data[at + 8 : at + 8 + length]
        elif name == b"IDAT":
            body.append(data[at + 8 : at + 8 + length])
        elif name == b"IEND":
            break
        at += 12 + length
    return palette, b"".join(body)


def _unfiltered(raw: bytes, at: int, width: int, height: int, bits: int) -> tuple[list[bytearray], int]:
    """Rows of pixels with the filters taken back (section 9 of the specification), and where they end."""
    length, step = (width * bits + 7) // 8, max(1, bits // 8)
    before = bytearray(length)
    out = []
    for _ in range(height):
        kind, row = raw[at], bytearray(raw[at + 1 : at + 1 + length])
        if len(row) < length:
            raise IndexError("rows are missing")
        _unfilter(kind, row, before, step)
        out.append(row)
        before = row
        at += 1 + length
    return out, at


def _unfilter(kind: int, row: bytearray, above: bytearray, step: int) -> None:
    if kind == 1:
        for x in range(step, len(row)):
            row[x] = (row[x] + row[x - step]) & 255
    elif kind == 2:
        row[:] = bytes((one + up) & 255 for one, up in zip(row, above, strict=True))
    elif kind == 3:
        for x in range(len(row)):
            left = row[x - step] if x >= step else 0
            row[x] = (row[x] + (left + above[x]) // 2) & 255
    elif kind == 4:
        for x in range(len(row)):
            left, corner = (row[x - step], above[x - step]) if x >= step else (0, 0)
            row[x] = (row[x] + _paeth(left, above[x], corner)) & 255
    elif kind:
        raise IndexError(f"filter {kind} does not exist")


def _paeth(left: int, up: int, corner: int) -> int:
    guess = left + up - corner
    by_left, by_up, by_corner = abs(guess - left), abs(guess - up), abs(guess - corner)
    if by_left <= by_up and by_left <= by_corner:
        return left
    return up if by_up <= by_corner else corner


def _interlaced(raw: bytes, width: int, height: int, bits: int) -> list[bytearray]:
    """The seven passes of Adam7 put together; pixels of less than a byte are spread to bits first."""
    length = (width * bits + 7) // 8
    out = [bytearray(length) for _ in range(height)]
    at = 0
    for left, top, across, down in _PASSES:
        columns, rows = -(-(width - left) // across), -(-(height - top) // down)
        if columns <= 0 or rows <= 0:
            continue
        lines, at = _unfiltered(raw, at, columns, rows, bits)
        for number, row in enumerate(lines):
            target = out[top + number * down]
            for column in range(columns):
                _copy_pixel(row, column, target, left + column * across, bits)
    return out


def _copy_pixel(source: bytearray, at: int, target: bytearray, to: int, bits: int) -> None:
    if bits >= 8:
        step = bits // 8
        target[to * step : (to + 1) * step] = source[at * step : (at + 1) * step]
        return
    value = _bits(source, at, bits)
    place = to * bits
    target[place // 8] |= value << (8 - bits - place % 8)


def _bits(row: bytes | bytearray, at: int, bits: int) -> int:
    place = at * bits
    return row[place // 8] >> (8 - bits - place % 8) & ((1 << bits) - 1)


def _scaled(
    lines: list[bytes], width: int, height: int, depth: int, kind: int, palette: bytes, columns: int, rows: int
) -> Image:
    """Only the pixels that are shown are turned into colours."""
    share = min(1.0, columns / width if columns else 1.0, rows / height if rows else 1.0)
    wide, tall = max(1, int(width * share)), max(1, int(height * share))
    across = [min(width - 1, int((x + 0.5) * width / wide)) for x in range(wide)]
    out = []
    for y in range(tall):
        row = lines[min(height - 1, int((y + 0.5) * height / tall))]
        out.append(b"".join(_colour(row, x, depth, kind, palette) for x in across))
    return Image(wide, tall, tuple(out))


def _colour(row: bytes, x: int, depth: int, kind: int, palette: bytes) -> bytes:
    channels = _CHANNELS[kind]
    if depth < 8:
        value = _bits(row, x, depth)
        if kind == 3:
            return palette[value * 3 : value * 3 + 3].ljust(3, b"\0")
        return bytes([value * 255 // ((1 << depth) - 1)]) * 3
    step = depth // 8
    found = row[x * channels * step : (x + 1) * channels * step : step]
    if kind == 3:
        return palette[found[0] * 3 : found[0] * 3 + 3].ljust(3, b"\0")
    if kind in (0, 4):
        shade = bytes([found[0]]) * 3
        return shade if kind == 0 else _over(shade, found[1])
    return found[:3] if kind == 2 else _over(found[:3], found[3])


def _over(colour: bytes, alpha: int) -> bytes:
    return colour if alpha == 255 else bytes(one * alpha // 255 for one in colour)


def half_blocks(image: Image) -> list[Line]:
    """Two rows of pixels a line: the upper one in front (`▀`), the lower one behind. Roles are ``#rrggbb/#rrggbb``."""
    out: list[Line] = []
    for y in range(0, image.height, 2):
        upper = image.pixels[y]
        lower = image.pixels[y + 1] if y + 1 < image.height else bytes(len(upper))
        spans: list[Span] = []
        for x in range(0, len(upper), 3):
            role = f"#{upper[x : x + 3].hex()}/#{lower[x : x + 3].hex()}"
            if spans and spans[-1][1] == role:
                spans[-1] = (spans[-1][0] + "▀", role)
            else:
                spans.append(("▀", role))
        out.append(tuple(spans))
    return out


def shaded(image: Image, *, ascii_only: bool = True) -> list[Line]:
    """The same by brightness alone, for terminals without colour: two rows of pixels a line, the mean of both."""
    steps = _SHADES if ascii_only else " ░▒▓█"
    out: list[Line] = []
    for y in range(0, image.height, 2):
        upper = image.pixels[y]
        lower = image.pixels[y + 1] if y + 1 < image.height else upper
        text = "".join(
            steps[min(len(steps) - 1, (sum(upper[x : x + 3]) + sum(lower[x : x + 3])) * len(steps) // 1531)]
            for x in range(0, len(upper), 3)
        )
        out.append(((text, "text"),))
    return out


def fitted(image: Image, columns: int) -> Image:
    """The picture at most `columns` pixels wide; a smaller one stays as it is."""
    if image.width <= columns:
        return image
    tall = max(1, image.height * columns // image.width)
    across = [x * image.width // columns * 3 for x in range(columns)]
    rows = (image.pixels[y * image.height // tall] for y in range(tall))
    return Image(columns, tall, tuple(b"".join(row[at : at + 3] for at in across) for row in rows))
