"""`virtualizarr inspect`."""

from __future__ import annotations

from rich.console import Console

import virtualizarr
from virtualizarr.cli.describe import describe_group
from virtualizarr.cli.options import AsJson, ParserName, Url
from virtualizarr.cli.output import errors_in_one_line, print_json
from virtualizarr.cli.show import show_group


def inspect(url: Url, parser: ParserName = None, json: AsJson = False) -> None:
    """Show the groups and variables of a file or store, and whether it can be virtualized."""
    with errors_in_one_line():
        description = describe_group(virtualizarr.parse(url, parser=parser))
    if json:
        print_json({"url": url, **description})
    else:
        show_group(Console(), url, description)
