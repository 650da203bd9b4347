"""`virtualizarr serve`."""

from __future__ import annotations

from typing import Annotated

import typer

import virtualizarr
from virtualizarr.cli.options import Allowed, AsJson, Options, ParserName, Store, storage_options
from virtualizarr.cli.output import errors_in_one_line, print_json
from virtualizarr.cli.zarr_server import ZarrServer
from virtualizarr.store.plain import PlainStore


def serve(
    store: Store,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes one that is free.")] = 8000,
    allow: Allowed = None,
    parser: ParserName = None,
    option: Options = None,
    json: AsJson = False,
) -> None:
    """Show a store or a file as plain Zarr v3 over HTTP, on this machine only; stop with Ctrl-C."""
    options = storage_options(option)
    with errors_in_one_line(options):
        group = virtualizarr.parse(store, parser=parser, storage_options=options)
        shown = PlainStore(group, storage_options=options, allowed_locations=allow)
        try:
            server = ZarrServer(shown, port)
        except OSError as error:
            raise typer.BadParameter(
                f"port {port}: {error.strerror}", param_hint="--port"
            ) from None
    with server:
        if json:
            print_json({"store": store, "url": server.url})
        else:
            print(f"{store} at {server.url}", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            raise typer.Exit(0) from None
