"""What every desk can do: move between parts, filter, sort, and carry out actions in workers."""

from __future__ import annotations

from typing import ClassVar

from textual import events, on
from textual.binding import Binding, BindingType

from mlops_tui.tui import actions
from mlops_tui.tui.actions import Action
from mlops_tui.tui.binding import bound
from mlops_tui.tui.history import Place
from mlops_tui.tui.screens.filterline import FilterLine
from mlops_tui.tui.widgets.painted import LinesView
from mlops_tui.tui.widgets.table import VirtualTable


def bindings(desk: str) -> list[BindingType]:
    """The keys of a desk's own actions, from the registry."""
    return [bound(one.id, f"act('{one.id}')") for one in actions.ACTIONS if one.desk == desk]


class Desk(FilterLine):
    """Base of the desks; a desk names itself and its sections and has a method `act_<verb>` per action."""

    BINDINGS: ClassVar[list[BindingType]] = [
        bound("list.filter", "filter"),
        bound("go.esc", "back"),
        bound("part.before", "section(-1)"),
        bound("part.after", "section(1)"),
        Binding("tab,shift+tab", "pane", show=False),
        bound("go.inside", "inside"),
        bound("list.sort", "sort"),
        bound("list.reverse", "reverse"),
        bound("list.refresh", "refresh"),
        bound("list.copy", "copy"),
        bound("list.copy_again", "copy_again"),
        bound("list.menu", "menu"),
        bound("list.views", "views"),
        bound("list.save_view", "save_view"),
        bound("view.maximise", "maximise"),
        bound("app.help", "help"),
        bound("app.about", "about"),
        bound("app.undo", "undo"),
    ]

    # -- moving -------------------------------------------------------------------------------------------------------

    @property
    def place(self) -> Place:
        """Where the user is, as history and links name it."""
        return Place(self.ID, self.section.id, self.here.selected, self.here.filter)

    def go(self, section: str = "", key: str = "", filter: str = "") -> None:
        """Show a part, with a filter, and put the cursor on an object."""
        if section:
            self.section = self.by_id(section)
        if key:
            self.here.wanted, self.here.filter = key, ""  # it may not have been read yet
        if filter:
            self.look(filter)
        else:
            self.show_section()
        self.load(self.section)

    def action_section(self, step: int) -> None:
        """The part before or after this one."""
        self.workbench_app.leave()
        at = self.SECTIONS.index(self.section) + step
        self.go(self.SECTIONS[at % len(self.SECTIONS)].id)

    def action_show_part(self, section: str) -> None:
        self.workbench_app.leave()
        self.go(section)

    def action_pane(self) -> None:
        """From the list to the detail and back; in the filter line, the next completion."""
        detail = self.query_one("#detail", LinesView)
        if self.complete_filter():
            return
        if detail.display and self.focused is not detail:
            detail.focus()
        elif self.query_one("#table").display:
            self.query_one("#table").focus()
        else:
            self.query_one("#note").focus()

    @on(VirtualTable.Opened, "#table")
    def _opened(self) -> None:
        if self.section.detail is None:
            self.action_inside()
            return
        self.add_class("-open")
        self.query_one("#detail").focus()
        self.chrome()

    def on_key(self, event: events.Key) -> None:
        if event.key == "enter" and getattr(self.focused, "id", "") == "detail":
            self.action_inside()

    def action_inside(self) -> None:
        """The part that lists what is inside the selected row."""
        record, inside = self.record, self.section.inside
        if record is None or inside is None:
            return
        came_from = self.section.id
        self.workbench_app.leave()
        self.memory[inside.section].came_from = came_from  # first: what is looked at from elsewhere is not remembered
        self.go(inside.section, filter=inside.filter(record))

    async def action_back(self) -> None:
        """One rung: filter line, maximised pane, detail, the part it was opened from, filter, then back. Never quits."""
        memory = self.here
        if self.maximised:
            self.action_maximise()
        elif self.query_one("#filter").display:
            self.close_filter("")
        elif self.step_out():
            pass
        elif self.has_class("-open") or self.focused is self.query_one("#detail"):
            self.remove_class("-open")
            self.query_one("#table").focus()
        elif memory.came_from:
            target, memory.came_from, memory.filter = memory.came_from, "", ""
            self.go(target)
        elif memory.filter:
            memory.filter = ""
            self.show_rows()
        else:
            await self.step_back()
        self.chrome()

    async def step_back(self) -> None:
        """The last rung of esc: the place before this one."""
        await self.workbench_app.action_go_back(quiet=True)

    # -- doing --------------------------------------------------------------------------------------------------------

    def action_refresh(self) -> None:
        """Read again."""
        self.here.detail_of = ""
        self.load(self.section)

    def action_copy(self) -> None:
        """Choose what to copy of the selected row."""
        if self.record is not None:
            from mlops_tui.tui.widgets.copying import choose

            choose(self)

    def action_copy_again(self) -> None:
        """Copy of this row what was copied last."""
        if self.record is not None:
            from mlops_tui.tui.widgets.copying import again

            again(self)

    def look(self, query: str) -> None:
        """Filter the list on screen; a query that cannot be read here is opened with its mistake."""
        self.here.filter = query
        self.show_section()
        if self.here.reading(self.section, self.now).problem is not None:
            self.action_filter()

    def _refused(self, action_id: str) -> bool:
        action = actions.get(action_id)
        reason = action.why_not(self.situation)
        if reason:
            self.notify(reason, title=action.title, severity="warning", markup=False)
        return bool(reason)

    async def action_views(self) -> None:
        """Choose a saved view of this list."""
        if not self._refused("list.views"):
            from mlops_tui.tui.widgets.views import choose

            await choose(self)

    def action_save_view(self) -> None:
        """Keep the filter as a view."""
        if not self._refused("list.save_view"):
            from mlops_tui.tui.widgets.views import ask_name

            ask_name(self)

    def action_maximise(self) -> None:
        """Give the body to the pane in focus; again: both panes."""
        if self.maximised:
            self.remove_class("-max-list", "-max-detail")
        else:
            self.add_class("-max-detail" if self.focused is self.query_one("#detail") else "-max-list")

    @property
    def maximised(self) -> bool:
        """Whether one pane has the whole body."""
        return self.has_class("-max-list") or self.has_class("-max-detail")

    def action_help(self) -> None:
        """The keys that are valid here."""
        from mlops_tui.tui.widgets.help import Help

        self.app.push_screen(Help(self.ID, self.section.id, self.situation))

    def action_about(self) -> None:
        """What this pane shows."""
        from mlops_tui.tui.widgets.help import About

        self.app.push_screen(About(self.ID, self.section.id))

    def action_menu(self) -> None:
        """What can be done here, and why not."""
        from mlops_tui.tui.widgets.help import Menu

        async def chosen(action: Action | None) -> None:
            if action is not None:
                await self.carry_out(action)

        self.app.push_screen(Menu(self.ID, self.section.id, self.situation), chosen)
