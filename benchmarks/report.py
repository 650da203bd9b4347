"""The table as Markdown and JSON, the plot as SVG, and the section of the README."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.cases import SECONDS
from benchmarks.judging import Line
from benchmarks.peers import versions

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results"
README = HERE.parent / "README.md"
BEGIN, END = "<!-- speed: begin -->", "<!-- speed: end -->"
HEADER = (
    "| row | case | measure | ours | against | theirs | ours/theirs | target | |\n"
    "|---|---|---|---|---|---|---|---|---|"
)


def show(line: Line) -> str:
    """Return one line of the table."""
    cells = (
        line.row,
        line.case,
        line.measure,
        _figure(line.ours, line.measure),
        line.against,
        _figure(line.theirs, line.measure),
        _ratio(line.ratio),
        _target(line),
        line.verdict,
    )
    return "| " + " | ".join(cell.replace("|", "/").strip() for cell in cells) + " |"


def as_text(titles: dict[str, str], lines: Sequence[Line], growth: Sequence[str]) -> str:
    """Return the whole report as Markdown."""
    short = [line for line in lines if line.reached is False]
    judged = [line for line in lines if line.limit is not None]
    parts = [
        _heading(),
        "",
        HEADER,
        *(show(line) for line in lines),
        "",
        f"Targets reached: {sum(line.reached is True for line in judged)} of {len(judged)}.",
    ]
    if short:
        parts.append("Targets that fall short:\n")
        parts += [
            f"- {line.row}, {line.case}, {line.measure}: {_reading(line)}, target {_target(line)}"
            for line in short
        ]
    if growth:
        parts += [
            "",
            "How our time grows with size:",
            "",
            "| row | of | sizes | exponent | |",
            "|---|---|---|---|---|",
            *growth,
        ]
    parts += ["", "Rows:", "", *(f"- `{name}`: {title}" for name, title in titles.items())]
    return "\n".join(parts) + "\n"


def write(text: str, lines: Sequence[Line], plot: bool) -> None:
    """Write what was measured to `benchmarks/results/`."""
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "latest.md").write_text(text)
    (RESULTS / "latest.json").write_text(
        json.dumps([line.as_json() for line in lines], indent=1) + "\n"
    )
    if plot:
        _plot(lines, RESULTS / "latest.svg")


def write_readme(lines: Sequence[Line]) -> None:
    """Put the comparisons of times between the markers of the README."""
    text = README.read_text()
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    table = [
        _heading(),
        "",
        "| work | ours | | theirs | ours/theirs | target | |",
        "|---|---|---|---|---|---|---|",
    ]
    for line in lines:
        cells = (
            f"{line.row.replace('_', ' ')}, {line.case}"
            + ("" if line.measure == SECONDS else f": {line.measure}"),
            _figure(line.ours, line.measure),
            line.against,
            _figure(line.theirs, line.measure),
            _ratio(line.ratio),
            _target(line),
            {True: "reached", False: "**falls short**", None: ""}[line.reached],
        )
        table.append("| " + " | ".join(cell.strip() for cell in cells) + " |")
    README.write_text(f"{head}{BEGIN}\n\n" + "\n".join(table) + f"\n\n{END}{tail}")


def _heading() -> str:
    peers = versions()
    named = ("virtualizarr", "kerchunk", "hidefix", "gribberish", "virtual-tiff", "icechunk")
    return (
        f"Measured {datetime.now(UTC):%Y-%m-%d} on {os.cpu_count()} cores, {platform.machine()}, "
        f"Python {platform.python_version()}, against "
        + ", ".join(f"{name} {peers[name]}" for name in named)
        + ". Seconds are CPU time (user + system); for remote work wall time, at 50 ms a request."
    )


def _figure(value: float | None, measure: str) -> str:
    if value is None:
        return "-"
    if measure == SECONDS:
        return f"{value * 1000:.2f} ms" if value < 0.1 else f"{value:.2f} s"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _ratio(ratio: float | None) -> str:
    if ratio is None:
        return "-"
    return f"1/{1 / ratio:.3g}" if 0 < ratio < 1 else f"{ratio:.3g}"


def _target(line: Line) -> str:
    if line.limit is None:
        return "-"
    return f"<= {_figure(line.limit, line.measure)}" if line.absolute else _ratio(line.limit)


def _reading(line: Line) -> str:
    if line.ours is None:
        return "no figure"
    if line.absolute:
        return _figure(line.ours, line.measure)
    return f"{_ratio(line.ratio)} of {line.against}"


def _plot(lines: Sequence[Line], path: Path) -> None:
    """Draw our share of the peers' time for every comparison, with the targets."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "virtualizarr"
    import matplotlib.pyplot as plt

    shown = [line for line in lines if line.measure == SECONDS and line.ratio is not None]
    if not shown:
        return
    places = range(len(shown))
    figure, axes = plt.subplots(figsize=(9, 1.2 + 0.24 * len(shown)), layout="constrained")
    colours = ["#b3541e" if line.reached is False else "#2a6f97" for line in shown]
    axes.barh(places, [line.ratio or 1 for line in shown], color=colours, height=0.7)
    marks = [(place, line.limit) for place, line in zip(places, shown, strict=True) if line.limit]
    axes.plot(
        [limit for _, limit in marks],
        [place for place, _ in marks],
        linestyle="",
        marker="|",
        markersize=11,
        markeredgewidth=2,
        color="black",
        label="target",
    )
    axes.axvline(1, color="grey", linewidth=0.8)
    axes.set_xscale("log")
    axes.set_yticks(
        places, [f"{line.row}, {line.case} / {line.against}" for line in shown], fontsize=7
    )
    axes.invert_yaxis()
    axes.set_xlabel("our time as a share of the peer's; left is faster")
    axes.legend(loc="lower left")
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)
