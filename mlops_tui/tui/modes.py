"""How this terminal wants to be spoken to: colours, glyphs, driver, clipboard. Read from the environment, which options set."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, MutableMapping

PLAIN_DRIVER = "MLOPS_PLAIN_DRIVER"
ASCII = "MLOPS_ASCII"
NO_MOUSE = "MLOPS_NO_MOUSE"
NO_COLOR = "NO_COLOR"
CLIPBOARD = "MLOPS_CLIPBOARD"


@dataclasses.dataclass(frozen=True, slots=True)
class Modes:
    """`clipboard`: "" chooses by itself; "tmux", "osc52" and "file" are one way, anything else is a command line."""

    no_color: bool = False
    ascii: bool = False
    remote: bool = False
    plain_driver: bool = False
    mouse: bool = True
    clipboard: str = ""


def read(env: Mapping[str, str]) -> Modes:
    """The modes the environment asks for."""

    def on(name: str) -> bool:
        return env.get(name, "").lower() not in ("", "0", "no", "false", "off")

    clipboard = env.get(CLIPBOARD, "").strip()
    return Modes(
        no_color=bool(env.get(NO_COLOR)),  # set to anything but "": https://no-color.org
        ascii=on(ASCII),
        remote=bool(env.get("SSH_CONNECTION") or env.get("SSH_TTY")),
        plain_driver=on(PLAIN_DRIVER),
        mouse=not on(NO_MOUSE),
        clipboard="" if clipboard == "auto" else clipboard,
    )


def ask(
    env: MutableMapping[str, str],
    *,
    no_color: bool = False,
    ascii: bool = False,
    plain_driver: bool = False,
    no_mouse: bool = False,
) -> None:
    """Command-line options become the environment, so that everything below reads one place."""
    for name, wanted in ((NO_COLOR, no_color), (ASCII, ascii), (PLAIN_DRIVER, plain_driver), (NO_MOUSE, no_mouse)):
        if wanted:
            env[name] = "1"
