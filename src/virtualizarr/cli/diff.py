"""`virtualizarr diff`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

import virtualizarr
from virtualizarr.cli.options import Allowed, AsJson, Options, storage_options
from virtualizarr.cli.output import errors_in_one_line, one_line, print_json


def diff(
    left: Annotated[str, typer.Argument(help="A file or store: path or URL.")],
    right: Annotated[str, typer.Argument(help="What to compare it with.")],
    values: Annotated[bool, typer.Option("--values", help="Compare decoded values too.")] = False,
    allow: Allowed = None,
    option: Options = None,
    json: AsJson = False,
) -> None:
    """Show what differs between two files or stores; exit code 1 if anything does."""
    options = storage_options(option)
    with errors_in_one_line(options):
        found = virtualizarr.diff(
            left, right, values=values, storage_options=options, allowed_locations=allow
        )
    if json:
        print_json([asdict(difference) for difference in found])
    else:
        for difference in found:
            print(one_line(difference))
    raise typer.Exit(1 if found else 0)
