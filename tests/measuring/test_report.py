"""What the benchmarks write: the section of the README, results, the plot."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from benchmarks import plot, report
from benchmarks.judging import LEFT_OUT, Line
from benchmarks.machine import Machine
from benchmarks.report import BEGIN, END, Report

MACHINE = Machine("2026-01-02 03:04 UTC", 2, "a processor", "3.13.0", (0.5, 1.25))
GOOD = Line("small_file", "400 steps", "seconds", 0.01, "peer", 0.1, 1 / 8, False, "")
SHORT = Line("tiff", "many | tiles", "seconds", 0.5, "peer", 1.0, 1 / 4, False, "")
ROUNDS = Line("remote", "one file", "rounds", 5, "", None, 4, True, "")
LEFT = Line("grib", "GFS", "seconds", 0.02, "peer", None, 0.1, False, LEFT_OUT)
LINES = (GOOD, SHORT, ROUNDS, LEFT)
WHOLE = Report(MACHINE, 3, True, LINES, ["| tiff | tiles | 1 to 10 | 0.50 | at most 1 |"])
SVG = "{http://www.w3.org/2000/svg}"


def test_the_readme_changes_between_its_markers_only(tmp_path: Path) -> None:
    path = tmp_path / "README.md"
    path.write_text(f"# Title\n\nbefore\n{BEGIN}\nold\n{END}\nafter\n\n## More\n")
    WHOLE.write_readme(path)
    once = path.read_text()
    head, _, rest = once.partition(BEGIN)
    section, _, tail = rest.partition(END)
    assert (head, tail) == ("# Title\n\nbefore\n", "\nafter\n\n## More\n")
    assert "old" not in section
    for line in LINES:
        assert report.show(line) in section
    assert "2026-01-02" in section
    assert "load 0.5 to 1.2" in section
    assert "virtualizarr 2.8.0" in section
    WHOLE.write_readme(path)
    assert path.read_text() == once


@pytest.mark.parametrize(
    "text", ["", BEGIN, END, f"{END}\n{BEGIN}", f"{BEGIN}{BEGIN}{END}", f"{BEGIN}{END}{END}"]
)
def test_a_readme_without_its_markers_is_left_alone(tmp_path: Path, text: str) -> None:
    path = tmp_path / "README.md"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"README\.md must have"):
        WHOLE.write_readme(path)
    assert path.read_text() == text


def test_the_readme_of_the_project_has_the_markers(tmp_path: Path) -> None:
    copy = tmp_path / "README.md"
    copy.write_text(report.README.read_text())
    WHOLE.write_readme(copy)
    assert report.show(SHORT) in copy.read_text()


def test_the_summary_says_what_falls_short() -> None:
    assert WHOLE.summary.startswith("Targets reached: 1 of 3.")
    assert "- tiff, many | tiles, seconds: 1/2 of peer, target 1/4" in WHOLE.summary
    assert "- remote, one file, rounds: 5, target <= 4" in WHOLE.summary


def test_every_line_has_all_columns() -> None:
    columns = report.HEADER.splitlines()[0].count("|")
    assert all(report.show(line).count("|") == columns for line in LINES)


def test_results_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "RESULTS", tmp_path / "results")
    text = WHOLE.as_text({"tiff": "Tiles."})
    WHOLE.write(text)
    assert (tmp_path / "results/quick.md").read_text() == text
    figures = json.loads((tmp_path / "results/quick.json").read_text())
    assert [line["reached"] for line in figures["lines"]] == [True, False, False, None]
    assert figures["machine"]["cpus"] == 2
    assert figures["peers"]["virtualizarr"] == "2.8.0"
    ElementTree.parse(tmp_path / "results/quick.svg")


def test_bars_reach_from_one_to_the_ratio() -> None:
    root = ElementTree.fromstring(plot.bars(LINES))
    labels = [each.text for each in root.iter(f"{SVG}text") if each.get("text-anchor") == "end"]
    assert labels == ["small file, 400 steps / peer", "tiff, many | tiles / peer"]
    bars = [
        each
        for each in root.iter(f"{SVG}rect")
        if each.get("height") == str(plot.BAR) and int(each.get("y", 0)) >= plot.TOP
    ]
    assert [bar.get("fill") for bar in bars] == [plot.REACHED, plot.SHORT]
    ends = [(float(bar.get("x", 0)), float(bar.get("width", 0))) for bar in bars]
    one = plot.LABELS + plot.BARS  # the axis ends at 1, as nothing is above
    assert ends[0][0] == pytest.approx(plot.LABELS)  # it begins at 1/10
    assert [left + width for left, width in ends] == pytest.approx([one, one])
    assert ends[1][1] < ends[0][1] / 3


def test_a_plot_of_nothing_is_still_a_plot() -> None:
    ElementTree.fromstring(plot.bars([]))
