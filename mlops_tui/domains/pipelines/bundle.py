"""What a pipeline is made of, as one archive: definition, own code, tests, lock. The same content gives the same bytes."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from mlops_tui.core.errors import InvalidInput, NotFound
from mlops_tui.domains.pipelines import cache
from mlops_tui.domains.pipelines import lock as locks

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mlops_tui.domains.pipelines.recipe import Recipe

DEFINITION, LOCK, REPORT, MANIFEST = "pipeline.toml", "requirements.lock", "report.json", "package.json"
CODE = "project"
MAX_BYTES = 20 * 2**20


@dataclass(frozen=True, slots=True)
class Bundle:
    """`files` by their path in the project; `content` is the hash of all that makes the pipeline do what it does."""

    definition: str
    files: dict[str, bytes]
    lock: dict[str, str]
    content: str

    @property
    def hashes(self) -> dict[str, str]:
        return {name: hashlib.sha256(data).hexdigest() for name, data in self.files.items()}


def collect(recipe: Recipe, definition: str, project: Path) -> Bundle:
    """Gather what a definition needs of the project: the Python files beside each file it names, and its tests.

    Raises NotFound for a file that is not there, InvalidInput for one that is no Python or for more than MAX_BYTES.
    """
    project, files = project.resolve(), {}
    for path in _paths(recipe, project):
        files[path.relative_to(project).as_posix()] = path.read_bytes()
    if sum(map(len, files.values())) > MAX_BYTES:
        raise InvalidInput(
            f"The pipeline's own code is larger than {MAX_BYTES >> 20} MiB.", hint="Keep data elsewhere."
        )
    sources = [_text(name, data) for name, data in files.items() if name.endswith(".py")]
    try:
        locked = locks.lock([*cache.LIBRARIES, recipe.model.estimator.partition(".")[0]], sources)
    except SyntaxError as error:
        raise InvalidInput(f"The pipeline's own code cannot be read: {error}.", hint="Correct the file.") from error
    parts = [definition, {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}, locked]
    content = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
    return Bundle(definition, dict(sorted(files.items())), locked, content)


def own_code(recipe: Recipe, project: Path) -> dict[str, bytes]:
    """The files of the project that a definition names, with those beside them, by their path there; none outside the project.

    Raises NotFound for one that is not there.
    """
    project = project.resolve()
    paths = [path for path in _paths(recipe, project, outside=True) if path.is_relative_to(project)]
    return {path.relative_to(project).as_posix(): path.read_bytes() for path in paths}


def pack(bundle: Bundle, name: str, report: dict[str, Any] | None = None) -> bytes:
    """The archive: definition, `project/` with code and tests, lock, manifest, and the report where there is one."""
    said = {"pipeline": name, "content": bundle.content, "files": bundle.hashes, "lock": bundle.lock}
    members = {
        DEFINITION: bundle.definition.encode(),
        LOCK: locks.text(bundle.lock).encode(),
        MANIFEST: json.dumps(said, indent=1, sort_keys=True).encode(),
        **{f"{CODE}/{path}": data for path, data in bundle.files.items()},
    }
    if report is not None:
        members[REPORT] = json.dumps(report, indent=1, sort_keys=True).encode()
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for path, data in sorted(members.items()):
            member = tarfile.TarInfo(path)  # no time, owner or mode of this machine: equal content, equal bytes
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return gzip.compress(plain.getvalue(), mtime=0)


def unpack(data: bytes, folder: Path) -> Path:
    """Write the project files of an archive under `folder`, each checked against the manifest; where they lie.

    Raises InvalidInput for an archive that is damaged, or names a file outside.
    """
    try:
        with tarfile.open(fileobj=io.BytesIO(gzip.decompress(data))) as archive:
            members = {one.name: archive.extractfile(one).read() for one in archive if one.isfile()}  # type: ignore[union-attr]
        wanted: dict[str, str] = json.loads(members[MANIFEST])["files"]
    except (OSError, EOFError, KeyError, ValueError, tarfile.TarError) as error:
        raise InvalidInput("The package is damaged; it is not run.", hint="Package the pipeline again.") from error
    for path, sha in wanted.items():
        held = members.get(f"{CODE}/{path}", b"")
        if PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
            raise InvalidInput(f"The package names a file outside its folder: {path}.", hint="It is not run.")
        if hashlib.sha256(held).hexdigest() != sha:
            raise InvalidInput(f"{path} of the package does not have the hash it names; it is not run.")
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(held)
    return folder


def _paths(recipe: Recipe, project: Path, *, outside: bool = False) -> Iterator[Path]:
    named = [one.uses.partition(":")[0] for one in recipe.steps]
    named += [recipe.model.preprocess.partition(":")[0]] if ":" in recipe.model.preprocess else []
    seen: set[Path] = set()
    for place in [_file_of(name, project) for name in named]:
        if place:
            yield from _new(cache.beside(_there(project, place, outside), project), seen)
    for place in (*recipe.gate.tests, *recipe.pipeline.tests):
        path = _there(project, place, outside)
        around = [path, *path.parent.glob("conftest.py")] if path.is_file() else path.rglob("*.py")
        yield from _new(around, seen)


def _file_of(place: str, project: Path) -> str:
    """The file of the project behind `steps/prep.py` or the module `steps.prep`; empty for a module from elsewhere."""
    if place.endswith(".py"):
        return place
    path = place.replace(".", "/")
    return next((one for one in (f"{path}.py", f"{path}/__init__.py") if (project / one).is_file()), "")


def _new(paths: Iterable[Path], seen: set[Path]) -> Iterator[Path]:
    for path in sorted(set(paths) - seen):
        seen.add(path)
        yield path


def _there(project: Path, place: str, outside: bool) -> Path:
    path = (project / place).resolve()
    if not path.exists():
        raise NotFound(f"There is no file {place} in {project}.", hint="Paths in a pipeline file start at the project.")
    if not outside and not path.is_relative_to(project):
        raise InvalidInput(f"{place} lies outside the project.", hint="Keep a pipeline's code beside its definition.")
    return path


def _text(name: str, data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{name} is no UTF-8 text.", hint="Correct the file.") from error
