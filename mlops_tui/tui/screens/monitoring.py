"""Alerts, who is told of them, and what monitors found: everything a person does about a deployment that is not well."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from textual import on

from mlops_tui.tui.actions import Situation
from mlops_tui.tui.screens import (
    chrome,
    maintenance_acts,
    messages,
    monitor_acts,
    monitoring_acts,
    monitoring_columns,
    monitoring_insight,
    monitoring_lists,
    monitoring_odd,
    predictions,
    telling,
    telling_acts,
)
from mlops_tui.tui.screens.base import Desk, bindings
from mlops_tui.tui.screens.section import Section
from mlops_tui.tui.widgets.bar import Part
from mlops_tui.tui.widgets.table import VirtualTable

SHORT = {"performance": "Perf", "fairness": "Fair", "deliveries": "Sent", "maintenance": "Maint"}


class MonitoringDesk(Desk):
    """Alerts, monitors and what they found, rules, channels and what went through them."""

    ID = "monitoring"
    CSS_PATH = "monitoring.tcss"
    BINDINGS = bindings("monitoring")
    SECTIONS: ClassVar[tuple[Section, ...]] = (
        *monitoring_lists.SECTIONS,
        monitoring_columns.COLUMNS,
        *monitoring_insight.SECTIONS,
        *monitoring_odd.SECTIONS,
        *telling.SECTIONS,
        *messages.SECTIONS,
    )

    def go(self, section: str = "", key: str = "", filter: str = "") -> None:
        """A part of this desk; the place `incident` is a page in front of it."""
        if section != "incident" or not key:
            super().go(section, key, filter)
            return
        from mlops_tui.tui.screens.incident import IncidentDesk

        self.app.push_screen(IncidentDesk(key))

    @on(VirtualTable.Opened, "#table")
    async def _row_opened(self, message: VirtualTable.Opened) -> None:
        """An alert opens the page of its incident."""
        if self.section.id == "alerts" and self.record is not None:
            message.prevent_default()  # of the desk's own handler, which shows the detail
            await self.workbench_app.open_at("monitoring", "incident", str(self.record.id))

    def parts(self) -> list[Part]:
        """The parts, as far as there is room around the one on screen."""
        return chrome.fitting(self, SHORT)

    @property
    def situation(self) -> Situation:
        """Acts on alerts are about the marked ones, where there are any."""
        now, marks = super().situation, self.here.marks
        if self.section.id != "alerts" or not len(marks):
            return now
        wanted = set(marks.keys)
        found = tuple(one for one in self.here.records or () if str(one.id) in wanted)
        return dataclasses.replace(now, marked=found, names={**now.names, "id": monitoring_acts.numbers(marks.keys)})

    # -- alerts -------------------------------------------------------------------------------------------------------

    async def act_acknowledge(self) -> None:
        """Take the alerts that are marked, else this one."""
        monitoring_acts.acknowledge(self, monitoring_acts.chosen(self))

    async def act_silence(self) -> None:
        """Ask for how long, then silence."""
        monitoring_acts.silence(self, monitoring_acts.chosen(self))

    async def act_resolve(self) -> None:
        """Ask why, then end them."""
        monitoring_acts.resolve(self, monitoring_acts.chosen(self))

    async def act_reopen(self) -> None:
        """Take acknowledgement and silence back."""
        monitoring_acts.reopen(self, monitoring_acts.chosen(self))

    async def act_raise(self) -> None:
        """Ask what is wrong, then raise an alert."""
        monitoring_acts.raise_one(self)

    # -- monitors and what they found ---------------------------------------------------------------------------------

    async def act_check(self) -> None:
        """Check in a worker; the report is in the list when it is there."""
        monitor_acts.check(self, str(self.record.deployment))

    async def act_setup(self) -> None:
        """Ask how it is watched."""
        monitor_acts.setup(self, str(self.record.deployment) if self.record is not None else "")

    async def act_suspend(self) -> None:
        """Pause the monitor."""
        monitor_acts.pause(self, "monitoring.suspend", str(self.record.deployment), on=True)

    async def act_go_on(self) -> None:
        """Resume the monitor."""
        monitor_acts.pause(self, "monitoring.go_on", str(self.record.deployment), on=False)

    async def act_drop(self) -> None:
        """Confirm, then watch the deployment no more."""
        monitor_acts.remove(self, self.record)

    async def act_apart(self) -> None:
        """Tell the window from before in a worker."""
        monitor_acts.apart(self, str(self.record.deployment))

    async def act_explain(self) -> None:
        """Explain the report's drift in a worker."""
        monitoring_acts.explain(self, str(self.record.deployment), int(self.record.id))

    async def act_export(self) -> None:
        """Ask where to, then write the monitoring of the deployment."""
        monitoring_acts.export(self, str(self.record.deployment))

    async def act_write(self) -> None:
        """The same from the list of performance."""
        await self.act_export()

    async def act_measure(self) -> None:
        """Measure in a worker what labels have come for."""
        monitor_acts.measure(self, str(self.record.deployment))

    async def act_groups(self) -> None:
        """Ask which inputs are sensitive."""
        name = str(self.record.deployment) if self.record is not None else ""
        monitor_acts.setup(self, name, monitor_acts.FAIRNESS)

    async def act_look(self) -> None:
        """Ask of which time, then score its rows."""
        monitor_acts.look(self, str(self.record.deployment) if self.record is not None else "")

    async def act_why(self) -> None:
        """What each input added to the answer of an odd row."""
        predictions.why(self)

    # -- rules, channels, maintenance ---------------------------------------------------------------------------------

    async def act_rule(self) -> None:
        """Ask for a rule, then keep it."""
        telling_acts.new_rule(self)

    async def act_rest(self) -> None:
        """Pause the rule."""
        telling_acts.pause(self, "monitoring.rest", lambda bench: bench.alerts.rules, str(self.record.name), on=True)

    async def act_watch(self) -> None:
        """Resume the rule."""
        telling_acts.pause(self, "monitoring.watch", lambda bench: bench.alerts.rules, str(self.record.name), on=False)

    async def act_unrule(self) -> None:
        """Confirm, then forget the rule."""
        telling_acts.remove_rule(self, self.record.rule)

    async def act_channel(self) -> None:
        """Ask for a channel, then keep it."""
        telling_acts.new_channel(self)

    async def act_test(self) -> None:
        """Send a test message in a worker."""
        telling_acts.test(self, str(self.record.name))

    async def act_mute(self) -> None:
        """Pause the channel."""
        telling_acts.pause(self, "monitoring.mute", lambda bench: bench.alerts.telling, str(self.record.name), on=True)

    async def act_unmute(self) -> None:
        """Resume the channel."""
        telling_acts.pause(
            self, "monitoring.unmute", lambda bench: bench.alerts.telling, str(self.record.name), on=False
        )

    async def act_unchannel(self) -> None:
        """Confirm, then forget the channel."""
        telling_acts.remove_channel(self, self.record)

    async def act_begin(self) -> None:
        """Ask when, then tell nobody."""
        maintenance_acts.begin(self)

    async def act_end(self) -> None:
        """Confirm, then tell people again."""
        maintenance_acts.end(self, self.record.maintenance)
