"""`virtualizarr build`."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
import xarray as xr

from virtualizarr.cli.ledger import Ledger, Opener
from virtualizarr.cli.options import (
    AsJson,
    Format,
    Load,
    Options,
    Output,
    Overwrite,
    ParserName,
    Urls,
    storage_options,
)
from virtualizarr.cli.output import errors_in_one_line, print_json, without
from virtualizarr.datasets.many import open_many
from virtualizarr.plugins import writer_for
from virtualizarr.source.listing import glob_urls
from virtualizarr.source.urls import local_path, normalize_url

INCOMPLETE = 3
"""The exit code of what was written without the files that failed."""


class Combine(StrEnum):
    """How files are joined, in xarray's words."""

    BY_COORDS = "by_coords"
    NESTED = "nested"


class OnError(StrEnum):
    """What is done with a file that cannot be parsed."""

    RAISE = "raise"
    WARN = "warn"
    SKIP = "skip"


How = Annotated[Combine, typer.Option(help="How to join the files.")]
Along = Annotated[str | None, typer.Option(help="Dimension to join along, with --combine nested.")]
Failing = Annotated[
    OnError, typer.Option(help="For files that fail. What is left out gives the exit code 3.")
]
LedgerPath = Annotated[
    Path | None,
    typer.Option(
        "--ledger",
        help="Where to note what became of each file, to resume a build that was stopped; beside "
        "the output unless that is remote.",
    ),
]


def build(
    urls: Urls,
    output: Output,
    to: Format = None,
    combine: How = Combine.BY_COORDS,
    concat_dim: Along = None,
    loadable: Load = None,
    parser: ParserName = None,
    on_error: Failing = OnError.RAISE,
    overwrite: Overwrite = False,
    ledger: LedgerPath = None,
    option: Options = None,
    json: AsJson = False,
) -> None:
    """Parse files, combine them as xarray does, and write references to them.

    Stopped, it goes on where it was when run again: files that were parsed and have not changed
    since are not parsed again.
    """
    options = storage_options(option)
    with errors_in_one_line(options):
        writer = writer_for(output, to)
        kept = Ledger.at(ledger if ledger is not None else _beside(output))
        opener = Opener(kept, parser, loadable, options)
        dataset = combined(urls, opener, combine, concat_dim, on_error)
        group = dataset.virtualize.to_group()
        writer.write(group, output, overwrite=overwrite, storage_options=options)
        kept.finish()
    result: dict[str, Any] = {
        "output": output,
        "format": writer.name,
        "references": dataset.virtualize.nrefs(),
        "files": len(dataset.virtualize.locations),
        "dimensions": {str(name): size for name, size in dataset.sizes.items()},
        "parsed": kept.parsed,
        "reused": kept.reused,
        "failed": kept.failed,
        "ledger": str(kept.path) if kept.path is not None else None,
    }
    if json:
        print_json(result)
    else:
        print(f"{output}: {result['references']:,} references to {result['files']:,} files")
    tell_failures(kept, on_error, options)


def tell_failures(ledger: Ledger, on_error: OnError, options: Mapping[str, Any] | None) -> None:
    """Name the files that were left out, if that is wanted, and end with their exit code."""
    if not ledger.failed:
        return
    if on_error is OnError.WARN:
        for url, reason in ledger.failed.items():
            text = " ".join(f"left out: {url}: {reason}".split())
            print(f"virtualizarr: {without(text, options)}", file=sys.stderr)
    print(f"virtualizarr: {len(ledger.failed):,} files were left out", file=sys.stderr)
    raise typer.Exit(INCOMPLETE)


def combined(
    urls: list[str],
    opener: Opener,
    combine: Combine,
    concat_dim: str | None,
    on_error: OnError,
) -> xr.Dataset:
    """Return the files as one virtual Dataset; a bar is drawn where there is a terminal."""
    options: dict[str, Any] = {
        "compat": "no_conflicts",
        "data_vars": "all",
        "coords": "different",
        "join": "outer",
        "combine_attrs": "override",
    }
    return open_many(
        opener,
        urls,
        expand=partial(glob_urls, registry=None, storage_options=opener.options),
        preprocess=None,
        parallel=False,
        on_error="raise" if on_error is OnError.RAISE else "skip",
        progress=sys.stderr.isatty(),
        combine=combine.value,
        concat_dim=concat_dim,
        attrs_file=None,
        options=options,
    )


def _beside(output: str) -> Path | None:
    url = normalize_url(output).rstrip("/")
    return Path(f"{local_path(url)}.ledger.jsonl") if url.startswith("file://") else None
