"""The table as Markdown and JSON, and the section of the README."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.cases import SECONDS
from benchmarks.judging import Line
from benchmarks.machine import Machine
from benchmarks.peers import versions
from benchmarks.plot import bars

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results"
README = HERE.parent / "README.md"
BEGIN, END = "<!-- speed: begin -->", "<!-- speed: end -->"
HEADER = (
    "| row | case | measure | ours | against | theirs | ours/theirs | target | |\n"
    "|---|---|---|---|---|---|---|---|---|"
)
GROWTH_HEADER = "| row | of | sizes | exponent | |\n|---|---|---|---|---|"
NAMED = ("virtualizarr", "kerchunk", "hidefix", "gribberish", "virtual-tiff", "icechunk")


@dataclass(frozen=True)
class Report:
    """All that was measured: the lines of the table, and those of how time grows with size."""

    machine: Machine
    rounds: int
    quick: bool
    lines: Sequence[Line]
    growth: Sequence[str]

    @property
    def heading(self) -> str:
        """When, where, how and against what."""
        pinned = versions()
        how = "`--quick`, " if self.quick else ""
        return (
            f"{self.machine}, {how}rounds {self.rounds}, against "
            + ", ".join(f"{name} {pinned[name]}" for name in NAMED)
            + ". Seconds are CPU time (user + system); for remote work wall time, at 50 ms a "
            "request. Medians."
        )

    @property
    def summary(self) -> str:
        """How many targets are reached, and which fall short and by what."""
        short = [line for line in self.lines if line.reached is False]
        judged = [line for line in self.lines if line.reached is not None]
        reached = sum(line.reached is True for line in judged)
        parts = [f"Targets reached: {reached} of {len(judged)}."]
        if short:
            parts.append("Targets that fall short:\n")
        parts += [
            f"- {line.row}, {line.case}, {line.measure}: {_reading(line)}, target {_target(line)}"
            for line in short
        ]
        return "\n".join(parts)

    @property
    def how_it_grows(self) -> str:
        if not self.growth:
            return ""
        return "\n".join(["How our time grows with size:\n", GROWTH_HEADER, *self.growth])

    def as_text(self, titles: Mapping[str, str]) -> str:
        """Return the whole report as Markdown."""
        table = "\n".join([HEADER, *(show(line) for line in self.lines)])
        rows = "\n".join(f"- `{name}`: {title}" for name, title in titles.items())
        parts = (self.heading, table, self.summary, self.how_it_grows, f"Rows:\n\n{rows}")
        return "\n\n".join(part for part in parts if part) + "\n"

    def write(self, text: str) -> None:
        """Write table, figures and plot to `benchmarks/results/`, of a quick run as "quick"."""
        name = "quick" if self.quick else "whole"
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / f"{name}.md").write_text(text)
        figures = {
            "machine": asdict(self.machine),
            "rounds": self.rounds,
            "peers": versions(),
            "lines": [line.as_json() for line in self.lines],
        }
        (RESULTS / f"{name}.json").write_text(json.dumps(figures, indent=1) + "\n")
        (RESULTS / f"{name}.svg").write_text(bars(self.lines))

    def write_readme(self, path: Path = README) -> None:
        """Replace what stands between the markers of the README, and nothing else.

        Raises ValueError if the two markers are not there once each, in order.
        """
        text = path.read_text()
        head, begin, rest = text.partition(BEGIN)
        _, end, tail = rest.partition(END)
        if not begin or not end or BEGIN in rest or END in head + tail:
            raise ValueError(f"{path.name} must have {BEGIN} and {END} once each, in this order")
        table = "\n".join([HEADER, *(show(line) for line in self.lines)])
        parts = (self.heading, table, self.summary, self.how_it_grows)
        section = "\n\n".join(part for part in parts if part)
        path.write_text(f"{head}{BEGIN}\n\n{section}\n\n{END}{tail}")


def show(line: Line) -> str:
    """Return one line of the table."""
    cells = (
        line.row.replace("_", " "),
        line.case,
        line.measure,
        figure(line.ours, line.measure),
        line.against,
        figure(line.theirs, line.measure),
        ratio(line.ratio),
        _target(line),
        line.verdict,
    )
    return "| " + " | ".join(cell.replace("|", "/").strip() for cell in cells) + " |"


def figure(value: float | None, measure: str) -> str:
    """Return a figure with its unit if it is a time, to three digits."""
    if value is None:
        return "-"
    if measure == SECONDS:
        return f"{value * 1000:.2f} ms" if value < 0.1 else f"{value:.3g} s"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def ratio(value: float | None) -> str:
    """Return a ratio as people say it: 1/40 for what is less than one."""
    if value is None:
        return "-"
    return f"1/{1 / value:.3g}" if 0 < value < 1 else f"{value:.3g}"


def _target(line: Line) -> str:
    if line.limit is None:
        return "-"
    return f"<= {figure(line.limit, line.measure)}" if line.absolute else ratio(line.limit)


def _reading(line: Line) -> str:
    if line.ours is None:
        return "no figure"
    if line.absolute:
        return figure(line.ours, line.measure)
    return f"{ratio(line.ratio)} of {line.against}"
