"""`virtualizarr formats`."""

from __future__ import annotations

from rich.console import Console

from virtualizarr import plugins
from virtualizarr.cli.options import AsJson
from virtualizarr.cli.output import print_json
from virtualizarr.cli.show import show_table


def formats(json: AsJson = False) -> None:
    """List the formats that can be read and written."""
    parsers = plugins.installed_parsers()
    if json:
        print_json(
            [
                {"name": p.name, "writes": p.name in plugins.WRITERS, "suffixes": list(p.suffixes)}
                for p in parsers
            ]
        )
        return
    rows = [
        [p.name, "read, write" if p.name in plugins.WRITERS else "read", " ".join(p.suffixes)]
        for p in parsers
    ]
    show_table(Console(), ["format", "", "usual endings"], rows)
