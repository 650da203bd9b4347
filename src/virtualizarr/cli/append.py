"""`virtualizarr append`."""

from __future__ import annotations

from typing import Annotated

import typer

import virtualizarr
from virtualizarr.cli.build import Combine, Failing, How, OnError, combined, tell_failures
from virtualizarr.cli.ledger import Ledger, Opener
from virtualizarr.cli.options import AsJson, Load, Options, ParserName, Urls, storage_options
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
    option: Options = None,
    json: AsJson = False,
) -> None:
    """Append files to a store of references; what is already there is not added again."""
    options = storage_options(option)
    with errors_in_one_line(options):
        concat_dim = dim if combine is Combine.NESTED else None
        kept = Ledger(None)
        opener = Opener(kept, parser, loadable, options)
        dataset = combined(urls, opener, combine, concat_dim, on_error)
        group = dataset.virtualize.to_group()
        note = virtualizarr.append(group, output, dim, storage_options=options)
    files = len(dataset.virtualize.locations)
    if json:
        print_json({"output": output, "files": files, "note": note, "failed": kept.failed})
    else:
        print(f"{output}: {note}")
    tell_failures(kept, on_error, options)
