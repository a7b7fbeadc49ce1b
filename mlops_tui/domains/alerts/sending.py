"""Gets a message out by each kind of channel. Every wait ends: no channel that hangs holds up the others."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from mlops_tui.core import clock, extras
from mlops_tui.core.errors import InvalidInput, Unavailable
from mlops_tui.domains.alerts import programs
from mlops_tui.domains.alerts.channel_records import Channel, ChannelKind, Delivery
from mlops_tui.domains.alerts.records import Alert, Severity

if TYPE_CHECKING:
    from urllib.request import OpenerDirector

    from mlops_tui.core.secrets import Secrets

PATIENCE_S = 15.0
"""A channel that has not taken a message by then is tried again later."""
LISTED = 200
"""So many alerts, the worst first, go with one message; of the others it has the number."""
_NTFY = {Severity.INFO: "2", Severity.WARNING: "4", Severity.CRITICAL: "5"}
_URGENCY = {Severity.INFO: "low", Severity.WARNING: "normal", Severity.CRITICAL: "critical"}

OPTIONS: dict[ChannelKind, tuple[str, ...]] = {
    ChannelKind.EMAIL: ("server", "from", "user", "password", "tls"),
    ChannelKind.WEBHOOK: ("header",),
    ChannelKind.NTFY: ("header",),
}
"""Which options a kind takes; the others take none."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A delivery with the alerts it is about, and the folder that paths of scripts start from."""

    delivery: Delivery
    alerts: list[Alert]
    workspace: str
    folder: Path

    @property
    def text(self) -> str:
        return f"{self.delivery.title}\n{self.delivery.body}".rstrip()

    def document(self) -> dict[str, Any]:
        """What programs get: plain JSON with ISO times."""
        one = self.delivery
        return {
            "workspace": self.workspace, "delivery": one.id, "kind": str(one.kind), "severity": str(one.severity),
            "title": one.title, "body": one.body, "alerts_in_all": len(one.alerts),
            "alerts": [
                {
                    "id": alert.id, "rule": alert.rule, "subject": alert.subject, "severity": str(alert.severity),
                    "state": str(alert.state), "title": alert.title, "detail": alert.detail, "count": alert.count,
                    "first_at": clock.iso(alert.first_at), "last_at": clock.iso(alert.last_at), "facts": alert.facts,
                }
                for alert in self.alerts
            ],
        }  # fmt: skip


def check(channel: Channel) -> None:
    """Raise InvalidInput for a target or an option that its kind cannot use; secrets are not looked at."""
    known = OPTIONS.get(channel.kind, ())
    for name in channel.options:
        if name not in known:
            takes = f"It takes: {', '.join(known)}." if known else "It takes none."
            raise InvalidInput(f"A channel of kind {channel.kind} has no option {name}.", hint=takes)
    if (header := channel.options.get("header")) and not _header(header):
        raise InvalidInput("A header is a name and a value.", hint="--option 'header=Authorization: Bearer {TOKEN}'")
    if channel.kind is ChannelKind.DESKTOP:
        return
    if not channel.target:
        raise InvalidInput(f"A channel of kind {channel.kind} needs --to.", hint=_EXAMPLES[channel.kind])
    if channel.kind is ChannelKind.EMAIL:
        if "server" not in channel.options:
            raise InvalidInput("E-mail needs a server.", hint="Add --option server=smtp.example.org:587")
        if channel.options.get("tls", "starttls") not in ("starttls", "tls", "none"):
            raise InvalidInput("tls must be starttls, tls or none.")
        host, colon, port = channel.options["server"].partition(":")
        if not host or (colon and not port.isdecimal()):
            raise InvalidInput(f"'{channel.options['server']}' is no server.", hint="server=smtp.example.org:587")
        if not all("@" in address for address in _addresses(channel.target)):
            raise InvalidInput(f"'{channel.target}' holds something that is no e-mail address.")
    elif channel.kind not in (ChannelKind.SCRIPT, ChannelKind.APPRISE) and not channel.target.startswith("{"):
        _web(channel.target)


