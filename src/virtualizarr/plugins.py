"""Which parsers and writers are installed, and which of them a file needs.

Parsers are entry points in the group "virtualizarr.parsers", imported when they are first used: the
magic numbers of the commonest formats are known here, so most files import one parser alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from types import MappingProxyType

from virtualizarr.errors import MissingDependencyError, UnknownFormatError
from virtualizarr.parsers import registry
from virtualizarr.parsers.base import DirectoryParser, Parser, SidecarParser
from virtualizarr.parsers.registry import GROUP, parser_named
from virtualizarr.source.ranges import ByteRange
from virtualizarr.source.reading import Elsewhere, Reading
from virtualizarr.writers.registry import WRITERS, Writer, writer_for, writer_named

__all__ = [
    "GROUP",
    "WRITERS",
    "Writer",
    "describe",
    "detect",
    "detect_directory",
    "detecting_beside",
    "installed_parsers",
    "parser_named",
    "writer_for",
    "writer_named",
]

HEAD_SIZE = 1024 * 1024
HEADER_SIZE = 16 * 1024

NEAR_SIZE = 64 * 1024

HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"
FAR_SIGNATURES = tuple(
    ByteRange(at, at + len(HDF5_SIGNATURE)) for at in (NEAR_SIZE, 1 << 17, 1 << 18, 1 << 19)
)
"""Where else in the first `HEAD_SIZE` bytes the superblock of an HDF5 file may lie."""

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


def decides_nearly(head: memoryview, signatures: Iterable[bytes | memoryview]) -> bool:
    """Say whether `detect` needs no more than the first `NEAR_SIZE` bytes of a file.

    `signatures` are the bytes at `FAR_SIGNATURES`, where a file may show itself as HDF5. Documents
    may say late what they are.
    """
    if any(holds(head) for holds in CERTAIN.values()):
        return True
    is_document = bytes(head[:64]).lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"[", b"<", b"")
    return not is_document and HDF5_SIGNATURE not in map(bytes, signatures)


def installed_parsers() -> tuple[Parser, ...]:
    """Return every installed parser with its default options, sorted by name.

    Those that need a package which is not installed are left out; `parser_named` says which it is.
    """
    return _importable(registry.installed())[0]


def detect(head: bytes | memoryview, url: str) -> Parser:
    """Return the parser for a file that starts with `head` (up to 1 MiB).

    Content decides; the ending of the name only where content cannot. Raises UnknownFormatError
    that says what the content looks like, and which parsers are installed.
    """
    head = head[:HEAD_SIZE]
    installed = registry.installed()
    for name, holds in CERTAIN.items():
        if name in installed and holds(head):
            return parser_named(name)
    start = _as_bytes(head)
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


def _as_bytes(head: bytes | memoryview) -> bytes:
    """Return the same bytes; of a view of all of a `bytes` that object, which saves a copy."""
    if isinstance(head, memoryview) and isinstance(head.obj, bytes) and head.contiguous:
        whole = head.obj
        if head.nbytes == len(whole):
            return whole
    return bytes(head)


def detecting_beside(head: bytes | memoryview, url: str) -> Reading[Parser | None]:
    """Return the parser of a data file by the header that lies beside it; None without one.

    For files that `detect` does not know. All headers that installed parsers look for are asked for
    in one round, and recognised by their content. Pages of web servers have none.
    """
    if any(pattern.match(bytes(head[:4096])) for pattern, _ in SIGNATURES[:2]):
        return None
    parsers = [
        each for each in _importable(registry.installed())[0] if isinstance(each, SidecarParser)
    ]
    headers = dict.fromkeys(header for parser in parsers for header in parser.headers(url))
    urls = [header for header in headers if header != url]
    answers = yield [Elsewhere(header, _reading_head()) for header in urls]
    heads = dict(zip(urls, answers, strict=True))
    for parser in parsers:
        for header in parser.headers(url):
            found = heads.get(header)
            if isinstance(found, memoryview | bytes) and parser.sniff(found, header):
                return parser
    return None


def _reading_head() -> Reading[memoryview]:
    (head,) = yield [ByteRange(0, HEADER_SIZE)]
    return memoryview(head)


def detect_directory(names: Collection[str], url: str) -> Parser:
    """Return the parser for a directory that holds these names; none are known of some stores.

    Then the ending of the URL decides. Raises UnknownFormatError that says what is there.
    """
    parsers, broken = _importable(registry.installed())
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
