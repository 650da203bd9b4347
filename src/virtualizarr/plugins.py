"""Which parsers and writers are installed, and which of them a file needs.

Parsers are entry points in the group "virtualizarr.parsers", imported when they are first used: the
magic numbers of the commonest formats are known here, so most files import one parser alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from difflib import get_close_matches
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from types import MappingProxyType
from typing import Any

from virtualizarr.errors import MissingDependencyError, UnknownFormatError
from virtualizarr.parsers.base import DirectoryParser, Parser
from virtualizarr.writers.registry import WRITERS, Writer, writer_for, writer_named

__all__ = [
    "WRITERS",
    "Writer",
    "describe",
    "detect",
    "detect_directory",
    "installed_parsers",
    "parser_named",
    "writer_for",
    "writer_named",
]

GROUP = "virtualizarr.parsers"
HEAD_SIZE = 1024 * 1024

HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"
NETCDF3_MAGIC = (b"CDF\x01", b"CDF\x02", b"CDF\x05")


def _is_hdf5(head: bytes | memoryview) -> bool:
    """Look for the signature where a superblock may lie (HDF5 file format 3.0, section II.A)."""
    at = 0
    while at < len(head):
        if head[at : at + len(HDF5_SIGNATURE)] == HDF5_SIGNATURE:
            return True
        at = at * 2 if at else 512
    return False


CERTAIN: Mapping[str, Callable[[bytes | memoryview], bool]] = MappingProxyType(
    {"hdf5": _is_hdf5, "netcdf3": lambda head: head[:4] in NETCDF3_MAGIC}
)
"""Formats that their first bytes decide, by the name of their parser."""


@cache
def _entry_points() -> Mapping[str, EntryPoint]:
    return MappingProxyType({point.name: point for point in entry_points(group=GROUP)})


def installed_parsers() -> tuple[Parser, ...]:
    """Return every installed parser with its default options, sorted by name.

    Those that need a package which is not installed are left out; `parser_named` says which it is.
    """
    return _importable(_entry_points())[0]


@cache
def parser_named(name: str) -> Parser:
    """Return the parser of that name, with its default options.

    Raises UnknownFormatError listing what is installed, MissingDependencyError if the parser needs
    a package that is not.
    """
    point = _entry_points().get(name)
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


def detect(head: bytes | memoryview, url: str) -> Parser:
    """Return the parser for a file that starts with `head` (up to 1 MiB).

    Content decides; the ending of the name only where content cannot. Raises UnknownFormatError
    that says what the content looks like, and which parsers are installed.
    """
    head = head[:HEAD_SIZE]
    installed = _entry_points()
    for name, holds in CERTAIN.items():
        if name in installed and holds(head):
            return parser_named(name)
    start = bytes(head)
    others, broken = _importable(name for name in installed if name not in CERTAIN)
    for parser in others:
        if parser.sniff(start, url):
            return parser
    kind = describe(start)
    if kind is None:
        path = url.partition("?")[0].lower()
        for parser in others:
            if path.endswith(parser.suffixes):
                return parser
        kind = f"its first bytes are {start[:16].hex(' ')}"
    reasons = [
        f"the format is not recognised: {kind}",
        f"installed parsers: {', '.join(sorted(installed))}",
        *broken,
    ]
    raise UnknownFormatError("; ".join(reasons), url=url)


def detect_directory(names: Collection[str], url: str) -> Parser:
    """Return the parser for a directory that holds these names; none are known of some stores.

    Then the ending of the URL decides. Raises UnknownFormatError that says what is there.
    """
    parsers, broken = _importable(_entry_points())
    stores = [parser for parser in parsers if isinstance(parser, DirectoryParser)]
    for parser in stores:
        if names and parser.sniff_listing(names, url):
            return parser
    path = url.partition("?")[0].rstrip("/").lower()
    for parser in stores:
        if not names and path.endswith(parser.suffixes):
            return parser
    shown = ", ".join(sorted(names)[:5])
    reasons = [
        f"the directory is no store that is known: it holds {shown if names else 'nothing'}",
        f"parsers of directories: {', '.join(parser.name for parser in stores)}",
        *broken,
    ]
    raise UnknownFormatError("; ".join(reasons), url=url)


def _importable(names: Iterable[str]) -> tuple[tuple[Parser, ...], list[str]]:
    """Return the parsers of these names, and for those that cannot be had the reasons."""
    parsers: list[Parser] = []
    broken: list[str] = []
    for name in sorted(names):
        try:
            parsers.append(parser_named(name))
        except (MissingDependencyError, UnknownFormatError) as error:
            broken.append(error.reason)
    return tuple(parsers), broken


SIGNATURES: tuple[tuple[re.Pattern[bytes], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE | re.DOTALL), meaning)
    for pattern, meaning in (
        (rb"\A\s*(<!doctype html|<html)", "this is an HTML page, such as an error or a login page"),
        (rb"\A\s*(<\?xml.*?>\s*)?<Error>", "this is an error message of an object store, in XML"),
        (rb"\A\s*<\?xml", "this is XML"),
        (rb"\Aversion https://git-lfs", "this is a git LFS pointer, not the file it stands for"),
        (rb"\A\x1f\x8b", "this is gzip-compressed; decompress it first"),
        (rb"\ABZh", "this is bzip2-compressed; decompress it first"),
        (rb"\A\xfd7zXZ", "this is xz-compressed; decompress it first"),
        (rb"\A\x28\xb5\x2f\xfd", "this is Zstandard-compressed; decompress it first"),
        (rb"\APK\x03\x04", "this is a zip archive"),
        (rb"\A\0{64,}", "this begins with zeros, as files do that were not written to their end"),
    )
)


def describe(head: bytes) -> str | None:
    """Say what bytes that no parser knows look like; None if they look like nothing known."""
    if not head:
        return "the file is empty"
    for pattern, meaning in SIGNATURES:
        if pattern.match(head):
            return meaning
    return _describe_text(head[:4096])


def _describe_text(head: bytes) -> str | None:
    text = head.decode("utf-8", errors="ignore")
    lost = len(head) - len(text.encode())
    if lost > 3 or any(not (letter.isprintable() or letter.isspace()) for letter in text):
        return None
    line = next((line for line in text.splitlines() if line.strip()), "")
    return f"this is text that begins {line.strip()[:60]!r}"


def _suggestion(name: str) -> str:
    installed = sorted(_entry_points())
    close = get_close_matches(name.lower(), installed, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    return f"{hint}; installed parsers: {', '.join(installed)}"
