from __future__ import annotations

import pandas as pd

from mlops_tui.domains.pipelines.probe import _run_tests

SAMPLE = pd.DataFrame({"x": [1, 2, 3]})


def test_plain_functions_are_called_with_the_model_and_a_copy_of_the_sample(tmp_path):
    path = tmp_path / "behaviour.py"
    path.write_text(
        "def test_good(model, sample):\n    sample['x'] = 0\n    assert model == 'm'\n"
        "def test_bad(model, sample):\n    assert sample['x'].sum() == 0, 'it was a copy'\n"
    )
    assert _run_tests(path, "m", SAMPLE) == ["test_bad: it was a copy"]


def test_a_file_that_imports_pytest_is_run_by_it_with_model_and_sample_as_fixtures(tmp_path, monkeypatch, capfd):
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    path = tmp_path / "test_behaviour.py"
    path.write_text(
        "import pytest\n"
        "@pytest.mark.parametrize('least', [1, 2, 5])\n"
        "def test_rows(sample, model, least):\n    assert len(sample) > least, 'too few'\n"
    )
    (failure,) = _run_tests(path, "m", SAMPLE)
    assert failure.startswith("test_rows[5]: AssertionError: too few")
