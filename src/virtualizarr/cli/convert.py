"""`virtualizarr convert`."""

from __future__ import annotations

import typer

import virtualizarr
from virtualizarr.cli.options import (
    AsJson,
    Format,
    Options,
    Output,
    Overwrite,
    ParserName,
    Rename,
    Store,
    storage_options,
)
from virtualizarr.cli.output import errors_in_one_line, print_json


def convert(
    store: Store,
    output: Output,
    to: Format = None,
    rename: Rename = None,
    parser: ParserName = None,
    overwrite: Overwrite = False,
    option: Options = None,
    json: AsJson = False,
) -> None:
    """Write a store of references in another format, or with other places of its files."""
    options = storage_options(option)
    with errors_in_one_line(options):
        group = virtualizarr.convert(
            store,
            output,
            to=to,
            rename=_pairs(rename if rename is not None else []),
            parser=parser,
            overwrite=overwrite,
            storage_options=options,
        )
    files = len({file.url for _, array in group.walk_arrays() for file in array.locations})
    result = {"output": output, "references": group.nrefs, "files": files}
    if json:
        print_json(result)
    else:
        print(f"{output}: {group.nrefs:,} references to {files:,} files")


def _pairs(texts: list[str]) -> dict[str, str]:
    pairs = [text.partition("=") for text in texts]
    for old, equals, new in pairs:
        if not (old and equals and new):
            raise typer.BadParameter("must be OLD=NEW", param_hint="--rename")
    return {old: new for old, _, new in pairs}
