"""The YAML that trackers write: `key: value` lines with one level of mappings or lists below. No anchors, no block texts.

A full YAML reader is no dependency of ours, and would be the only reason for one.
"""

from __future__ import annotations

import re
from typing import Any

from mlops_tui.core.errors import InvalidInput

_LINE = re.compile(
    r"""(?P<indent> *)(?P<key>'(?:[^']|'')*'|"(?:[^"\\]|\\.)*"|[^\s'"#:-][^:]*?|-?[^\s'"#:][^:]*?):(?:\s+(?P<value>.*))?$"""
)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "a": "\a", "b": "\b", "e": "\x1b", "v": "\v", "f": "\f"}


def read(text: str) -> dict[str, Any]:
    """The mapping: texts, ints, floats, booleans, None, and mappings one level down. Raises InvalidInput."""
    found: dict[str, Any] = {}
    inner: dict[str, Any] | None = None
    for indent, key, value in _entries(text):
        if indent == 0:
            inner = None
            if value is None:
                inner = found[key] = {}
            else:
                found[key] = scalar(value)
        elif inner is not None:
            inner[key] = scalar(value or "")
    return {key: None if value == {} else value for key, value in found.items()}


def _entries(text: str) -> list[tuple[int, str, str | None]]:
    """(indent, key, value) of each entry, lines that go on with a value joined to it."""
    entries: list[tuple[int, str, str | None]] = []
    for line in text.splitlines():
        unfinished = _open(entries)
        if not unfinished and (not line.strip() or line.lstrip().startswith(("#", "- ", "---"))):
            continue
        match = None if unfinished else _LINE.match(line)
        if match:
            value = match["value"]
            entries.append((len(match["indent"]), str(scalar(match["key"])), value or None))
        elif entries and (unfinished or line.startswith(" ")):
            indent, key, value = entries[-1]
            entries[-1] = (indent, key, _folded(value or "", line.strip()))
        else:
            raise InvalidInput(f"This line is not understood: {line[:80]!r}.")
    return entries


def _folded(value: str, line: str) -> str:
    """A value and the line after it: joined by a space, an empty line is a line's end, a backslash joins without any."""
    if not line:
        return value + "\n"
    if value.startswith('"') and value.endswith("\\") and not value.endswith("\\\\"):
        return value[:-1] + line
    return value + ("" if not value or value.endswith("\n") else " ") + line


def _open(entries: list[tuple[int, str, str | None]]) -> bool:
    """Whether the last value is a quoted text without its end."""
    value = entries[-1][2] if entries else None
    if not value or value[0] not in "'\"":
        return False
    if value[0] == "'":
        return (len(value) - len(value.lstrip("'")) == len(value) == 1) or value.replace("''", "").count("'") % 2 == 1
    return re.fullmatch(r'"(?:[^"\\]|\\.)*"', value) is None


def scalar(text: str) -> Any:
    """One value as YAML 1.1 reads it."""
    text = text.strip()
    if text.startswith("'") and text.endswith("'") and len(text) > 1:
        return text[1:-1].replace("''", "'")
    if text.startswith('"') and text.endswith('"') and len(text) > 1:
        return re.sub(r"\\(x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|.)", _unescaped, text[1:-1])
    if text in ("", "~", "null", "Null", "NULL"):
        return None
    if text.lower() in ("true", "false", "yes", "no", "on", "off"):
        return text.lower() in ("true", "yes", "on")
    if text in ("[]", "{}"):
        return {}
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return text


def _unescaped(match: re.Match[str]) -> str:
    code = match[1]
    if code[0] in "xuU" and len(code) > 1:
        return chr(int(code[1:], 16))
    return _ESCAPES.get(code, code)
