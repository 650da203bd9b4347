"""`virtualizarr inspect`."""

from __future__ import annotations

from rich.console import Console

import virtualizarr
from virtualizarr.cli.describe import describe_group
from virtualizarr.cli.options import AsJson, Options, ParserName, Url, storage_options
from virtualizarr.cli.output import errors_in_one_line, print_json
from virtualizarr.cli.show import show_group


def inspect(
    url: Url, parser: ParserName = None, option: Options = None, json: AsJson = False
) -> None:
    """Show the groups and variables of a file or store, and whether it can be virtualized."""
    options = storage_options(option)
    with errors_in_one_line(options):
        group = virtualizarr.parse(url, parser=parser, storage_options=options)
        description = describe_group(group)
    if json:
        print_json({"url": url, **description})
    else:
        show_group(Console(), url, description)
