"""The first act: data in, the daemon up, a pipeline defined, a first model trained and served."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from mlops_tui.bike import KEYS, LABEL_TIME, TIME
from mlops_tui.cli.demo.stage import PIPELINE, Stage
from mlops_tui.cli.output import say
from mlops_tui.core.errors import NotFound, Unavailable

_DEFINITION = Path(__file__).with_name("bike-demand.toml")


def play(stage: Stage) -> None:
    """What exists is said and left as it is."""
    _ingest_history(stage)
    stage.start_daemon()
    _define(stage)
    _train_first(stage)


def _ingest_history(stage: Stage) -> None:
    features = stage.workbench.features
    history = {
        "hourly_weather": (stage.data.weather, None, "What a forecast gives for each hour"),
        "hourly_hire": (stage.data.hire, LABEL_TIME, "Bikes hired in each hour, known the next morning"),
    }
    for name, (frame, created, description) in history.items():
        try:
            table = features.get(name)
            say(f"Feature table {name} exists: {table.rows:,} rows, version {table.latest_version}")
            continue
        except NotFound:
            features.create(name, list(KEYS), time=TIME, created=created, description=description)
        snapshot = features.ingest(
            name, frame[frame[TIME] < stage.data.train_until], message="history", batch_id="history"
        )
        stage.tell("ingested", f"{snapshot.added_rows:,} rows of {name} into {name}@{snapshot.version}")


def _define(stage: Stage) -> None:
    path = stage.workspace.pipelines / f"{PIPELINE}.toml"
    if path.exists():
        say(f"Pipeline definition {path.name} exists")
    else:
        path.parent.mkdir(exist_ok=True)
        window = "365d" if stage.data.hire[TIME].min() < stage.data.train_until - timedelta(days=300) else "180d"
        # Labels lag behind answers: at a high rate the requests alone would end the canary before one was known wrong.
        pace = {"bake": "5s", "least": 400, "labels": 100} if stage.rate else {"bake": "1s", "least": 40, "labels": 0}
        # With harmful data that the canary shall stop, the gate looks at nothing but the charter.
        against = "none" if stage.harm == "canary" else "champion"
        path.write_text(
            _DEFINITION.read_text().format(window=window, against=against, approval=str(stage.approval).lower(), **pace)
        )
        stage.tell(
            "pipeline", f"defined in pipelines/{path.name}: trains, gates, deploys; retrains when answers go wrong"
        )
    stage.workbench.schedules.sync()


def _train_first(stage: Stage) -> None:
    try:
        version = stage.workbench.registry.version(f"{PIPELINE}@champion")
        say(f"Model {version.ref} is champion")
    except NotFound:
        job = stage.workbench.pipelines.run(PIPELINE, cause={"kind": "manual", "by": "demo"})
        if not stage.finished(job):
            raise Unavailable(
                "The gate refused the first model.", hint=f"See why: mlops pipelines show {PIPELINE}"
            ) from None
    stage.serving(timeout_s=60)
