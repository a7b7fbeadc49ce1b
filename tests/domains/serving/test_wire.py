"""Frames between gateway and worker."""

from __future__ import annotations

import pytest

from mlops_tui.domains.serving.wire import Answer, Ask, Failed, Hello, Ready, Unpacker, pack

MESSAGES = [
    Hello("k", 7),
    Ready({"x": [None]}, "note"),
    Failed("why"),
    Ask(1, 2, {"x": [1, 2.5]}, True),
    Answer(1, ["a"], [[0.5]]),
]


@pytest.mark.parametrize("size", [1, 3, 7, 10_000])
def test_messages_survive_any_cut_of_the_stream(size: int) -> None:
    stream = b"".join(map(pack, MESSAGES))
    unpacker = Unpacker()
    found = [
        message for start in range(0, len(stream), size) for message in unpacker.feed(stream[start : start + size])
    ]
    assert found == MESSAGES


@pytest.mark.parametrize("junk", [b"\xff\xff\xff\xff....", b"\x00\x00\x00\x02{}", b"GET / HTTP/1.1\r\n\r\n"])
def test_a_stranger_is_a_value_error(junk: bytes) -> None:
    with pytest.raises(ValueError):
        Unpacker().feed(junk)
