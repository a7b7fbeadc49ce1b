"""Five looks: dark, light, high contrast, colour-blind, and the terminal's own colours. State is never told by colour alone."""

from __future__ import annotations

from textual.theme import Theme

THEMES = (
    Theme(
        name="mlops-dark",
        primary="#7aa2f7",
        secondary="#bb9af7",
        accent="#7dcfff",
        warning="#e0af68",
        error="#f7768e",
        success="#9ece6a",
        foreground="#c8d0e8",
        background="#16181f",
        surface="#1c1f29",
        panel="#262a37",
        variables={"muted": "#8089a6"},
    ),
    Theme(
        name="mlops-light",
        primary="#1f4fa3",
        secondary="#7a3ea8",
        accent="#0b6b8a",
        warning="#8a5800",
        error="#b3142b",
        success="#2c6e1f",
        foreground="#20242e",
        background="#f6f7fa",
        surface="#eceef3",
        panel="#dde1ea",
        variables={"muted": "#626a7c"},
        dark=False,
    ),
    Theme(
        name="mlops-contrast",
        primary="#ffff00",
        secondary="#ff9dff",
        accent="#00ffff",
        warning="#ffd000",
        error="#ff6b6b",
        success="#5cff5c",
        foreground="#ffffff",
        background="#000000",
        surface="#000000",
        panel="#303030",
        variables={"muted": "#c8c8c8"},
        text_alpha=1.0,
    ),
    Theme(
        # The palette of Okabe and Ito (2008), told apart with every kind of colour blindness.
        name="mlops-colour-blind",
        primary="#56b4e9",
        secondary="#cc79a7",
        accent="#8fd0f5",
        warning="#f0e442",
        error="#ee7733",
        success="#2fbf9a",
        foreground="#e6e9f0",
        background="#14161c",
        surface="#1b1e27",
        panel="#2a2e3b",
        variables={"muted": "#939bb0"},
    ),
)


def names() -> list[str]:
    """The themes a user chooses from."""
    return [*(theme.name for theme in THEMES), "ansi-dark", "ansi-light"]


def first() -> str:
    """The theme at start."""
    return THEMES[0].name


def known(name: str) -> str:
    """The theme of this name, that of the start when there is none."""
    return name if name in names() else first()


def after(name: str) -> str:
    """The next theme of the round."""
    known = names()
    return known[(known.index(name) + 1) % len(known)] if name in known else known[0]
