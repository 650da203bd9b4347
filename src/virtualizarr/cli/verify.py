"""`virtualizarr verify`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

import virtualizarr
from virtualizarr.cli.options import Allowed, AsJson, Options, ParserName, Store, storage_options
from virtualizarr.cli.output import errors_in_one_line, one_line, print_json, told


def verify(
    store: Store,
    sample: Annotated[int, typer.Option(min=0, help="Chunks to decode of each variable.")] = 2,
    seed: Annotated[int, typer.Option(help="Chooses which.")] = 0,
    allow: Allowed = None,
    parser: ParserName = None,
    option: Options = None,
    json: AsJson = False,
) -> None:
    """Check that the files referred to are there, as they were, and that chunks decode."""
    options = storage_options(option)
    with errors_in_one_line(options), told("files") as progress:
        report = virtualizarr.verify(
            store,
            parser=parser,
            sample=sample,
            seed=seed,
            storage_options=options,
            allowed_locations=allow,
            progress=progress,
        )
    if json:
        print_json({"store": store, "ok": report.ok, **asdict(report)})
    else:
        for problem in report.problems:
            print(one_line(problem))
        unproven = f" ({report.unproven:,} without evidence)" if report.unproven else ""
        print(
            f"{store}: {len(report.problems):,} problems; {report.references:,} references to "
            f"{report.locations:,} files{unproven}, {report.decoded:,} chunks decoded"
        )
    raise typer.Exit(0 if report.ok else 1)
