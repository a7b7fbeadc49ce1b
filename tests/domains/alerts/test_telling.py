"""Messages over real sockets and processes: taken, refused, hanging; kept until they are out."""

from __future__ import annotations

import json
import socket
import threading
from contextlib import contextmanager
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from mlops_tui.core import clock as time
from mlops_tui.core.errors import AlreadyExists, InvalidInput, NotFound
from mlops_tui.domains.alerts import sending, telling
from mlops_tui.domains.alerts.recurring import Weekly


@pytest.fixture
def room(workbench):
    return workbench.alerts.telling


class Hook(BaseHTTPRequestHandler):
    """Keeps what it is sent and answers with the server's code."""

    def do_POST(self):
        self.server.got.append((dict(self.headers), self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(self.server.code)
        self.end_headers()
        self.wfile.write(b"a fault of ours" if self.server.code >= 400 else b"ok")

    def log_message(self, *words):
        pass


@pytest.fixture
def hook():
    server = HTTPServer(("127.0.0.1", 0), Hook)
    server.got, server.code = [], 200
    server.url = f"http://127.0.0.1:{server.server_port}/hook"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


@contextmanager
def mail_server(heard):
    """As much of SMTP as a client needs to hand over one message."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        with listener.accept()[0] as connection, connection.makefile("rwb") as lines:

            def say(text):
                lines.write(text + b"\r\n")
                lines.flush()

            say(b"220 here")
            for line in lines:
                heard.append(line.strip())
                verb = line[:4].upper()
                if verb == b"DATA":
                    say(b"354 go on")
                    body = []
                    while (part := lines.readline()) != b".\r\n":
                        body.append(part)
                    heard.append(b"".join(body))
                say(b"221 bye" if verb == b"QUIT" else b"250 ok")
                if verb == b"QUIT":
                    return

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield listener.getsockname()[1]
    thread.join(5)
    listener.close()


def test_an_alert_reaches_a_webhook_with_its_numbers_and_once(workbench, room, hook, clock):
    room.secrets.put("TOKEN", "t0p")
    room.add("ops", "webhook", hook.url, options={"header": "Authorization: Bearer {TOKEN}"})
    workbench.alerts.raise_alert("drift", "churn", title="Inputs moved", facts={"psi": 0.3})
    assert not room.due()
    clock.advance(time.MINUTE)
    assert room.due()
    [sent] = room.deliver()
    assert (sent.state, sent.attempts) == ("sent", 1)
    headers, body = hook.got[0]
    document = json.loads(body)
    assert headers["Authorization"] == "Bearer t0p"
    assert document["title"] == "[warning] Inputs moved"
    assert document["alerts"][0]["facts"] == {"psi": 0.3}
    assert not room.due()
    assert room.deliver() == []
    workbench.alerts.resolve_by("drift", "churn")
    assert [one.title for one in room.deliver()] == ["[resolved] Inputs moved"]
    assert len(hook.got) == 2


def test_what_is_not_taken_is_tried_again_later_and_given_up_in_the_end(workbench, room, hook, clock):
    hook.code = 500
    room.add("ops", "webhook", hook.url)
    workbench.alerts.raise_alert("drift", "churn", title="x")
    clock.advance(time.MINUTE)
    [first] = room.deliver()
    assert (first.state, first.attempts) == ("waiting", 1)
    assert first.error == "The other side answered 500: a fault of ours."
    assert room.deliver() == []
    for wait in telling.BACK_OFF:
        clock.advance(wait)
        [last] = room.deliver()
    assert (last.state, last.attempts) == ("failed", 5)
    clock.advance(time.DAY)
    assert [one.kind for one in room.deliver()] == ["repeated"]


def test_a_channel_that_hangs_is_left_and_holds_up_nothing_that_comes_meanwhile(
    workbench, room, hook, clock, monkeypatch
):
    monkeypatch.setattr(sending, "PATIENCE_S", 0.5)
    monkeypatch.setattr(telling, "LOOK_S", 0.02)
    made, raised = room._queue_drafts, []

    def meanwhile():
        if hook.got and not raised:
            raised.append(workbench.alerts.raise_alert("error_rate", "churn", severity="critical", title="later"))
            clock.advance(time.MINUTE)
        made()

    monkeypatch.setattr(room, "_queue_drafts", meanwhile)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        room.add("a", "webhook", f"http://127.0.0.1:{silent.getsockname()[1]}/")
        room.add("b", "webhook", hook.url)
        for subject in ("churn", "fraud", "bikes"):
            workbench.alerts.raise_alert("drift", subject, title="x")
        clock.advance(time.MINUTE)
        outcomes = room.deliver()
    assert [one.state for one in outcomes if one.channel == "a"] == ["waiting"]  # its others wait for the next time
    assert [one.state for one in outcomes if one.channel == "b"] == ["sent"] * 4
    assert json.loads(hook.got[-1][1])["title"] == "[critical] later"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("yes >&2", "did not end within"),
        ("sleep 60 & sleep 60", "did not end within"),
        ("echo no >&2; sleep 2 >/dev/null & exit 3", "ended with 3: no"),
        ("head -c 20000000 /dev/zero; head -c 20000000 /dev/zero >&2; exit 4", "ended with 4"),
    ],
)
def test_a_program_that_never_ends_or_never_stops_talking_is_ended(workbench, room, monkeypatch, body, said):
    monkeypatch.setattr(sending, "PATIENCE_S", 1.3)
    path = workbench.workspace.project / "page.sh"
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    room.add("page", "script", "page.sh")
    assert said in room.test("page").error


def test_an_address_that_sends_on_elsewhere_has_not_taken_the_message(room, hook):
    hook.code = 302
    room.add("ops", "webhook", hook.url)
    assert room.test("ops").state == "failed"
    assert len(hook.got) == 1


def test_a_message_whose_sender_was_killed_is_sent_by_the_next(workbench, room, hook, clock, monkeypatch):
    room.add("ops", "webhook", hook.url)
    workbench.alerts.raise_alert("drift", "churn", title="x")
    clock.advance(time.MINUTE)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(sending, "send", lambda *given: (_ for _ in ()).throw(KeyboardInterrupt))
        room.deliver()
    assert room.deliver() == []  # somebody may be sending it
    clock.advance(telling.BACK_OFF[0])
    assert [one.state for one in room.deliver()] == ["sent"]


@pytest.mark.parametrize(("kind", "key"), [("slack", "text"), ("discord", "content"), ("teams", "attachments")])
def test_chats_get_the_body_they_know(room, hook, kind, key):
    room.secrets.put("URL", hook.url)
    room.add("chat", kind, "{URL}")
    assert room.test("chat").state == "sent"
    assert "This channel works" in json.dumps(json.loads(hook.got[0][1])[key])


def test_ntfy_gets_text_with_a_title_of_one_line(room, hook):
    room.add("phone", "ntfy", hook.url)
    assert room.test("phone").state == "sent"
    headers, body = hook.got[0]
    assert headers["Title"] == "[test] This channel works"
    assert b"tried the channel phone" in body


def test_mail_goes_to_everybody_named(room):
    heard = []
    with mail_server(heard) as port:
        room.add(
            "mail",
            "email",
            "a@x.org, b@x.org",
            options={"server": f"127.0.0.1:{port}", "tls": "none", "from": "m@x.org"},
        )
        assert room.test("mail").error == ""
    assert [line for line in heard if line.startswith(b"rcpt")] == [b"rcpt TO:<a@x.org>", b"rcpt TO:<b@x.org>"]
    message = message_from_bytes(next(part for part in heard if part.startswith(b"Subject")))
    assert message["Subject"] == "[test] This channel works"


def test_a_program_of_the_project_reads_json_and_its_failure_is_told(workbench, room):
    program = workbench.workspace.project / "page.sh"
    program.write_text("#!/bin/sh\ncat > told.json\n")
    program.chmod(0o755)
    room.add("page", "script", "page.sh")
    assert room.test("page").state == "sent"
    assert json.loads((workbench.workspace.project / "told.json").read_text())["kind"] == "test"
    program.write_text("#!/bin/sh\necho no paper >&2; exit 3\n")
    assert room.test("page").error == "page.sh ended with 3: no paper."


def test_a_test_that_fails_is_not_tried_again(room):
    room.add("ops", "slack", "{NOWHERE}")
    failed = room.test("ops")
    assert (failed.state, failed.error) == ("failed", "There is no secret NOWHERE.")
    assert not room.due()


@pytest.mark.parametrize(
    ("kind", "target", "settings", "said"),
    [
        ("pigeon", "x", {}, "not a kind"),
        ("webhook", "", {}, "needs --to"),
        ("webhook", "ftp://x", {}, "http"),
        ("webhook", "file:///etc/passwd", {}, "http"),
        ("email", "a@b", {}, "server"),
        ("email", "nobody", {"options": {"server": "s"}}, "no e-mail address"),
        ("email", "a@b", {"options": {"server": "s:smtp"}}, "is no server"),
        ("webhook", "http://x", {"options": {"header": "Bearer x"}}, "a name and a value"),
        ("script", "../../etc/page.sh", {}, "outside the project"),
        ("desktop", "", {"options": {"colour": "red"}}, "no option colour"),
        ("desktop", "", {"match": "severity:loud"}, "loud"),
        ("desktop", "", {"repeat": 5}, "at least a minute"),
    ],
)  # fmt: skip
def test_a_channel_that_could_never_work_is_refused(room, kind, target, settings, said):
    with pytest.raises(InvalidInput) as caught:
        room.add("ops", kind, target, **settings)
    assert said in caught.value.message
    assert room.channels() == []


def test_channels_are_paused_resumed_and_removed_by_name_and_audited(workbench, room, clock):
    room.add("desk", "desktop")
    with pytest.raises(AlreadyExists):
        room.add("desk", "desktop")
    workbench.alerts.raise_alert("drift", "churn", title="x")
    clock.advance(time.MINUTE)
    room.pause("desk", why="holiday")
    assert not room.due()
    room.pause("desk", False)
    assert room.due()
    workbench.alerts.raise_alert("delivery", "desk", title="It could not be used")
    room.remove("desk")
    assert not room.due()
    assert not workbench.alerts.list(rule="delivery")[0].active
    with pytest.raises(NotFound):
        room.get("desk")
    assert [entry.verb for entry in workbench.audit.list(kind="channel")] == ["remove", "resume", "pause", "add"]


def test_maintenance_ends_at_its_time_or_when_somebody_ends_it(workbench, room, clock):
    room.add("desk", "desktop")
    workbench.alerts.raise_alert("drift", "churn", title="x")
    clock.advance(time.MINUTE)
    first = room.quiet("subject:churn", clock.now, clock.now + time.HOUR, "new disk")
    assert not room.due()
    room.end_quiet(first.id)
    assert room.due()
    room.quiet("", clock.now, clock.now + time.HOUR)
    assert not room.due()
    clock.advance(time.HOUR)
    assert room.due()
    assert list(room.maintenance()) == []
    with pytest.raises(NotFound):
        room.end_quiet(first.id)
    with pytest.raises(InvalidInput):
        room.quiet("", clock.now - 5, clock.now - 1)


# -- 10,000 alerts in a minute ---------------------------------------------------------------------------------------------


def test_a_storm_is_counted_and_told_in_a_few_messages_of_bounded_size(workbench, room, clock, hook, monkeypatch):
    room.add("ops", "webhook", hook.url)
    with workbench.context.catalog.write():  # one commit, for the test's sake
        for number in range(1000):
            workbench.alerts.raise_alert(
                "job_failed", f"job-{number % 500}", title=f"Job {number} failed", detail="x" * 300
            )
    for _ in range(120):  # ten minutes of a daemon that looks every five seconds
        clock.advance(5 * time.SECOND)
        if room.due():
            room.deliver()
    [message] = hook.got
    said = json.loads(message[1])
    assert (said["alerts_in_all"], len(said["alerts"])) == (500, sending.LISTED)
    assert said["body"].splitlines()[-1] == "and 490 more: mlops alerts list"
    assert len(message[1]) < 200_000
    assert (workbench.alerts.open_count(), sum(one.count for one in workbench.alerts.list(limit=1000))) == (500, 1000)

    reads = []
    read = workbench.context.catalog.read
    monkeypatch.setattr(workbench.context.catalog, "read", lambda *asked: reads.append(asked[0]) or read(*asked))
    assert not room.due()
    assert not [sql for sql in reads if "facts" in sql]  # what was told is not read again every other second


def test_the_end_of_a_storm_is_told_at_once(workbench, room, clock, hook):
    room.add("ops", "webhook", hook.url)
    for number in range(8):
        workbench.alerts.raise_alert("drift", f"d{number}", title="x")
    clock.advance(10 * time.SECOND)
    room.deliver()
    for number in range(8):
        workbench.alerts.resolve_by("drift", f"d{number}")
    room.deliver()
    assert [json.loads(body)["title"] for _, body in hook.got] == [
        "[warning] 8 subjects: 8 alerts",
        "[resolved] 8 subjects: 8 alerts",
    ]


def test_maintenance_that_recurs_is_kept_and_ended(workbench, room, clock):
    one = room.quiet(
        "subject:churn", clock.now, clock.now + 400 * time.DAY, "nightly", weekly=Weekly("sun", "02:00-04:00", "UTC")
    )
    assert room.maintenance() == [one]
    room.end_quiet(one.id)
    assert room.maintenance() == []


def test_a_heartbeat_beats_while_somebody_is_there_and_is_no_message(workbench, room, clock, hook):
    Hook.do_GET = lambda self: (self.server.got.append(self.path), self.send_response(200), self.end_headers())
    room.add("alive", "heartbeat", hook.url)
    workbench.alerts.raise_alert("drift", "churn", title="x")
    for _ in range(3):
        assert [one.kind for one in room.deliver()] == ["beat"]
        assert not room.due()
        clock.advance(4 * time.MINUTE)
        assert room.deliver() == []
        clock.advance(time.MINUTE)
    assert hook.got == ["/hook"] * 3
    clock.advance(-time.HOUR)  # a clock that was set back does not keep it still
    assert room.due()
    for _ in range(120):
        clock.advance(time.HOUR)
        room.deliver()
    assert len(room.deliveries(limit=1000)) <= 102
