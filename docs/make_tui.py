"""Write the generated parts of docs/tui.md from the registry of actions: `make docs`."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from mlops_tui.tui import about, actions, keymap

PAGE = Path(__file__).parent / "tui.md"


def parts() -> dict[str, str]:
    """The generated parts by name."""
    plain = ["| Action | vim | plain |", "|---|---|---|"]
    for name, keys in keymap.SETS["plain"].items():
        plain.append(f"| `{name}` {actions.get(name).title} | {_shown(actions.get(name).keys)} | {_shown(keys)} |")
    desks = ["| Key | Desk | Part | What it shows |", "|---|---|---|---|"]
    for at, (desk, title, _) in enumerate(actions.DESKS, 1):
        found = [(part, text) for (where, part), text in about.PANES.items() if where == desk]
        for first, (part, text) in enumerate(found):
            desks.append(f"| {f'`{at}`' if not first else ''} | {title if not first else ''} | {part} | {text} |")
    ids = " ".join(f"`{one.id}`" for one in actions.ALL if not one.fixed)
    return {"desks": "\n".join(desks), "keys": actions.markdown(), "sets": "\n".join(plain), "ids": ids}


def _shown(keys: tuple[str, ...]) -> str:
    return " ".join(f"`{actions.shown(key)}`" for key in keys)


def page(text: str) -> str:
    """The page with its generated parts made anew."""
    for name, body in parts().items():
        pattern = re.compile(rf"(<!-- {name}:begin -->\n).*?(\n<!-- {name}:end -->)", re.DOTALL)
        text = pattern.sub(lambda match, body=body: match[1] + body + match[2], text)
    return text


if __name__ == "__main__":
    made = page(PAGE.read_text())
    if "--check" in sys.argv:
        sys.exit(PAGE.read_text() != made)
    PAGE.write_text(made)
