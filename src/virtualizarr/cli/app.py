"""The verbs. Each calls one public function, prints its result, and says errors in one line."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import orjson
import typer
from rich.console import Console

import virtualizarr
from virtualizarr import plugins
from virtualizarr.cli.describe import describe_group
from virtualizarr.cli.show import human, show_group, show_table
from virtualizarr.errors import VirtualizeError

app = typer.Typer(
    name="virtualizarr",
    help="Virtual Zarr stores: open an archive of files as one Zarr dataset, copying no data.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)

Url = Annotated[str, typer.Argument(help="A path, or a file://, s3://, gs://, az:// or http URL.")]
Urls = Annotated[list[str], typer.Argument(help="Paths, URLs or glob patterns.")]
ParserName = Annotated[
    str | None, typer.Option("--parser", help="Format name; otherwise told from the content.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]


class Combine(StrEnum):
    """How `build` joins files, in xarray's words."""

    BY_COORDS = "by_coords"
    NESTED = "nested"


class OnError(StrEnum):
    """What `build` does with a file that cannot be parsed."""

    RAISE = "raise"
    WARN = "warn"
    SKIP = "skip"


@app.callback(invoke_without_command=True)
def version(
    show: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False,
) -> None:
    """Virtual Zarr stores: open an archive of files as one Zarr dataset, copying no data."""
    if show:
        print(virtualizarr.__version__)
        raise typer.Exit


@app.command()
def inspect(url: Url, parser: ParserName = None, json: AsJson = False) -> None:
    """Show the groups and variables of a file or store, and whether it can be virtualized."""
    with _errors_in_one_line():
        description = describe_group(virtualizarr.parse(url, parser=parser))
    if json:
        _print_json({"url": url, **description})
    else:
        show_group(Console(), url, description)


@app.command()
def build(
    urls: Urls,
    output: Annotated[Path, typer.Option("--output", "-o", help="The .json file to write.")],
    combine: Annotated[Combine, typer.Option(help="How to join the files.")] = Combine.BY_COORDS,
    concat_dim: Annotated[
        str | None, typer.Option(help="Dimension to join along, with --combine nested.")
    ] = None,
    loadable: Annotated[
        list[str] | None,
        typer.Option(
            "--load", help="A variable to store by value; default: dimension coordinates."
        ),
    ] = None,
    parser: ParserName = None,
    on_error: Annotated[OnError, typer.Option(help="For files that fail.")] = OnError.RAISE,
    json: AsJson = False,
) -> None:
    """Parse files, combine them as xarray does, and write kerchunk references."""
    with _errors_in_one_line():
        dataset = virtualizarr.open_virtual_mfdataset(
            urls,
            parser=parser,
            combine=combine.value,
            concat_dim=concat_dim,
            loadable_variables=loadable,
            on_error=on_error.value,
            progress=sys.stderr.isatty(),
        )
        dataset.virtualize.to_kerchunk(output, format="json")
    result = {
        "output": str(output),
        "references": dataset.virtualize.nrefs(),
        "files": len(dataset.virtualize.locations),
        "bytes": output.stat().st_size,
        "dimensions": {str(name): size for name, size in dataset.sizes.items()},
    }
    if json:
        _print_json(result)
    else:
        print(
            f"{output}: {result['references']:,} references to {result['files']:,} files "
            f"in {human(output.stat().st_size)}"
        )


@app.command()
def formats(json: AsJson = False) -> None:
    """List the formats that can be read and written."""
    parsers = plugins.installed_parsers()
    if json:
        _print_json(
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


@contextmanager
def _errors_in_one_line() -> Iterator[None]:
    try:
        yield
    except VirtualizeError as error:
        print(f"virtualizarr: {' '.join(str(error).split())}", file=sys.stderr)
        raise typer.Exit(1) from error


def _print_json(value: object) -> None:
    print(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode())


def main() -> None:
    """Run the command line."""
    app()
