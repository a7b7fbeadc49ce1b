"""The workspace: one folder with `settings.toml` and the data, and where each kind of file lies in it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mlops_tui.core.errors import AlreadyExists, InvalidInput, NotFound, Unavailable

SETTINGS = "settings.toml"
FOLDER = "storage"

_NEW_SETTINGS = """\
# Settings of this workspace. Everything has a default; `docs/settings.md` lists them all.
# A value can also be given as an environment variable: MLOPS_SERVING_PORT=8081.

[workspace]
name = "{name}"
"""


@dataclass(frozen=True, slots=True)
class Workspace:
    """Paths only: opening files is the business of whoever owns them."""

    root: Path

    @property
    def project(self) -> Path:
        """The folder around the workspace, where pipeline definitions and their code are kept in git."""
        return self.root.parent

    @property
    def settings_file(self) -> Path:
        return self.root / SETTINGS

    @property
    def catalog_db(self) -> Path:
        return self.root / "catalog.db"

    @property
    def metrics_db(self) -> Path:
        return self.root / "metrics.db"

    @property
    def telemetry_db(self) -> Path:
        return self.root / "telemetry.db"

    @property
    def lake(self) -> Path:
        """Immutable Parquet files."""
        return self.root / "lake"

    @property
    def artifacts(self) -> Path:
        """Content-addressed files."""
        return self.root / "artifacts"

    @property
    def spool(self) -> Path:
        """Segments that running training scripts append to."""
        return self.root / "spool"

    @property
    def segments(self) -> Path:
        """Segments of answered predictions and of feedback, before compaction."""
        return self.root / "segments"

    @property
    def jobs(self) -> Path:
        return self.root / "jobs"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def tmp(self) -> Path:
        return self.root / "tmp"

    @property
    def run(self) -> Path:
        """Locks, process identities and sockets of what is running now."""
        return self.root / "run"

    @property
    def daemon_lock(self) -> Path:
        """Held for life by the daemon: whether it is held tells whether one runs."""
        return self.run / "daemon.lock"

    @property
    def bell(self) -> Path:
        """What wakes the daemon: see `core/bell.py`."""
        return self.run / "daemon.bell"

    @property
    def upkeep_lock(self) -> Path:
        """Held by a backup and by a collection while they run: neither may see the other's half."""
        return self.run / "upkeep.lock"

    @property
    def pipelines(self) -> Path:
        return self.project / "pipelines"

    def socket_path(self, name: str) -> Path:
        """A path for a unix socket; outside the workspace when the workspace path is too long for one (108 bytes)."""
        inside = self.run / f"{name}.sock"
        if len(os.fsencode(inside)) < 100:
            return inside
        import hashlib
        import tempfile  # both only on this rare path, and every list command pays for imports above

        digest = hashlib.sha256(os.fsencode(self.root)).hexdigest()[:12]
        folder = Path(tempfile.gettempdir()) / f"mlops-{os.getuid()}-{digest}"
        folder.mkdir(mode=0o700, exist_ok=True)
        if folder.stat().st_uid != os.getuid():
            raise Unavailable(
                f"{folder} belongs to another user, so no socket can be made there safely.",
                hint="Move the workspace to a shorter path.",
            )
        return folder / f"{name}.sock"

    def make_folders(self) -> None:
        for folder in (self.lake, self.artifacts, self.spool, self.segments, self.jobs, self.logs, self.tmp, self.run):
            folder.mkdir(parents=True, exist_ok=True)

    @classmethod
    def create(cls, project: Path) -> Workspace:
        """Make `project`/storage and `project`/pipelines; AlreadyExists if a workspace is there, Unavailable if the disk refuses."""
        workspace = cls((project / FOLDER).resolve())
        if workspace.settings_file.exists():
            raise AlreadyExists(
                f"{workspace.root} is a workspace already.", hint="Open it: mlops --workspace DIR status"
            )
        try:
            workspace.make_folders()
            workspace.pipelines.mkdir(exist_ok=True)
            staged = workspace.root / f"{SETTINGS}.new"
            staged.write_text(_NEW_SETTINGS.format(name=workspace.project.name.replace('"', "'").replace("\\", "/")))
            staged.replace(workspace.settings_file)  # last, and whole: the settings file is what makes it a workspace
        except OSError as error:
            raise Unavailable(
                f"Cannot make a workspace in {project}: {error.strerror}.", hint="Choose a folder you may write to."
            ) from error
        return workspace

    @classmethod
    def find(
        cls, explicit: str | Path | None = None, env: Mapping[str, str] | None = None, cwd: Path | None = None
    ) -> Workspace:
        """The workspace meant by `explicit`, else $MLOPS_WORKSPACE, else the nearest parent of `cwd`, else the user's data folder.

        Raises NotFound with the ways to make one, InvalidInput when a place was named that holds none.
        """
        env = os.environ if env is None else env
        named = explicit or env.get("MLOPS_WORKSPACE")
        if named:
            found = _at(Path(named).expanduser())
            if found is None:
                raise NotFound(f"There is no workspace at {named}.", hint=f"Make one: mlops init {named}")
            return found
        here = (cwd or Path.cwd()).resolve()
        for folder in (here, *here.parents):
            found = _at(folder)
            if found is not None:
                return found
        home = user_folder(env)
        found = _at(home)
        if found is None:
            raise NotFound(
                f"There is no workspace in {here} or above it.",
                hint="Make one here: mlops init   (or name one: mlops --workspace DIR ..., or set MLOPS_WORKSPACE)",
            )
        return found


def user_folder(env: Mapping[str, str]) -> Path:
    """The project folder used when no other is found: `mlops` in the user's data folder."""
    if env.get("XDG_DATA_HOME"):
        return Path(env["XDG_DATA_HOME"]) / "mlops"
    import platformdirs  # 21 ms, and only on this last resort

    return Path(platformdirs.user_data_dir("mlops", appauthor=False))


def _at(folder: Path) -> Workspace | None:
    """The workspace that `folder` is or holds; both the project and its storage folder may be named."""
    for root in (folder, folder / FOLDER):
        if (root / SETTINGS).is_file():
            return Workspace(root.resolve())
    if folder.is_file():
        raise InvalidInput(f"{folder} is a file, not a folder.", hint="Name the project folder or its storage folder.")
    return None
