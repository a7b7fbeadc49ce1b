"""Pictures that are no PNG (JPEG, WebP, GIF, BMP, TIFF), decoded by Pillow where it is installed."""

from __future__ import annotations

import io

from mlops_tui.core import extras
from mlops_tui.core.errors import InvalidInput
from mlops_tui.tui.charts.image import Image

FORMATS = ("JPEG", "WEBP", "GIF", "BMP", "TIFF")
"""Named one by one: Pillow would hand others, such as EPS, to programs of the machine."""
MOST_PIXELS = 100_000_000


def decode(data: bytes, columns: int, rows: int) -> tuple[tuple[int, int], Image]:
    """(width, height) of the whole, and the picture no larger than `columns` x `rows`, over black where it lets through.

    A picture that moves shows its first moment. Raises Unavailable without Pillow, InvalidInput for what is broken or too large.
    """
    pil = extras.need("PIL.Image", "images")
    try:
        with pil.open(io.BytesIO(data), formats=FORMATS) as found:
            whole = found.size
            if whole[0] * whole[1] > MOST_PIXELS:
                raise InvalidInput(
                    f"A picture of {whole[0]} x {whole[1]} pixels cannot be shown here.", hint="Save it with b."
                )
            found.draft("RGB", (columns, rows))  # a JPEG is decoded at an eighth of its size where that is enough
            found.thumbnail((columns, rows))
            seen = found.convert("RGBA")
            small = pil.alpha_composite(pil.new("RGBA", seen.size, "black"), seen).convert("RGB")
    except (OSError, ValueError, SyntaxError, EOFError, pil.DecompressionBombError) as error:
        raise InvalidInput("This picture is broken or not whole.", hint=str(error)) from error
    wide, tall = small.size
    pixels = small.tobytes()
    return whole, Image(wide, tall, tuple(pixels[at : at + 3 * wide] for at in range(0, 3 * wide * tall, 3 * wide)))
