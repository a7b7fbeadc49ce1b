"""Style sheets that are read once: Textual parses all of them again for each desk that is opened and each refresh."""

from __future__ import annotations

from textual.css.stylesheet import Stylesheet


class SteadySheet(Stylesheet):
    """Parses what is new. `Stylesheet` forgets everything it parsed on `reparse` and on variables that did not change."""

    def __init__(self, variables: dict[str, str]) -> None:
        super().__init__(variables=variables)
        self._known = dict(variables)

    def set_variables(self, variables: dict[str, str]) -> None:
        """Parse again only where the variables differ (another theme)."""
        if variables != self._known:
            self._known = dict(variables)
            super().set_variables(variables)

    def reparse(self) -> None:
        """Take new sources in; those parsed before are taken from memory. The rules stay as they are after a mistake."""
        self.parse()
