"""Pages as Markdown and HTML: nothing a column is called becomes markup, nothing is loaded, gaps stay open, files are whole."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from mlops_tui.core.errors import AlreadyExists, InvalidInput, Unavailable
from mlops_tui.domains.monitoring.measured import BLIND, Labels, Measure, Standing, Stretch
from mlops_tui.domains.monitoring.records import FeatureDrift, Joint, Pair, Quality, Report, Verdict
from mlops_tui.pages import drift, html, markdown, performance, svg, writing
from mlops_tui.pages.numbers import number
from mlops_tui.pages.page import Chart, Curve, Distribution, Facts, Page, Section, Table, Words

WILD = '<script>alert("x")</script> | `a`'
HOUR = 3_600_000


def page() -> Page:
    curve = Curve(
        WILD, ((0, 0.1), (HOUR, None), (2 * HOUR, 0.3), (3 * HOUR, 0.2)), (0.0, None, 0.2, 0.1), (0.2, None, 0.4, 0.3)
    )
    parts = (
        Words(WILD),
        Words("softly", "muted"),
        Facts((("Name", WILD), ("Nothing", ""))),
        Table(("Column", "N"), ((WILD, "1"), ("b", "2")), WILD, ("warn",), frozenset({1}), frozenset({0})),
        Chart(WILD, (curve, Curve("guess", curve.points, guess=True)), 0.25, "at training"),
        Distribution(WILD, ("<= 1", WILD), (0.5, 0.5), (0.1, 0.9), "moved", True),
    )
    return Page(WILD, WILD, (Section(WILD, parts),), 1_800_000_000_000, WILD)


class Reader(HTMLParser):
    """Tags in order, and whether every one that was opened was closed."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in {"meta", "br"}:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_html_is_one_file_that_loads_and_runs_nothing() -> None:
    text, reader = html.write(page()), Reader()
    reader.feed(text)
    assert reader.open == []
    assert "script" not in reader.tags
    assert not {"src", "srcset", "data", "onload"} & {name for name, _ in reader.attributes}
    assert all(str(value).startswith("#") for name, value in reader.attributes if name == "href")
    assert "url(" not in text
    assert "default-src 'none'" in text
    assert {"svg", "polygon", "circle", "rect", "table", "dl"} <= set(reader.tags)


def test_a_gap_stays_open_and_a_band_has_no_point_without_an_interval() -> None:
    chart = page().sections[0].parts[4]
    assert isinstance(chart, Chart)
    drawn = svg.chart(chart)
    assert drawn.count('class="line" stroke') == 1  # of four points one is missing: one piece is left
    assert drawn.count("<polygon") == 1
    assert drawn.count("<circle") == 6
    assert svg.chart(Chart("empty", (Curve("none", ((0, None),)),))) == ""


def test_markdown_keeps_names_as_they_are() -> None:
    text = markdown.write(page())
    assert "<script>" not in re.sub(r"`[^`]*`", "", text)  # between backticks it is text
    assert text.startswith("# &lt;script&gt;")
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {3, 4}  # of two and of three columns
    assert "- **Nothing:**" not in text
    assert "| 50.0 % | 90.0 % |" in text
    assert re.search("`▁ █[▄▅]` 0.1 to 0.3, now 0.2", text)


def test_a_file_is_written_whole_and_never_over_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "page.html"
    writing.check(out)
    writing.save(page(), out)
    assert out.read_text().startswith("<!doctype html>")
    assert [one.name for one in tmp_path.iterdir()] == ["page.html"]
    with pytest.raises(AlreadyExists):
        writing.check(out)
    writing.check(out, replace=True)
    for wrong in (tmp_path / "page.pdf", tmp_path / "no" / "page.md"):
        with pytest.raises(InvalidInput):
            writing.check(wrong)
    (tmp_path / "folder.md").mkdir()
    with pytest.raises(InvalidInput, match="folder"):
        writing.check(tmp_path / "folder.md", replace=True)

    def full(self: Path, *args: Any, **more: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(Unavailable, match="No space left"):
        writing.save(page(), out)
    assert out.read_text().startswith("<!doctype html>")


def standing(*, labelled: bool) -> Standing:
    metrics = [Measure("accuracy", 0.8, 0.7, 0.9, "wilson", 100)] if labelled else []
    guesses = [Measure("accuracy", 0.82, 0.8, 0.84, "estimate", 300)]
    whole = Stretch("churn", 3, 0, HOUR, 300, Labels(300, 100 if labelled else 0, HOUR), metrics, guesses)
    return Standing(whole, "accuracy", 0.85, [], [whole, whole], ["Labels say otherwise."])


def test_an_estimate_is_marked_wherever_it_stands() -> None:
    assert (
        performance.headline(standing(labelled=True))
        == "Version 3: accuracy 0.8 (0.7 to 0.9), 0.85 at training, from 100 labels."
    )
    assert "cannot see concept drift" in performance.headline(standing(labelled=False))
    for labelled in (True, False):
        parts = performance.whole(standing(labelled=labelled))
        assert any(isinstance(part, Words) and BLIND[1:] in part.text for part in parts)
        chart = performance.over_time(standing(labelled=labelled))[0]
        assert isinstance(chart, Chart)
        assert [curve.guess for curve in chart.curves] == ([False, True] if labelled else [True])


def test_a_report_lists_everything_its_verdict_may_rest_on() -> None:
    column = FeatureDrift("x", "numeric", 0.01, 0.1, 0.02, 0.1, 0.09, 0.05, drifted=True)
    report = Report(
        id=4, deployment="d", model="m", version=1, at=HOUR, since=0, until=HOUR, rows=300, seen=300, verdict=Verdict.DRIFT,
        features=[column], label=FeatureDrift("label", "numeric", 0.2, 0.1), joint=Joint(3, 300, [Pair("a", "b", 0.9, 0.1, 0.2)]),
        quality=[Quality("x", "missing", 0.5, 0.0, 0.1, failed=True), Quality("x", "range", 0.0)],
    )  # fmt: skip
    text = markdown.write(Page("p", "", (Section("s", tuple(drift.columns(report))),)))
    for said in ("| 0.09 | 0.05 |", "| label |", "| a with b | 0.9 | 0.1 | 0.2 |", "Data quality: x: 50.0% missing"):
        assert said in text
    assert text.count("Data quality") == 1


def test_numbers_beyond_counting_are_short_and_leave_gaps() -> None:
    assert (number(2e273), number(123_456.0)) == ("2e+273", "123,456")
    curve = Curve("c", ((0, float("inf")), (HOUR, 1.0), (2 * HOUR, float("nan")), (3 * HOUR, 2.0)))
    page_ = Page("p", "", (Section("s", (Chart("t", (curve,)),)),))
    assert "` ▁ █` 1 to 2, now 2" in markdown.write(page_)
    assert markdown.write(Page("[a](b)")).startswith(r"# \[a](b)")
