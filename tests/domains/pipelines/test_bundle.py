from __future__ import annotations

import gzip
import io
import json
import sys
import tarfile

import pytest

from mlops_tui.core.errors import InvalidInput, NotFound
from mlops_tui.domains.pipelines import bundle, lock
from mlops_tui.domains.pipelines.definition import parse

DEFINITION = """
[pipeline]
name = "bikes"
tests = ["tests"]
[data]
spine = "labels"
target = "count"
[model]
task = "regression"
estimator = "sklearn.linear_model.LinearRegression"
[[steps]]
name = "rush"
uses = "steps/rush.py:run"
"""


@pytest.fixture
def project(tmp_path):
    for path, text in {
        "steps/rush.py": "import numpy\nfrom steps import hours\n",
        "steps/hours.py": "RUSH = (7, 8)\n",
        "tests/test_rush.py": "def test_it(): pass\n",
        "other.py": "print('not asked for')\n",
    }.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text)
    return tmp_path


def collect(project, text=DEFINITION):
    return bundle.collect(parse(text, "bikes.toml"), text, project)


def test_a_bundle_holds_the_named_files_their_neighbours_and_the_tests_and_nothing_else(project):
    assert list(collect(project).files) == ["steps/hours.py", "steps/rush.py", "tests/test_rush.py"]


def test_equal_content_gives_equal_bytes_and_any_change_another_content(project):
    first = collect(project)
    assert bundle.pack(first, "bikes") == bundle.pack(collect(project), "bikes")
    (project / "steps" / "hours.py").write_text("RUSH = (7, 9)\n")
    assert collect(project).content != first.content
    (project / "steps" / "hours.py").write_text("RUSH = (7, 8)\n")
    (project / "other.py").write_text("")
    assert collect(project).content == first.content


def test_what_was_packed_comes_out_again(project, tmp_path):
    out = bundle.unpack(bundle.pack(collect(project), "bikes", {"passed": True}), tmp_path / "out")
    assert (out / "steps" / "rush.py").read_text() == (project / "steps" / "rush.py").read_text()


def rewritten(data, change):
    """The archive with its members changed."""
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(data))) as archive:
        members = {one.name: archive.extractfile(one).read() for one in archive}
    change(members)
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as archive:
        for name, held in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(held)
            archive.addfile(member, io.BytesIO(held))
    return gzip.compress(plain.getvalue())


def code_changed(members):
    members["project/steps/rush.py"] = b"import os\n"


def code_outside(members):
    said = json.loads(members["package.json"])
    said["files"]["../evil.py"] = said["files"].pop("steps/rush.py")
    members["package.json"] = json.dumps(said).encode()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (code_changed, "steps/rush.py of the package does not have the hash"),
        (code_outside, "names a file outside its folder: ../evil.py"),
        (lambda members: members.pop("package.json"), "The package is damaged"),
    ],
)
def test_an_archive_that_was_changed_is_refused(project, tmp_path, change, said):
    data = rewritten(bundle.pack(collect(project), "bikes"), change)
    with pytest.raises(InvalidInput, match=said):
        bundle.unpack(data, tmp_path / "out")
    assert not (tmp_path / "evil.py").exists()


def test_bytes_that_are_no_archive_are_refused(tmp_path):
    with pytest.raises(InvalidInput, match="damaged"):
        bundle.unpack(b"nonsense", tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "kind", "said"),
    [
        ("steps/rush.py:run", "steps/rash.py:run", NotFound, "no file steps/rash.py"),
        ("steps/rush.py:run", "../rush.py:run", InvalidInput, "outside the project"),
        ('["tests"]', '["test"]', NotFound, "no file test in"),
    ],
)
def test_a_file_that_cannot_go_in_is_named(project, old, new, kind, said):
    (project.parent / "rush.py").write_text("")
    with pytest.raises(kind, match=said):
        collect(project, DEFINITION.replace(old, new))


def test_code_that_cannot_be_read_is_refused(project):
    (project / "steps" / "hours.py").write_text("def (")
    with pytest.raises(InvalidInput, match="cannot be read"):
        collect(project)


def test_the_lock_names_what_the_code_imports_and_what_that_requires(project):
    locked = collect(project).lock
    assert {"python", "numpy", "scikit-learn", "scipy", "threadpoolctl"} <= set(locked)
    assert "pytest" not in locked
    assert lock.missing(locked) == []
    assert f"numpy=={locked['numpy']}\n" in lock.text(locked)


def test_what_is_missing_here_is_said_with_both_versions():
    wrong = lock.missing({"python": "2.7.18", "numpy": "0.1", "no-such-thing": "3"})
    assert wrong[0] == f"python 2.7.18 is wanted, {'.'.join(map(str, sys.version_info[:3]))} is installed"
    assert wrong[1].startswith("numpy 0.1 is wanted, ")
    assert wrong[2] == "no-such-thing 3 is wanted, none is installed"


def test_another_patch_of_python_will_do():
    assert lock.missing({"python": f"{sys.version_info[0]}.{sys.version_info[1]}.99"}) == []
