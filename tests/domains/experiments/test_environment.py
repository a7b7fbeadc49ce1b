"""Where a run came from."""

from __future__ import annotations

import subprocess
import sys

import pytest

from mlops_tui.domains.experiments import environment


@pytest.fixture
def repository(tmp_path):
    def git(*arguments):
        subprocess.run(
            ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", *arguments],
            cwd=tmp_path,
            check=True,
            capture_output=True,
        )

    git("init", "-q", "-b", "trunk")
    (tmp_path / "train.py").write_text("rate = 0.1\n")
    git("add", ".")
    git("commit", "-q", "-m", "first")
    return tmp_path


def test_commit_and_branch_of_a_clean_tree(repository):
    state = environment.git_state(repository)
    assert len(state.commit) == 40
    assert (state.branch, state.dirty) == ("trunk", False)
    assert environment.git_diff(repository) == ""


def test_a_changed_file_makes_the_tree_dirty_and_is_in_the_difference(repository):
    (repository / "train.py").write_text("rate = 0.2\n")
    assert environment.git_state(repository).dirty
    assert "+rate = 0.2" in environment.git_diff(repository)


def test_outside_a_repository_there_is_no_commit(tmp_path):
    assert environment.git_state(tmp_path) == environment.Git()


def test_without_git_or_with_a_slow_one_a_run_still_starts(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert environment.git_state(tmp_path) == environment.Git()
    slow = tmp_path / "git"
    slow.write_text("#!/bin/sh\nexec /bin/sleep 5\n")
    slow.chmod(0o755)
    monkeypatch.setattr(environment, "_GIT_TIMEOUT_S", 0.1)
    assert environment.git_state(tmp_path) == environment.Git()


def test_packages_are_listed_with_versions():
    lines = environment.packages().splitlines()
    assert any(line.startswith("click==8") for line in lines)
    assert lines == sorted(lines)


def test_the_process_is_described(tmp_path):
    found = environment.capture(tmp_path)
    assert found.python == sys.version.split()[0]
    assert found.command
    assert found.host
