"""`virtualizarr check`."""

from __future__ import annotations

from dataclasses import asdict

import typer

import virtualizarr
from virtualizarr.cli.options import AsJson, Options, ParserName, Urls, storage_options
from virtualizarr.cli.output import errors_in_one_line, one_line, print_json, told
from virtualizarr.source.listing import glob_urls


def check(
    urls: Urls, parser: ParserName = None, option: Options = None, json: AsJson = False
) -> None:
    """Group files by what keeps them from being combined; exit code 1 if any is odd."""
    options = storage_options(option)
    with errors_in_one_line(options), told("files") as progress:
        files = [url for pattern in urls for url in glob_urls(pattern, None, options)]
        eras = virtualizarr.check(files, parser=parser, storage_options=options, progress=progress)
    if json:
        print_json([asdict(era) for era in eras])
    else:
        for era in eras:
            kind = "cannot be parsed" if era.is_broken else "are alike"
            print(f"{len(era.urls):,} files {kind}, the first is {era.urls[0]}")
            for difference in era.differences:
                print(f"  {one_line(difference)}")
    raise typer.Exit(0 if len(eras) == 1 and not eras[0].is_broken else 1)
