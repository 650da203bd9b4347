"""Descriptions as text for people: trees and tables, drawn by rich."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.tree import Tree

from virtualizarr.cli.describe import totals

CHUNK_LENGTHS_SHOWN = 4


def human(nbytes: int) -> str:
    """Return a byte count in decimal units."""
    size = float(nbytes)
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if size < 1000 or unit == "TB":
            return f"{nbytes} B" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    raise AssertionError


def show_group(console: Console, url: str, description: Mapping[str, Any]) -> None:
    """Print a tree of groups and variables, then its totals."""
    tree = Tree(f"[bold]{escape(url)}[/bold]")
    _grow(tree, description)
    console.print(tree, highlight=False)
    sums = totals(dict(description))
    console.print(
        f"{sums['variables']} variables, {human(sums['nbytes'])} of values in "
        f"{human(sums['stored'])} stored, {sums['references']:,} chunks; can be virtualized",
        highlight=False,
    )


def _grow(tree: Tree, description: Mapping[str, Any]) -> None:
    for name, variable in description["variables"].items():
        tree.add(f"[cyan]{escape(name)}[/cyan] {escape(_line(variable))}")
    for name, child in description["groups"].items():
        _grow(tree.add(f"[bold]{escape(name)}/[/bold]"), child)


def _line(variable: Mapping[str, Any]) -> str:
    axes = zip(variable["dimensions"], variable["shape"], strict=True)
    dims = ", ".join(f"{name if name is not None else '?'}: {size}" for name, size in axes)
    chunks = " x ".join(_lengths(length) for length in variable["chunks"])
    codecs = " > ".join(variable["codecs"])
    parts = [f"({dims})", variable["dtype"], *([f"chunks {chunks}"] if chunks else []), codecs]
    missing = [f"{variable['missing']:,} missing"] if variable["missing"] else []
    return "  ".join([*parts, human(variable["stored"]), *missing])


def _lengths(length: int | Sequence[int]) -> str:
    if isinstance(length, int):
        return str(length)
    shown = ", ".join(map(str, length[:CHUNK_LENGTHS_SHOWN]))
    return f"({shown}{', ...' if len(length) > CHUNK_LENGTHS_SHOWN else ''})"


def show_table(console: Console, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows under headings."""
    table = Table(*columns, box=None, pad_edge=False)
    for row in rows:
        table.add_row(*map(escape, row))
    console.print(table, highlight=False)


@contextmanager
def progress_bar(what: str) -> Iterator[Callable[[int, int], None]]:
    """Draw a bar on stderr; give what is to be told (done, in all)."""
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    ) as progress:
        task = progress.add_task(what, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)
