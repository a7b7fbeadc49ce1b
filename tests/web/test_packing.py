"""Packed answers: large ones, for those who ask."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from mlops_tui.web import packing

RECORDS = {"dataframe_records": [{"x": 1.0, "kind": "a"}] * 600}


@pytest.mark.parametrize(
    ("accepted", "wanted"),
    [
        ("gzip", True),
        ("deflate, GZIP ; q=0.5", True),
        ("*", True),
        ("x-gzip", True),
        ("", False),
        ("br", False),
        ("gzip;q=0", False),
        ("gzip;q=0.000, *", False),
        ("*;q=0", False),
        (";;q==,,", False),
    ],
)
def test_gzip_is_asked_for_by_name_or_star_with_a_weight(accepted: str, wanted: bool) -> None:
    assert packing.wants_gzip(accepted) is wanted


@pytest.mark.parametrize("inline", [packing.INLINE, 1])
async def test_a_large_answer_is_packed_for_who_asks(door: Any, monkeypatch: pytest.MonkeyPatch, inline: int) -> None:
    monkeypatch.setattr(packing, "INLINE", inline)
    reply = await door.ask("POST", "/invocations", RECORDS, {"accept-encoding": "gzip"})
    assert (reply.status, reply.headers["content-encoding"], reply.headers["vary"]) == (200, "gzip", "accept-encoding")
    assert int(reply.headers["content-length"]) == len(reply.body)
    assert json.loads(gzip.decompress(reply.body))["predictions"] == [2] * 600
    assert "content-encoding" not in (await door.ask("POST", "/invocations", RECORDS)).headers


async def test_a_small_answer_is_never_packed(door: Any) -> None:
    row = {"dataframe_records": RECORDS["dataframe_records"][:1]}
    assert "content-encoding" not in (await door.ask("POST", "/invocations", row, {"accept-encoding": "gzip"})).headers
