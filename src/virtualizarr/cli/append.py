"""`virtualizarr append`."""

from __future__ import annotations

from typing import Annotated

import typer

import virtualizarr
from virtualizarr.cli.build import Combine, Failing, How, OnError, combined
from virtualizarr.cli.options import AsJson, Load, ParserName, Urls
from virtualizarr.cli.output import errors_in_one_line, print_json


def append(
    urls: Urls,
    output: Annotated[
        str, typer.Option("--output", "-o", help="The store to append to: a path or URL.")
    ],
    dim: Annotated[str, typer.Option("--dim", help="The dimension that grows.")] = "time",
    combine: How = Combine.BY_COORDS,
    loadable: Load = None,
    parser: ParserName = None,
    on_error: Failing = OnError.RAISE,
    json: AsJson = False,
) -> None:
    """Append files to a store of references; what is already there is not added again."""
    with errors_in_one_line():
        concat_dim = dim if combine is Combine.NESTED else None
        dataset = combined(urls, combine, concat_dim, loadable, parser, on_error)
        note = virtualizarr.append(dataset.virtualize.to_group(), output, dim)
    if json:
        print_json({"output": output, "files": len(dataset.virtualize.locations), "note": note})
    else:
        print(f"{output}: {note}")
