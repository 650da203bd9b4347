"""Our share of the peers' time as horizontal bars over a logarithmic axis, written as SVG."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from math import ceil, floor, log10

from benchmarks.cases import SECONDS
from benchmarks.judging import Line

NAMESPACE = "http://www.w3.org/2000/svg"
FONT = 'font-family="sans-serif" font-size="11"'
TITLE = "our time as a share of the peer's; left of 1 is faster"
LABELS, BARS, RIGHT = 330, 520, 60
"""Widths in pixels: of the labels, of the axis, of what is right of it."""
TOP, STEP, BAR, BOTTOM = 34, 18, 12, 44
REACHED, SHORT, UNJUDGED = "#2a6f97", "#b3541e", "#8d99a6"
COLOURS = {True: REACHED, False: SHORT, None: UNJUDGED}
MEANINGS = (
    (REACHED, "target reached"),
    (SHORT, "target falls short"),
    (UNJUDGED, "no target"),
)


def bars(lines: Sequence[Line]) -> str:
    """Return the plot of every comparison of times that has a figure on both sides.

    A bar reaches from 1 to our share of the peer's time: to the left where ours is less. A black
    mark is the target.
    """
    shown = [line for line in lines if line.measure == SECONDS and line.ratio]
    axis = _Axis([value for line in shown for value in (line.ratio, line.limit) if value])
    bottom = TOP + STEP * len(shown)
    width, height = LABELS + BARS + RIGHT, bottom + BOTTOM
    parts = [
        f'<svg xmlns="{NAMESPACE}" width="{width}" height="{height}" {FONT}>',
        f'<rect width="{width}" height="{height}" fill="white"/>',
        *_legend(),
        *_grid(axis, bottom),
        *(text for i, line in enumerate(shown) for text in _bar(line, TOP + STEP * i, axis)),
        f'<text x="{LABELS + BARS / 2}" y="{bottom + 36}" text-anchor="middle">{TITLE}</text>',
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


class _Axis:
    """A logarithmic axis from one power of ten to another, which holds all values and 1."""

    def __init__(self, values: Sequence[float]) -> None:
        self.first = floor(log10(min([*values, 0.1])))
        self.last = ceil(log10(max([*values, 1])))

    def at(self, value: float) -> float:
        """Return where a value is, in pixels."""
        share = (log10(value) - self.first) / (self.last - self.first)
        return round(LABELS + BARS * share, 1)


def _legend() -> list[str]:
    parts = []
    for i, (colour, meaning) in enumerate(MEANINGS):
        x = LABELS + 130 * i
        parts.append(f'<rect x="{x}" y="8" width="{BAR}" height="{BAR}" fill="{colour}"/>')
        parts.append(f'<text x="{x + BAR + 5}" y="18">{meaning}</text>')
    x = LABELS + 130 * len(MEANINGS)
    parts.append(f'<rect x="{x}" y="7" width="3" height="14" fill="black"/>')
    parts.append(f'<text x="{x + 8}" y="18">target</text>')
    return parts


def _grid(axis: _Axis, bottom: int) -> list[str]:
    parts = []
    for power in range(axis.first, axis.last + 1):
        x, colour = axis.at(10.0**power), "#444444" if power == 0 else "#dddddd"
        named = f"1/{10**-power:,}" if power < 0 else f"{10**power:,}"
        parts.append(f'<path d="M{x} {TOP - 4}V{bottom}" stroke="{colour}"/>')
        parts.append(f'<text x="{x}" y="{bottom + 16}" text-anchor="middle">{named}</text>')
    return parts


def _bar(line: Line, y: int, axis: _Axis) -> list[str]:
    label = escape(f"{line.row.replace('_', ' ')}, {line.case} / {line.against}")
    end, one = axis.at(line.ratio or 1), axis.at(1)
    colour = COLOURS[line.reached]
    left, length = min(end, one), max(1, round(abs(end - one), 1))
    parts = [
        f'<text x="{LABELS - 8}" y="{y + 10}" text-anchor="end">{label}</text>',
        f'<rect x="{left}" y="{y}" width="{length}" height="{BAR}" fill="{colour}"/>',
    ]
    if line.limit is not None and not line.absolute:
        x = axis.at(line.limit) - 1.5
        parts.append(f'<rect x="{x}" y="{y - 1}" width="3" height="{BAR + 2}" fill="black"/>')
    return parts
