"""The life of a model from one definition, every command as a person would type it: test, package, staging, two successive fires of
the clock (the gate takes a better model and refuses a worse one), approval by somebody else, rollback, retirement.

    python bench/one_file.py FOLDER        an empty folder; some three minutes, most of them waiting for the clock
"""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

SAMPLES = Path(__file__).resolve().parent.parent / "sample_data"
MORE = """
[deploy]
to = "production"

[[triggers]]
kind = "schedule"
cron = "@every {every}s"
"""
EVERY_S = 60


def main() -> None:
    folder = Path(sys.argv[1]).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    os.chdir(folder)
    prepare()
    say("pipelines", "test", "bike")
    say("pipelines", "package", "bike", "--why", "the first definition")
    say("pipelines", "deploy", "bike@1", "--to", "staging", "--why", "see it run", "--wait")
    say("pipelines", "deploy", "bike@1", "--to", "production", "--why", "it ran in staging", "--wait")
    say("schedules", "list")
    say("models", "require", "bike", "--approvals", "1")
    say("features", "ingest", "hourly_hire", "summer.csv")
    say("daemon", "start")
    try:
        note(f"The slot of {wait_for_fire()} ran on half a year more of data")
        say("pipelines", "gate", "bike")
        say("models", "requests")
        say("features", "ingest", "hourly_hire", "wrong.csv")
        note(
            f"The slot of {wait_for_fire()} ran after somebody imported all hours but the last month once more, in tens"
        )
        say("pipelines", "gate", "bike", expect=1)
        say("schedules", "pause", "bike-schedule", "--why", "the import is being undone")
        say("schedules", "fires", "bike-schedule")
        reference = json.loads(output("models", "requests"))[0]["ref"]
        say("models", "approve", reference, "--promote", "--why", "looked at the slices", actor="ana")
        say("deployments", "create", "bike", reference)
        say("models", "diff", "bike/2", reference)
        say("models", "rollback", "bike", "--why", "wrong on holidays")
        say("deployments", "rollback", "bike", "--why", "wrong on holidays")
        say("models", "retire", reference, "--yes", expect=None)
        say("models", "retire", reference, "--replacement", "bike@champion", "--yes")
        say("models", "show", "bike")
        say("models", "card", "bike@champion")
        say("audit", "list", "--limit", "60")
        say("audit", "verify")
    finally:
        say("daemon", "stop")


def prepare() -> None:
    say("init", ".")
    settings = Path("storage/settings.toml")
    settings.write_text(settings.read_text(encoding="utf-8") + "\n[serving]\nport = 18291\n", encoding="utf-8")
    rows = list(csv.DictReader((SAMPLES / "hourly_hire.csv").open(encoding="utf-8")))
    write("spring.csv", [row for row in rows if row["time"] < "2024-05"])
    write("summer.csv", [row for row in rows if "2024-05" <= row["time"] < "2024-11"])
    again = [
        {**row, "cnt": str(int(row["cnt"]) // 10), "label_at": "2024-11-02T04:00Z"}
        for row in rows
        if row["time"] < "2024-10"
    ]
    write("wrong.csv", again)
    say("features", "create", "hourly_hire", "--key", "city", "--time", "time", "--created", "label_at")
    say("features", "ingest", "hourly_hire", "spring.csv")
    say("features", "create", "hourly_weather", "--key", "city", "--time", "time")
    say(
        "features",
        "ingest",
        "hourly_weather",
        str(SAMPLES / "hourly_weather.csv"),
        shown="../sample_data/hourly_weather.csv",
    )
    definition = (SAMPLES / "bike.toml").read_text(encoding="utf-8") + MORE.format(every=EVERY_S)
    Path("pipelines/bike.toml").write_text(definition, encoding="utf-8")


def write(name: str, rows: list[dict[str, str]]) -> None:
    with Path(name).open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def note(text: str) -> None:
    print(f"\n# {text}", flush=True)


def say(*words: str, actor: str = "ben", expect: int | None = 0, shown: str = "") -> None:
    """Run `mlops WORDS` as `actor` and print command and answer; end when it ends with another code than `expect` (None: any)."""
    line = " ".join(f'"{word}"' if " " in word else word for word in words)
    print(f"\n{actor}$ mlops {line.replace(words[-1], shown) if shown else line}", flush=True)
    done = subprocess.run(command(*words), env={**os.environ, "MLOPS_ACTOR": actor}, check=False)
    if done.returncode:
        print(f"(exit code {done.returncode})", flush=True)
    if expect is not None and done.returncode != expect:
        raise SystemExit(f"expected exit code {expect}")


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "mlops_tui", *words]


def output(*words: str) -> str:
    return subprocess.run([*command(*words), "--json"], check=True, capture_output=True, text=True).stdout


def wait_for_fire() -> str:
    """Wait until a slot that is still to come fired and its run ended; when it was due."""
    begin, deadline = now(), time.monotonic() + 10 * EVERY_S
    while time.monotonic() < deadline:
        for fire in json.loads(output("schedules", "fires", "bike-schedule")):
            if fire["due_at"] > begin and fire["job_state"] == "succeeded":
                return str(fire["due_at"])
        time.sleep(1)
    raise SystemExit("no slot fired in time")


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


if __name__ == "__main__":
    main()
