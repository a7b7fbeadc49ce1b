from __future__ import annotations

import os
from pathlib import Path

import pytest

from mlops_tui.core.artifacts import Artifacts
from mlops_tui.core.errors import InvalidInput, NotFound, Unavailable


@pytest.fixture
def store(tmp_path: Path) -> Artifacts:
    return Artifacts(tmp_path / "artifacts")


def files(store: Artifacts) -> list[Path]:
    return [path for path in store.root.rglob("*") if path.is_file()]


def test_the_same_content_is_stored_once(store: Artifacts, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"data")
    assert store.put_file(tmp_path / "a") == store.put_bytes(b"data")
    assert len(files(store)) == 1
    assert store.read(store.put_bytes(b"data")) == b"data"


def test_a_folder_comes_back_as_it_was(store: Artifacts, tmp_path: Path) -> None:
    source = tmp_path / "model"
    (source / "sub").mkdir(parents=True)
    (source / "a.txt").write_text("a")
    (source / "sub" / "b.txt").write_text("b")
    sha = store.put_folder(source)
    out = store.checkout(sha, tmp_path / "out")
    assert (out / "a.txt").read_text() + (out / "sub" / "b.txt").read_text() == "ab"
    assert store.folder_size(sha) == 2


def test_altered_content_is_never_handed_out(store: Artifacts) -> None:
    sha = store.put_bytes(b"model")
    path = store.path(sha)
    path.chmod(0o640)
    path.write_bytes(b"other")
    for read in (store.read, store.path):
        with pytest.raises(InvalidInput, match="altered"):
            read(sha)


def test_what_is_not_there_is_not_found(store: Artifacts, tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        store.read("0" * 64)
    with pytest.raises(NotFound):
        store.put_file(tmp_path / "none")


@pytest.mark.parametrize("sha", ["", "../../etc/passwd", "A" * 64, "0" * 63])
def test_only_a_hash_is_a_name(store: Artifacts, sha: str) -> None:
    with pytest.raises(InvalidInput):
        store.path(sha)


def test_a_manifest_cannot_lead_outside(store: Artifacts, tmp_path: Path) -> None:
    file = store.put_bytes(b"x")
    manifest = store.put_bytes(b'{"../evil": "%s"}' % file.encode())
    with pytest.raises(InvalidInput, match="outside"):
        store.checkout(manifest, tmp_path / "out")
    assert not (tmp_path / "evil").exists()


def test_a_full_disk_leaves_nothing_behind(store: Artifacts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_bytes(b"data")

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(Unavailable, match="disk is full"):
        store.put_file(tmp_path / "a")
    assert files(store) == []
