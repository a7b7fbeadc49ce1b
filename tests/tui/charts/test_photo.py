"""Pictures that are no PNG, where Pillow is installed; else a sentence."""

from __future__ import annotations

import io
import sys

import pytest

from mlops_tui.core.errors import InvalidInput, Unavailable
from mlops_tui.tui.charts import photo


def test_without_the_library_the_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    with pytest.raises(Unavailable) as refused:
        photo.decode(b"", 10, 10)
    assert "mlops-tui[images]" in refused.value.hint


@pytest.mark.parametrize("kind", photo.FORMATS)
def test_each_kind_is_drawn_in_its_colours_and_shape(kind):
    pil = pytest.importorskip("PIL.Image")
    made, data = pil.new("RGB", (400, 100), (200, 30, 40)), io.BytesIO()
    made.save(data, kind)
    whole, found = photo.decode(data.getvalue(), 40, 40)
    assert (whole, found.width, found.height, len(found.pixels)) == ((400, 100), 40, 10, 10)
    assert all(abs(one - wanted) < 12 for one, wanted in zip(found.pixels[5][:3], (200, 30, 40), strict=True))


@pytest.mark.parametrize(
    "data", [b"", b"\xff\xd8\xff\xe0 no more", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"]
)
def test_what_is_broken_or_a_program_is_refused(data):
    pytest.importorskip("PIL.Image")
    with pytest.raises(InvalidInput, match="broken"):
        photo.decode(data, 10, 10)


def test_what_lets_through_is_over_black_and_what_is_huge_is_not_decoded(monkeypatch):
    pil = pytest.importorskip("PIL.Image")
    data = io.BytesIO()
    pil.new("RGBA", (4, 4), (255, 255, 255, 0)).save(data, "WEBP", lossless=True)
    assert photo.decode(data.getvalue(), 10, 10)[1].pixels == (b"\0" * 12,) * 4
    monkeypatch.setattr(photo, "MOST_PIXELS", 15)
    with pytest.raises(InvalidInput, match="4 x 4"):
        photo.decode(data.getvalue(), 10, 10)
