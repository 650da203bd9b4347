"""`virtualizarr build`."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import Annotated, Any

import typer
import xarray as xr

import virtualizarr
from virtualizarr.cli.options import AsJson, Format, Load, Output, Overwrite, ParserName, Urls
from virtualizarr.cli.output import errors_in_one_line, print_json
from virtualizarr.plugins import writer_for


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
Failing = Annotated[OnError, typer.Option(help="For files that fail.")]


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
    json: AsJson = False,
) -> None:
    """Parse files, combine them as xarray does, and write references to them."""
    with errors_in_one_line():
        writer = writer_for(output, to)
        dataset = combined(urls, combine, concat_dim, loadable, parser, on_error)
        writer.write(dataset.virtualize.to_group(), output, overwrite=overwrite)
    result: dict[str, Any] = {
        "output": output,
        "format": writer.name,
        "references": dataset.virtualize.nrefs(),
        "files": len(dataset.virtualize.locations),
        "dimensions": {str(name): size for name, size in dataset.sizes.items()},
    }
    if json:
        print_json(result)
    else:
        print(f"{output}: {result['references']:,} references to {result['files']:,} files")


def combined(
    urls: list[str],
    combine: Combine,
    concat_dim: str | None,
    loadable: list[str] | None,
    parser: str | None,
    on_error: OnError,
) -> xr.Dataset:
    """Return the files as one virtual Dataset; a bar is drawn where there is a terminal."""
    return virtualizarr.open_virtual_mfdataset(
        urls,
        parser=parser,
        combine=combine.value,
        concat_dim=concat_dim,
        loadable_variables=loadable,
        on_error=on_error.value,
        progress=sys.stderr.isatty(),
    )
