"""Which keys mean which action: two sets to choose from, and the user's own files over them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mlops_tui.core.errors import InvalidInput
from mlops_tui.core.ids import nearest
from mlops_tui.tui import actions
from mlops_tui.tui.actions import Action

FILE = "keys.toml"

Keys = dict[str, tuple[str, ...]]
"""Keys by action id; an id that is missing keeps the keys of the registry."""

SETS: dict[str, Keys] = {
    "vim": {},
    "plain": {
        "go.palette": ("ctrl+p", "f2"),
        "go.last": ("f7",),
        "go.back": ("alt+left",),
        "go.forward": ("alt+right",),
        "part.before": ("left",),
        "part.after": ("right",),
        "view.maximise": ("f11",),
        "list.filter": ("ctrl+f", "f3"),
        "list.refresh": ("f5",),
        "list.menu": ("f4",),
        "list.sort": ("f6",),
        "list.reverse": ("shift+f6",),
        "list.views": ("shift+f3",),
        "list.save_view": ("shift+f5",),
        "app.help": ("f10",),
        "app.undo": ("f8",),
        "app.log": ("f9",),
        "app.theme": ("f12",),
        "app.quit": ("ctrl+q",),
    },
}
"""`vim` is the registry itself; `plain` takes single letters away from everything that is not an action of a desk."""

SWALLOWED = {
    "ctrl+h": "backspace",
    "ctrl+i": "tab",
    "ctrl+j": "enter",
    "ctrl+m": "enter",
    "ctrl+[": "escape",
    "ctrl+left_square_bracket": "escape",
}
"""Keys that reach a program as another key in most terminals."""

_LONG = {
    "?": "question_mark",
    "/": "slash",
    ":": "colon",
    "-": "minus",
    "[": "left_square_bracket",
    "]": "right_square_bracket",
    "<": "less_than_sign",
    ">": "greater_than_sign",
    ",": "comma",
    ".": "full_stop",
    "*": "asterisk",
    "+": "plus",
}


def long(key: str) -> str:
    """A key as Textual calls it: `?` is `question_mark`."""
    return _LONG.get(key, key)


def load(files: Iterable[Path]) -> Keys:
    """The keys of the user: the set chosen last, then the single keys of each file, later files over earlier ones.

    Files that do not exist are passed over. Raises InvalidInput that names every mistake of all files: an unknown set,
    an unknown or fixed action, a key that terminals swallow, and one key that would mean two things in one place.
    """
    chosen, problems = "vim", list[str]()
    own: Keys = {}
    for path in files:
        if not path.exists():
            continue
        import tomllib  # 5 ms that nobody without a keymap of their own pays

        try:
            text = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            problems.append(f"{path}: {error}")
            continue
        chosen = str(text.get("set", chosen))
        found, wrong = _read(text, path)
        own |= found
        problems += wrong
    if chosen not in SETS:
        problems.append(f'set = "{chosen}" is none of {", ".join(SETS)}.')
    keys = {**SETS.get(chosen, {}), **own}
    problems += conflicts(keys)
    if problems:
        raise InvalidInput(
            "The keymap has mistakes:\n  " + "\n  ".join(problems), hint="See docs/tui.md, section Keys."
        )
    return keys


def _read(text: Mapping[str, Any], path: Path) -> tuple[Keys, list[str]]:
    found: Keys = {}
    wrong = [f"{path}: [{name}] is neither `set` nor [keys]." for name in text if name not in ("set", "keys")]
    known = {one.id: one for one in actions.ALL}
    table = text.get("keys", {})
    for name, value in (_flat(table) if isinstance(table, dict) else {}).items():
        keys = [value] if isinstance(value, str) else value
        if name not in known:
            near = nearest(name, known)
            wrong.append(f"{path}: there is no action '{name}'." + (f" Did you mean '{near}'?" if near else ""))
        elif known[name].fixed:
            wrong.append(f"{path}: the keys of '{name}' cannot be changed.")
        elif not isinstance(keys, list) or not keys or not all(isinstance(key, str) and key for key in keys):
            wrong.append(f"{path}: '{name}' needs a key such as \"f5\", or a list of keys.")
        else:
            found[name] = tuple(keys)
            wrong += [_swallowed(path, name, key) for key in keys if key in SWALLOWED]
    return found, wrong


def _flat(table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """`list.filter = "f3"` is a table in a table for TOML; both ways of writing it mean the same."""
    out: dict[str, Any] = {}
    for name, value in table.items():
        out |= _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name: value}
    return out


def _swallowed(path: Path, name: str, key: str) -> str:
    return f"{path}: '{name}' cannot have {key}: terminals send it as {SWALLOWED[key]}."


def conflicts(keys: Keys) -> list[str]:
    """A sentence for every key that would mean two actions in the same part of a desk."""
    taken: dict[str, list[Action]] = {}
    out = []
    for one in actions.ALL:
        for key in dict.fromkeys(single for said in keys.get(one.id, one.keys) for single in each(said)):
            for other in taken.get(key, ()):
                if actions.meet(one, other):
                    where = f" on {one.desk}" if one.desk else ""
                    out.append(f"{actions.shown(key)} would mean both '{other.id}' and '{one.id}'{where}.")
            taken.setdefault(key, []).append(one)
    return out


_GROUPS = {
    "1-8": tuple("12345678"), "arrows": ("up", "down"), "pgup": ("pageup",), "pgdn": ("pagedown",), "tab": ("tab", "shift+tab"),
}  # fmt: skip


def each(key: str) -> tuple[str, ...]:
    """The keys that one of the registry's words for several stands for."""
    return _GROUPS.get(key, (long(key),))


def for_textual(keys: Keys) -> dict[str, str]:
    """The keymap as `App.set_keymap` takes it: every action, so that keys swapped between two do not clash."""
    return {
        one.id: ",".join(long(key) for key in keys.get(one.id, one.keys)) for one in actions.ALL if not one.fixed
    }  # fmt: skip