_EXAMPLES = {
    ChannelKind.EMAIL: "--to ops@example.org --option server=smtp.example.org:587",
    ChannelKind.WEBHOOK: "--to https://example.org/hook",
    ChannelKind.SLACK: "--to '{SLACK_URL}' after: mlops secrets set SLACK_URL",
    ChannelKind.DISCORD: "--to '{DISCORD_URL}' after: mlops secrets set DISCORD_URL",
    ChannelKind.TEAMS: "--to '{TEAMS_URL}' after: mlops secrets set TEAMS_URL",
    ChannelKind.NTFY: "--to https://ntfy.sh/your-topic",
    ChannelKind.SCRIPT: "--to scripts/page.sh, a program in the project that reads JSON",
    ChannelKind.HEARTBEAT: "--to '{HEARTBEAT_URL}', the address of a check at healthchecks.io or one of your own",
    ChannelKind.APPRISE: "--to '{TELEGRAM_URL}', an address that Apprise knows",
}


def program(target: str, project: Path) -> Path:
    """The program of a script channel. Raises InvalidInput outside the project."""
    path = (project / target).resolve()
    if not path.is_relative_to(project.resolve()):
        raise InvalidInput(f"{target} lies outside the project.", hint="Name a program in it, such as scripts/page.sh")
    return path


def send(channel: Channel, outgoing: Outgoing, secrets: Secrets) -> None:
    """Return once the other side has taken it. Raises Unavailable with what it said, or when it took too long."""
    trouble: list[BaseException] = []

    def attempt() -> None:
        try:
            _SENDERS[channel.kind](channel, outgoing, secrets.fill)
        except BaseException as error:
            trouble.append(error)

    thread = threading.Thread(target=attempt, daemon=True)
    thread.start()
    thread.join(PATIENCE_S)
    if thread.is_alive():
        raise Unavailable(f"{channel.name} gave no answer within {PATIENCE_S:.0f} s.")
    for error in trouble:
        raise error


def _post(url: str, body: bytes | None, headers: dict[str, str]) -> None:
    """Send a body, or without one ask for the address."""
    import urllib.error
    import urllib.request

    request = urllib.request.Request(_web(url), data=body, headers=headers)  # noqa: S310 - _web lets only http and https by
    try:
        with _opener().open(request, timeout=PATIENCE_S) as answer:
            answer.read(1024)
    except urllib.error.HTTPError as error:
        with error:
            said = error.read(200).decode("utf-8", "replace").strip()
            if 300 <= error.code < 400:  # following it would fetch that page and leave the message behind
                said = (
                    f"look at {error.headers.get('Location', 'another address')}, which is what the channel should name"
                )
        raise Unavailable(f"The other side answered {error.code}{f': {said}' if said else ''}.") from error
    except (
        OSError,
        ValueError,
    ) as error:  # URLError is an OSError; the address itself is never told, it may be a secret
        reason = getattr(error, "reason", error)
        raise Unavailable(f"Nothing could be sent: {reason}.") from error


def _opener() -> OpenerDirector:
    import urllib.request

    class Stay(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *words: Any, **named: Any) -> None:
            return None

    return urllib.request.build_opener(Stay)


def _json(url: str, document: dict[str, Any], header: str = "") -> None:
    _post(url, json.dumps(document).encode(), {"Content-Type": "application/json", **_header(header)})


def _webhook(channel: Channel, outgoing: Outgoing, fill: Callable[[str], str]) -> None:
    _json(fill(channel.target), outgoing.document(), fill(channel.options.get("header", "")))


def _slack(channel: Channel, outgoing: Outgoing, fill: Callable[[str], str]) -> None:
    _json(fill(channel.target), {"text": outgoing.text})


def _discord(channel: Channel, outgoing: Outgoing, fill: Callable[[str], str]) -> None:
    _json(fill(channel.target), {"content": outgoing.text[:2000], "allowed_mentions": {"parse": []}})


def _teams(channel: Channel, outgoing: Outgoing, fill: Callable[[str], str]) -> None:
    blocks = [{"type": "TextBlock", "text": line, "wrap": True} for line in outgoing.text.splitlines()]
    card = {"type": "AdaptiveCard", "version": "1.4", "body": blocks}
    attached = {"contentType": "application/vnd.microsoft.card.adaptive", "content": card}
    _json(fill(channel.target), {"type": "message", "attachments": [attached]})


