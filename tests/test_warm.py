from __future__ import annotations

import os
import sys
from pathlib import Path

from mlops_tui import job, warm


def test_our_own_files_and_the_folders_of_packages_are_watched_and_their_files_are_not(monkeypatch) -> None:
    import msgspec

    stamps = warm.stamps_of()
    assert str(Path(job.__file__)) in stamps
    assert {place for place in sys.path if place.endswith("site-packages")} <= set(stamps)
    assert msgspec.__file__ not in stamps
    assert os.__file__ not in stamps


def test_a_file_that_was_edited_removed_or_came_is_a_change(tmp_path: Path) -> None:
    path = tmp_path / "module.py"
    seen = [warm._changed(str(path))]
    for stamp in (1, 2):
        path.touch()
        os.utime(path, ns=(stamp, stamp))
        seen.append(warm._changed(str(path)))
    assert seen == [-1, 1, 2]
