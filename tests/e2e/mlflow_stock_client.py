"""A script of someone who only knows MLflow: nothing of ours is imported. Run with the server's URL; prints one line of JSON.

With `quick` as second word MLflow does not look by itself for the packages that a model needs: that starts Python anew for every
model and takes 5 s each. Models are kept by cloudpickle, so that mlflow-skinny does with what it needs itself.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import warnings
from pathlib import Path

os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
warnings.filterwarnings("ignore")

import mlflow  # noqa: E402
from mlflow import MlflowClient  # noqa: E402
from mlflow.entities import Metric, Param, RunTag, ViewType  # noqa: E402
from mlflow.exceptions import MlflowException  # noqa: E402


def refused(action, code: str) -> None:
    said = ""
    try:
        action()
    except MlflowException as error:
        said = error.error_code
    assert said == code, f"{code} was expected, not {said}"


QUICK = sys.argv[2:] == ["quick"]
LARGE = bytes(range(256)) * 24_000


def in_parts(path: Path, folder: str) -> None:
    """Upload as the client does it with large files."""
    wanted = {
        "MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD": "true",
        "MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE": "1000",
        "MLFLOW_MULTIPART_UPLOAD_CHUNK_SIZE": str(5 * 1024 * 1024),
    }
    path.write_bytes(LARGE)
    os.environ.update(wanted)
    mlflow.log_artifact(str(path), folder)
    for name in wanted:
        del os.environ[name]


def tracking(client: MlflowClient) -> str:
    experiment = mlflow.set_experiment("credit risk / 2026")
    client.set_experiment_tag(experiment.experiment_id, "team", "growth")
    assert client.get_experiment(experiment.experiment_id).tags["team"] == "growth"
    assert client.get_experiment_by_name("nobody") is None
    refused(lambda: client.create_experiment("credit risk / 2026"), "RESOURCE_ALREADY_EXISTS")
    with mlflow.start_run(run_name="outer", tags={"stage": "dev"}) as outer:
        mlflow.log_params({"depth": 6, "rate": 0.1})
        mlflow.log_param("depth", 6)
        refused(lambda: client.log_param(outer.info.run_id, "depth", 7), "INVALID_PARAMETER_VALUE")
        for step in range(20):
            mlflow.log_metric("loss", 1 / (step + 1), step=step)
        mlflow.log_metrics({"auc": 0.91, "odd": float("nan"), "most": float("inf")}, step=3)
        mlflow.set_tags({"owner": "ana", "b": "c"})
        mlflow.delete_tag("b")
        mlflow.log_text("hello", "notes/a.txt")
        mlflow.log_dict({"a": [1]}, "facts.json")
        mlflow.log_table({"q": ["x", "y"], "n": [1, 2]}, "table.json") if mlflow_full() else None
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "deep").mkdir()
            (Path(folder) / "deep" / "b c.bin").write_bytes(bytes(range(256)) * 1000)
            mlflow.log_artifacts(folder, "more")
            in_parts(Path(folder) / "large.bin", "parts")
        with mlflow.start_run(run_name="inner", nested=True) as inner:
            mlflow.log_metric("auc", 0.5)
            mlflow.log_param("depth", 2)
    run_id = outer.info.run_id
    run = client.get_run(run_id)
    assert (run.info.status, run.info.lifecycle_stage, run.info.run_name) == ("FINISHED", "active", "outer")
    assert run.data.params == {"depth": "6", "rate": "0.1"}
    assert run.data.metrics["auc"] == 0.91
    assert run.data.metrics["odd"] != run.data.metrics["odd"]
    assert run.data.tags["owner"] == "ana"
    assert "b" not in run.data.tags
    assert [m.step for m in client.get_metric_history(run_id, "loss")] == list(range(20))
    assert client.get_run(inner.info.run_id).data.tags["mlflow.parentRunId"] == run_id
    assert {f.path for f in client.list_artifacts(run_id)} >= {"notes", "facts.json", "more"}
    assert mlflow.artifacts.load_text(f"runs:/{run_id}/notes/a.txt") == "hello"
    got = client.download_artifacts(run_id, "parts/large.bin")
    assert Path(got).read_bytes() == LARGE
    got = client.download_artifacts(run_id, "more")
    assert (Path(got) / "deep" / "b c.bin").read_bytes() == bytes(range(256)) * 1000
    refused(lambda: client.get_run("0" * 32), "RESOURCE_DOES_NOT_EXIST")
    client.log_batch(
        run_id, [Metric("x", float(i), 1000 + i, 0) for i in range(5)], [Param("p", "1")], [RunTag("t", "1")]
    )
    assert [m.value for m in client.get_metric_history(run_id, "x")] == [0.0, 1.0, 2.0, 3.0, 4.0]
    mlflow.log_metric("late", 1.0, run_id=run_id, synchronous=False).wait()
    searching(client, experiment.experiment_id, run_id, inner.info.run_id)
    lives(client, inner.info.run_id)
    return run_id


def mlflow_full() -> bool:
    try:
        import pandas  # noqa: F401
        import sklearn  # noqa: F401
    except ImportError:
        return False
    return True


def searching(client: MlflowClient, experiment: str, outer: str, inner: str) -> None:
    def found(text: str, **more) -> list[str]:
        return [run.info.run_id for run in client.search_runs([experiment], text, **more)]

    assert found("") == [inner, outer]
    assert found("metrics.auc > 0.6 and params.depth = '6' AND tags.owner LIKE 'an%'") == [outer]
    assert found(f"tags.`mlflow.parentRunId` = '{outer}'") == [inner]
    assert found("attributes.run_name ILIKE 'OUT%'") == [outer]
    assert found("params.rate IS NULL") == [inner]
    assert found("status = 'FINISHED'", order_by=["metrics.auc ASC"]) == [inner, outer]
    assert found("", order_by=["params.depth DESC"], max_results=1) == [outer]
    first = client.search_runs([experiment], max_results=1)
    second = client.search_runs([experiment], max_results=1, page_token=first.token)
    assert [first[0].info.run_id, second[0].info.run_id] == [inner, outer]
    assert not second.token
    for wrong in ("metrics.auc > ", "foo.a = 1", "metrics.auc > '1'", "a = 'x' OR b = 'y'"):
        refused(lambda wrong=wrong: found(wrong), "INVALID_PARAMETER_VALUE")
    names = [one.name for one in client.search_experiments(filter_string="name LIKE 'credit%'")]
    assert names == ["credit risk / 2026"], names
    if mlflow_full():
        frame = mlflow.search_runs(search_all_experiments=True, filter_string="metrics.auc > 0.6")
        assert frame["run_id"].tolist() == [outer]


def lives(client: MlflowClient, run_id: str) -> None:
    client.delete_run(run_id)
    assert client.get_run(run_id).info.lifecycle_stage == "deleted"
    refused(lambda: client.log_metric(run_id, "a", 1), "INVALID_PARAMETER_VALUE")
    client.restore_run(run_id)
    client.update_run(run_id, status="KILLED", name="renamed")
    assert (client.get_run(run_id).info.status, client.get_run(run_id).info.run_name) == ("KILLED", "renamed")
    with mlflow.start_run(run_id=run_id):
        assert client.get_run(run_id).info.status == "RUNNING"
    other = client.create_experiment("short life")
    client.rename_experiment(other, "shorter life")
    client.delete_experiment(other)
    assert [e.name for e in client.search_experiments(ViewType.DELETED_ONLY)] == ["shorter life"]
    client.restore_experiment(other)


def registry(client: MlflowClient, run_id: str) -> None:
    """Without a machine-learning library: any files can be a model version."""
    client.create_registered_model("plain", tags={"a": "1"}, description="d")
    refused(lambda: client.create_registered_model("plain"), "RESOURCE_ALREADY_EXISTS")
    refused(lambda: client.get_registered_model("nobody"), "RESOURCE_DOES_NOT_EXIST")
    for _ in range(2):
        version = client.create_model_version("plain", f"runs:/{run_id}/more", run_id=run_id, tags={"k": "v"})
    assert (version.version, version.status, version.run_id) in {("2", "READY", run_id), (2, "READY", run_id)}
    refused(lambda: client.create_model_version("plain", "file:///etc"), "INVALID_PARAMETER_VALUE")
    client.set_registered_model_alias("plain", "candidate", "1")
    assert str(client.get_model_version_by_alias("plain", "candidate").version) == "1"
    assert client.get_registered_model("plain").aliases in ({"candidate": "1"}, {"candidate": 1})
    client.set_model_version_tag("plain", "1", "x", "y")
    client.delete_model_version_tag("plain", "1", "k")
    assert client.get_model_version("plain", "1").tags == {"x": "y"}
    client.update_model_version("plain", "1", description="first")
    client.set_registered_model_tag("plain", "b", "2")
    client.delete_registered_model_tag("plain", "a")
    assert client.get_registered_model("plain").tags == {"b": "2"}
    client.transition_model_version_stage("plain", "2", "Staging")
    assert [str(v.version) for v in client.get_latest_versions("plain", ["Staging"])] == ["2"]
    assert [str(v.version) for v in client.search_model_versions("name = 'plain'")] == ["2", "1"]
    assert [m.name for m in client.search_registered_models("name LIKE 'pl%'")] == ["plain"]
    place = mlflow.artifacts.download_artifacts("models:/plain@candidate")
    assert (Path(place) / "deep" / "b c.bin").stat().st_size == 256_000
    client.delete_registered_model_alias("plain", "candidate")
    client.delete_model_version("plain", "2")
    assert str(client.create_model_version("plain", f"runs:/{run_id}/more").version) == "3"
    client.rename_registered_model("plain", "plainer")
    client.delete_registered_model("plainer")
    refused(lambda: client.get_registered_model("plainer"), "RESOURCE_DOES_NOT_EXIST")


def learning(client: MlflowClient) -> None:
    import numpy as np
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV

    X = np.random.default_rng(0).normal(size=(80, 3))
    y = (X[:, 0] > 0).astype(int)
    mlflow.set_experiment("autologged")
    mlflow.sklearn.autolog(log_models=not QUICK, serialization_format="cloudpickle")
    with mlflow.start_run() as run:
        model = LogisticRegression().fit(X, y)
    found = client.get_run(run.info.run_id)
    assert found.data.params["C"] == "1.0"
    assert found.data.metrics["training_accuracy_score"] > 0.9
    assert found.inputs.dataset_inputs
    assert QUICK or found.outputs.model_outputs
    with mlflow.start_run() as search_run:
        GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, cv=2).fit(X, y)
    children = client.search_runs(
        [search_run.info.experiment_id], f"tags.mlflow.parentRunId = '{search_run.info.run_id}'"
    )
    assert len(children) == 2
    mlflow.sklearn.autolog(disable=True)
    with mlflow.start_run() as run:
        mlflow.log_metric("auc", 0.9)
        info = mlflow.sklearn.log_model(
            model,
            name="clf",
            registered_model_name="risk",
            input_example=X[:2],
            serialization_format="cloudpickle",
            pip_requirements=["scikit-learn"] if QUICK else None,
        )
    client.set_registered_model_alias("risk", "champion", 1)
    loaded = mlflow.pyfunc.load_model("models:/risk@champion")
    assert loaded.predict(X).tolist() == model.predict(X).tolist()
    assert mlflow.sklearn.load_model("models:/risk/1").predict(X).tolist() == model.predict(X).tolist()
    assert mlflow.pyfunc.load_model(f"runs:/{run.info.run_id}/clf").predict(X).tolist() == model.predict(X).tolist()
    assert mlflow.pyfunc.load_model(info.model_uri).predict(X).tolist() == model.predict(X).tolist()
    assert mlflow.pyfunc.load_model("models:/risk/latest").predict(X).shape == (80,)
    (logged,) = mlflow.search_logged_models(
        experiment_ids=[run.info.experiment_id],
        filter_string="metrics.auc > 0.8 AND name = 'clf'",
        order_by=[{"field_name": "metrics.auc", "ascending": False}],
        output_format="list",
    )
    assert logged.source_run_id == run.info.run_id
    mlflow.set_logged_model_tags(logged.model_id, {"q": "1"})
    assert mlflow.get_logged_model(logged.model_id).tags["q"] == "1"
    client.copy_model_version("models:/risk/1", "risk-copy")
    assert mlflow.pyfunc.load_model("models:/risk-copy/1").predict(X).tolist() == model.predict(X).tolist()
    client.transition_model_version_stage("risk", 1, "Production")
    assert mlflow.pyfunc.load_model("models:/risk/Production").predict(X).shape == (80,)


if __name__ == "__main__":
    mlflow.set_tracking_uri(sys.argv[1])
    stock = MlflowClient()
    outer_id = tracking(stock)
    registry(stock, outer_id)
    if mlflow_full():
        learning(stock)
    print(json.dumps({"mlflow": mlflow.__version__, "run": outer_id, "learning": mlflow_full()}))
