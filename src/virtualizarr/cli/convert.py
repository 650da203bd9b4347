"""`virtualizarr convert`."""

from __future__ import annotations

import typer

import virtualizarr
from virtualizarr.cli.options import (
    AsJson,
    Format,
    Output,
    Overwrite,
    ParserName,
    Rename,
    Store,
)
from virtualizarr.cli.output import errors_in_one_line, print_json


def convert(
    store: Store,
    output: Output,
    to: Format = None,
    rename: Rename = None,
    parser: ParserName = None,
    overwrite: Overwrite = False,
    json: AsJson = False,
) -> None:
    """Write a store of references in another format, or with other places of its files."""
    with errors_in_one_line():
        group = virtualizarr.convert(
            store,
            output,
            to=to,
            rename=_pairs(rename if rename is not None else []),
            parser=parser,
            overwrite=overwrite,
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
