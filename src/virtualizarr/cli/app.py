"""The verbs, each in its own module: it calls one public function and prints its result."""

from __future__ import annotations

from typing import Annotated

import typer

import virtualizarr
from virtualizarr.cli.append import append
from virtualizarr.cli.build import build
from virtualizarr.cli.check import check
from virtualizarr.cli.convert import convert
from virtualizarr.cli.diff import diff
from virtualizarr.cli.formats import formats
from virtualizarr.cli.inspect import inspect
from virtualizarr.cli.serve import serve
from virtualizarr.cli.verify import verify

app = typer.Typer(
    name="virtualizarr",
    help="Virtual Zarr stores: open an archive of files as one Zarr dataset, copying no data.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
for verb in (inspect, check, build, append, verify, convert, diff, serve, formats):
    app.command()(verb)


@app.callback(invoke_without_command=True)
def version(
    show: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False,
) -> None:
    """Virtual Zarr stores: open an archive of files as one Zarr dataset, copying no data."""
    if show:
        print(virtualizarr.__version__)
        raise typer.Exit


def main() -> None:
    """Run the command line."""
    app()
