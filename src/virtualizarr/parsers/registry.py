"""Parsers by name, for the formats whose files lead to files of other formats.

Formats do not import one another: a SAFE product asks for the parser called "tiff" as a caller
would, and runs its reading `Elsewhere`.
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from types import MappingProxyType
from typing import Any

from virtualizarr.errors import MissingDependencyError, UnknownFormatError
from virtualizarr.parsers.base import Parser

GROUP = "virtualizarr.parsers"


@cache
def installed() -> Mapping[str, EntryPoint]:
    """Return the entry points of all parsers, by name."""
    return MappingProxyType({point.name: point for point in entry_points(group=GROUP)})


@cache
def parser_named(name: str) -> Parser:
    """Return the parser of that name, with its default options.

    Raises UnknownFormatError listing what is installed, MissingDependencyError if the parser needs
    a package that is not.
    """
    point = installed().get(name)
    if point is None:
        raise UnknownFormatError(f"there is no parser named {name!r}{_suggestion(name)}")
    try:
        made: Any = point.load()
    except ImportError as error:
        raise MissingDependencyError(f"parser {name!r} cannot be imported: {error}") from error
    parser = made() if isinstance(made, type) else made
    if not isinstance(parser, Parser):
        raise UnknownFormatError(
            f"parser {name!r} ({point.value}) lacks name, suffixes, sniff or parse; "
            "give it as an object instead"
        )
    return parser


def _suggestion(name: str) -> str:
    names = sorted(installed())
    close = get_close_matches(name.lower(), names, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    return f"{hint}; installed parsers: {', '.join(names)}"
