"""Arguments that several verbs have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

Url = Annotated[str, typer.Argument(help="A path, or a file://, s3://, gs://, az:// or http URL.")]
Urls = Annotated[list[str], typer.Argument(help="Paths, URLs or glob patterns.")]
Store = Annotated[str, typer.Argument(help="A store of references, or a file: path or URL.")]
ParserName = Annotated[
    str | None, typer.Option("--parser", help="Format name; otherwise told from the content.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
Output = Annotated[
    str,
    typer.Option(
        "--output",
        "-o",
        help="What to write: a path or URL that ends in .json, .parquet, .icechunk or .zarr.",
    ),
]
Format = Annotated[
    str | None,
    typer.Option("--to", help="json, parquet, icechunk or zarr; otherwise told from the name."),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace a store that is there.")]
Allowed = Annotated[
    list[str] | None,
    typer.Option(
        "--allow",
        help="Prefix of URLs or paths that references may lead to, or 'all'; otherwise only to "
        "the scheme and host of the file that holds them.",
    ),
]
Rename = Annotated[
    list[str] | None,
    typer.Option("--rename", help="OLD=NEW: a new prefix for the files referred to."),
]
Load = Annotated[
    list[str] | None,
    typer.Option("--load", help="A variable to store by value; default: dimension coordinates."),
]
Options = Annotated[
    list[str] | None,
    typer.Option(
        "--storage-option",
        metavar="KEY=VALUE",
        help="How object stores are reached, as in storage_options: region=..., endpoint=..., "
        "skip_signature=true; once for each. Never printed. Other users of the machine can see "
        "arguments: give secrets in the environment (AWS_SECRET_ACCESS_KEY and the like).",
    ),
]
_WORDS = {"true": True, "false": False}


def storage_options(texts: Sequence[str] | None) -> dict[str, str | bool] | None:
    """Return what was given as --storage-option; None if nothing was.

    Raises BadParameter, without the text, for one that is not KEY=VALUE.
    """
    if not texts:
        return None
    pairs = [text.partition("=") for text in texts]
    if not all(key and equals for key, equals, _ in pairs):
        raise typer.BadParameter("must be KEY=VALUE", param_hint="--storage-option")
    return {key: _WORDS.get(value.lower(), value) for key, _, value in pairs}