def _ntfy(channel: Channel, outgoing: Outgoing, fill: Callable[[str], str]) -> None:
    one = outgoing.delivery
    title = " ".join(one.title.encode("ascii", "replace").decode().split())  # a header holds one line of ASCII
    headers = {"Title": title, "Priority": _NTFY[one.severity], **_header(fill(channel.options.get("header", "")))}
    _post(fill(channel.target), outgoing.text.encode(), headers)


def _heartbeat(channel: Channel, outgoing: Outgoing, fill: Callable[[str], str]) -> None:
    _post(fill(channel.target), None, {})


def _email(channel: Channel, outgoing: Outgoing, fill: Callable[[str], str]) -> None:
    import smtplib
    import ssl
    from email.message import EmailMessage

    options = {key: fill(value) for key, value in channel.options.items()}
    host, _, port = options["server"].partition(":")
    tls = options.get("tls", "starttls")
    addresses = _addresses(fill(channel.target))
    message = EmailMessage()
    message["Subject"] = " ".join(outgoing.delivery.title.split())
    message["From"] = options.get("from") or options.get("user") or addresses[0]
    message["To"] = ", ".join(addresses)
    message.set_content(outgoing.delivery.body or outgoing.delivery.title)
    number = port or (465 if tls == "tls" else 587)
    context = ssl.create_default_context()  # smtplib's own asks for no certificate
    try:
        with (
            smtplib.SMTP_SSL(host, int(number), timeout=PATIENCE_S, context=context)
            if tls == "tls"
            else smtplib.SMTP(host, int(number), timeout=PATIENCE_S)
        ) as server:
            if tls == "starttls":
                server.starttls(context=context)
            if options.get("user"):
                server.login(options["user"], options.get("password", ""))
            server.send_message(message)
    except (OSError, ValueError, smtplib.SMTPException) as error:
        raise Unavailable(f"The mail server {host} did not take it: {error}.") from error


def _desktop(channel: Channel, outgoing: Outgoing, fill: Callable[[str], str]) -> None:
    one = outgoing.delivery
    programs.run(
        ["notify-send", "--urgency", _URGENCY[one.severity], "--", one.title, one.body],
        b"",
        outgoing.folder,
        PATIENCE_S - 1,
    )


def _script(channel: Channel, outgoing: Outgoing, fill: Callable[[str], str]) -> None:
    programs.run(
        [str(program(channel.target, outgoing.folder))],
        json.dumps(outgoing.document()).encode(),
        outgoing.folder,
        PATIENCE_S - 1,
    )


def _apprise(channel: Channel, outgoing: Outgoing, fill: Callable[[str], str]) -> None:
    service = extras.need("apprise", "apprise").Apprise()
    if not service.add(fill(channel.target)):
        raise Unavailable("Apprise does not know that kind of address.")
    kinds = {Severity.INFO: "info", Severity.WARNING: "warning", Severity.CRITICAL: "failure"}
    one = outgoing.delivery
    if not service.notify(title=one.title, body=one.body or one.title, notify_type=kinds[one.severity]):
        raise Unavailable("Apprise could not deliver it.")


_SENDERS: dict[ChannelKind, Callable[[Channel, Outgoing, Callable[[str], str]], None]] = {
    ChannelKind.EMAIL: _email, ChannelKind.WEBHOOK: _webhook, ChannelKind.SLACK: _slack,
    ChannelKind.DISCORD: _discord, ChannelKind.TEAMS: _teams, ChannelKind.NTFY: _ntfy,
    ChannelKind.DESKTOP: _desktop, ChannelKind.SCRIPT: _script, ChannelKind.APPRISE: _apprise,
    ChannelKind.HEARTBEAT: _heartbeat,
}  # fmt: skip


def _addresses(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _web(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InvalidInput("The address must begin with http:// or https:// and name a host.")
    return url


def _header(text: str) -> dict[str, str]:
    name, colon, value = text.partition(":")
    return {name.strip(): value.strip()} if colon else {}
