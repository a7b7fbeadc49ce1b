"""Container files: the package, what it needs, and a start script that serves it with this workbench."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mlops_tui._version import __version__
from mlops_tui.domains.registry import package as packages
from mlops_tui.domains.registry.package import environment

if TYPE_CHECKING:
    from mlops_tui.domains.registry.records import Version

DOCKERFILE = """\
FROM python:{python}-slim
RUN useradd --create-home app
WORKDIR /home/app
COPY requirements.txt ./
RUN pip install --no-cache-dir -r requirements.txt
COPY --chown=app package ./package
COPY --chown=app start.sh ./
USER app
ENV PORT=8080
EXPOSE 8080
CMD ["sh", "start.sh"]
"""

# The gateway listens on the machine's own addresses only: who publishes the port decides who may ask.
START = """\
#!/bin/sh
# Serves {ref} at http://127.0.0.1:$PORT/v2/models/{name}/infer. Runs in the container, or by hand where mlops-tui is installed.
set -eu
cd "$(dirname "$0")"
work="${{WORK:-$HOME/.mlops-{name}-{version}}}"
if [ ! -d "$work/storage" ]; then
  mlops init "$work"
  mlops -w "$work" models register {name} package --description "{ref}, package sha256 {sha}"
  mlops -w "$work" models promote {name}/1 --why "exported as {ref}"
  mlops -w "$work" deployments create {name} {name}/1
fi
exec mlops -w "$work" serve inference --port "${{PORT:-8080}}"
"""

README = """\
# {ref} as a container

Package sha256 `{sha}`; every file's hash is in `export.json` (`mlops models verify FOLDER`).

    docker build -t {name}:{version} .
    docker run --network host {name}:{version}
    curl http://127.0.0.1:8080/v2/models/{name}/infer -H 'Content-Type: application/json' -d @request.json

The gateway answers this machine only, so the container shares its network; a proxy in front decides who else may ask.
Without Docker, where mlops-tui is installed: `sh start.sh`. Its workspace is
`~/.mlops-{name}-{version}` (or `$WORK`); inside, the version is `{name}/1`.
"""


def make(version: Version, package: Path, folder: Path) -> str:
    """Write Dockerfile, requirements, start script, an example request and the package; what was checked, in a sentence."""
    import json

    found = environment(package)
    libraries = {"mlops-tui": __version__, **found.get("libraries", {})}
    python = ".".join(str(found.get("python", "3.11")).split(".")[:2])
    names = {
        "ref": version.ref,
        "name": version.model,
        "version": version.version,
        "sha": version.sha,
        "python": python,
    }
    pinned = "".join(f"{name}=={number}\n" for name, number in sorted(libraries.items()))
    (folder / "requirements.txt").write_text(pinned, encoding="utf-8")
    (folder / "Dockerfile").write_text(DOCKERFILE.format(**names), encoding="utf-8")
    (folder / "start.sh").write_text(START.format(**names), encoding="utf-8")
    (folder / "README.md").write_text(README.format(**names), encoding="utf-8")
    (folder / "request.json").write_text(json.dumps(request(package), indent=1) + "\n", encoding="utf-8")
    return "Build it there with docker, or: sh start.sh"


def request(package: Path) -> dict[str, object]:
    """The first stored row as a request of the Open Inference Protocol."""
    described, row = packages.signature(package), packages.sample(package).head(1)
    datatypes = {"int64": "INT64", "float64": "FP64", "bool": "BOOL"}
    inputs = [
        {
            "name": item["name"],
            "datatype": datatypes.get(item["type"], "BYTES"),
            "shape": [1],
            "data": json_values(row[item["name"]].tolist()),
        }
        for item in described["inputs"]
    ]
    return {"inputs": inputs}


def json_values(values: list[object]) -> list[object]:
    """Values as JSON holds them: times as ISO 8601, missing ones as null."""
    return [
        None if value is None or value != value else value if isinstance(value, (bool, int, float, str)) else str(value)
        for value in values
    ]
