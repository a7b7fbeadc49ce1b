"""`mlops alerts channels`, `test`, `deliveries`, `maintenance` and `mlops secrets`, as typed."""

from __future__ import annotations

import io
import json
import sys


def test_a_channel_is_added_tried_listed_paused_and_removed(mlops, workspace):
    program = workspace.project / "page.sh"
    program.write_text("#!/bin/sh\ncat > told.json\n")
    program.chmod(0o755)
    assert "Make a channel" in mlops("alerts", "channels", "list")[2]
    code, _, err = mlops("alerts", "channels", "add", "page", "--kind", "script", "--to", "page.sh", "--after", "30m")
    assert code == 0
    assert "mlops alerts test page" in err
    assert mlops("alerts", "test", "page")[0] == 0
    assert json.loads((workspace.project / "told.json").read_text())["kind"] == "test"
    mlops("alerts", "channels", "pause", "page")
    [row] = json.loads(mlops("alerts", "channels", "list", "--json")[1])
    assert (row["name"], row["paused"], row["waits"]) == ("page", True, "30 min")
    mlops("alerts", "channels", "resume", "page")
    assert mlops("alerts", "channels", "remove", "page", "--yes")[0] == 0
    [told] = json.loads(mlops("alerts", "deliveries", "--json")[1])
    assert (told["channel"], told["state"]) == ("page", "sent")


def test_a_test_that_is_not_taken_exits_with_1_and_says_why(mlops):
    mlops("alerts", "channels", "add", "chat", "--kind", "slack", "--to", "{CHAT}")
    code, _, err = mlops("alerts", "test", "chat")
    assert code == 1
    assert "There is no secret CHAT" in err


def test_a_mistake_has_a_sentence_and_a_hint(mlops):
    code, _, err = mlops("alerts", "channels", "add", "m", "--kind", "email", "--to", "a@b.org")
    assert code > 1
    assert "--option server=" in err
    code, _, err = mlops("alerts", "channels", "add", "m", "--kind", "desktop", "--option", "loud")
    assert code > 1
    assert "KEY=VALUE" in err


def test_a_secret_comes_from_a_pipe_and_is_never_shown(mlops, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO("hush\n"))
    assert mlops("secrets", "set", "SMTP_PASSWORD")[0] == 0
    _, out, err = mlops("secrets", "list", "--json")
    assert json.loads(out) == [{"name": "SMTP_PASSWORD"}]
    assert "hush" not in out + err
    assert mlops("secrets", "remove", "SMTP_PASSWORD", "--yes")[0] == 0
    assert mlops("secrets", "remove", "SMTP_PASSWORD", "--yes")[0] > 1


def test_maintenance_is_begun_listed_and_ended(mlops):
    assert mlops("alerts", "maintenance", "begin", "--for", "2h", "--match", "subject:churn", "--why", "disk")[0] == 0
    [row] = json.loads(mlops("alerts", "maintenance", "list", "--json")[1])
    assert (row["match"], row["why"]) == ("subject:churn", "disk")
    assert mlops("alerts", "maintenance", "end", str(row["id"]))[0] == 0
    assert json.loads(mlops("alerts", "maintenance", "list", "--json")[1]) == []
    assert mlops("alerts", "maintenance", "begin", "--for", "soon")[0] > 1


def test_a_rule_is_added_listed_with_what_it_says_paused_and_removed(mlops):
    code, _, err = mlops("alerts", "rules", "add", "hot", "--series", "hardware.cpu", "--above", "95", "--for", "10m")
    assert code == 0
    assert "hardware.cpu above 95 for 10 min" in err
    [row] = json.loads(mlops("alerts", "rules", "list", "--json")[1])
    assert (row["name"], row["finding"], row["reason"]) == ("hot", "unknown", "no values")
    assert mlops("alerts", "rules", "pause", "hot")[0] == 0
    assert mlops("alerts", "rules", "resume", "hot")[0] == 0
    assert mlops("alerts", "rules", "remove", "hot", "--yes")[0] == 0
    assert "Make one" in mlops("alerts", "rules", "list")[2]


def test_a_rule_says_one_thing_about_a_series_there_is(mlops):
    assert "Say one of" in mlops("alerts", "rules", "add", "x", "--series", "hardware.cpu")[2]
    assert (
        "Say one of" in mlops("alerts", "rules", "add", "x", "--series", "hardware.cpu", "--above", "1", "--absent")[2]
    )
    assert "Did you mean 'cpu'" in mlops("alerts", "rules", "add", "x", "--series", "hardware.cpux", "--above", "1")[2]


def test_a_script_raises_an_alert_and_alerts_are_handled_by_query(mlops):
    for subject in ("nas", "nas", "tape"):
        code, out, _ = mlops("alerts", "raise", "backup", subject, "--title", "No backup", "--fact", "days=3")
        assert code == 0
    assert out == "Alert 2: No backup\n"
    assert mlops("alerts", "ack", "rule:backup", "subject:nas")[2] == "Acknowledged alert 1.\n"
    assert mlops("alerts", "silence", "rule:backup", "--for", "4h")[0] == 0
    assert mlops("alerts", "reopen", "rule:backup")[2] == "Opened again alert 1.\nOpened again alert 2.\n"
    assert "alert 2" in mlops("alerts", "resolve", "2")[2]
    code, _, said = mlops("alerts", "resolve", "1", "2")  # all or none
    assert (code, json.loads(mlops("alerts", "show", "1", "--json")[1])["state"]) == (6, "open")
    code, _, said = mlops("alerts", "ack", "rule:nothing")
    assert (code, "No unresolved alert meets" in said) == (3, True)
    assert mlops("alerts", "raise", "backup", "nas", "--title", "x", "--fact", "3")[0] == 2
    assert "nobody is told" not in mlops("alerts", "list")[2]
    mlops("alerts", "maintenance", "begin", "--for", "2h", "--match", "subject:nas")
    assert "nobody is told of what meets 'subject:nas'" in mlops("alerts", "list")[2]
