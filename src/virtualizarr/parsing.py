"""From a URL, or what stands for one, to a tree of virtual arrays."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from obspec_utils.registry import ObjectStoreRegistry

from virtualizarr.errors import (
    SourceIsDirectoryError,
    SourceNotFoundError,
    UnknownFormatError,
    UnsupportedFeatureError,
    VirtualizeError,
)
from virtualizarr.model import ManifestGroup
from virtualizarr.parsers.base import Parser
from virtualizarr.parsers.driver import Sources, parse_with, parse_with_async, referred
from virtualizarr.parsers.kerchunk import group_from_refs
from virtualizarr.plugins import (
    FAR_SIGNATURES,
    HEAD_SIZE,
    NEAR_SIZE,
    decides_nearly,
    detect,
    detect_directory,
    detecting_beside,
    parser_named,
)
from virtualizarr.source.access import Access
from virtualizarr.source.open import resolve
from virtualizarr.source.policy import IN_MEMORY
from virtualizarr.source.ranges import ByteRange
from virtualizarr.source.reading import run
from virtualizarr.source.shallow import names_at
from virtualizarr.source.urls import WEB_SCHEMES, normalize_url, split_url
from virtualizarr.store import ManifestStore

NO_FILE = (SourceNotFoundError, SourceIsDirectoryError, UnknownFormatError)
"""What is raised for a directory: a web server may answer with a page that lists it."""

ARRAYS_AT_ONCE = 16

type Url = str | os.PathLike[str]
type References = Mapping[str, Any]
type Input = Url | References | ManifestGroup | ManifestStore
type LegacyParser = Callable[..., ManifestStore]
type AnyParser = str | Parser | LegacyParser


@dataclass(frozen=True, slots=True)
class Parsed:
    """A parsed file: its groups, and the sources its bytes came from, for further reading.

    `url` is None for references given as a dict, `format` for a parser that has no name.
    """

    group: ManifestGroup
    sources: Sources
    url: str | None
    format: str | None

    def at(self, path: str) -> ManifestGroup:
        """Return the group at `path`; "" and "/" are the root.

        Raises SourceNotFoundError listing the groups there are.
        """
        node = self.group
        for name in path.strip("/").split("/") if path.strip("/") else ():
            if name not in node.groups:
                known = ", ".join(node.groups) if node.groups else "none"
                raise SourceNotFoundError(
                    f"there is no group {path!r}; groups at this level: {known}", url=self.url
                )
            node = node.groups[name]
        return node


def parsed_input(url: Input, access: Access, parser: AnyParser | None = None) -> Parsed:
    """Return what is at `url`, parsed unless it is already; errors as `open_virtual_dataset`."""
    sources = Sources(access.open, access.policy)
    if isinstance(url, ManifestStore):
        return Parsed(url.group, sources, None, None)
    if isinstance(url, ManifestGroup):
        return Parsed(url, sources, None, None)
    if isinstance(url, Mapping):
        return Parsed(referred(group_from_refs(url), IN_MEMORY), sources, None, "kerchunk")
    canonical = canonical_url(url)
    chosen = chosen_parser(parser) if parser is not None else _detected(canonical, access, sources)
    if isinstance(chosen, Parser):
        return Parsed(parse_with(chosen, canonical, sources), sources, canonical, chosen.name)
    registry = access.registry
    if registry is None:
        registry = _registry_for(canonical, access.storage_options)
    store = chosen(url=canonical, registry=registry)
    return Parsed(referred(store.group, canonical), sources, canonical, None)


def settled(group: ManifestGroup) -> ManifestGroup:
    """Return the tree after reading what references of it are still to be read, side by side."""
    pending = [array for _, array in group.walk_arrays() if array.is_pending]
    if pending:
        with ThreadPoolExecutor(min(len(pending), ARRAYS_AT_ONCE)) as pool:
            list(pool.map(lambda array: array.manifest, pending))
    return group


def canonical_url(url: Url) -> str:
    """Return the canonical URL without a last slash, but on the web, where it makes a difference.

    Raises what `normalize_url` raises.
    """
    canonical = normalize_url(url)
    parts = split_url(canonical)
    return canonical if parts.scheme in WEB_SCHEMES or not parts.path else canonical.rstrip("/")


async def parsed_url_async(
    url: Url, access: Access, parser: str | Parser | None = None
) -> ManifestGroup:
    """The same for a URL, on the running event loop."""
    canonical = canonical_url(url)
    sources = Sources(access.open, access.policy)
    if parser is None:
        try:
            (head,) = await sources.open(canonical).read_async([ByteRange(0, HEAD_SIZE)])
            parser = await asyncio.to_thread(_parser_of_file, head, canonical, sources)
        except NO_FILE as error:
            parser = await asyncio.to_thread(_parser_of_directory, canonical, access, error)
    chosen = chosen_parser(parser)
    if not isinstance(chosen, Parser):
        raise UnsupportedFeatureError(f"{chosen!r} blocks; use `parse`", url=canonical)
    return await parse_with_async(chosen, canonical, sources)


def _detected(canonical: str, access: Access, sources: Sources) -> Parser:
    """Return the parser for a file by its first bytes, for a directory by the names in it."""
    source = sources.open(canonical)
    try:
        if split_url(canonical).scheme == "file":  # where a round costs less than bytes do
            near, *signatures = source.read([ByteRange(0, NEAR_SIZE), *FAR_SIGNATURES])
            if decides_nearly(near, signatures):
                with suppress(UnknownFormatError):
                    return detect(near, canonical)
        (head,) = source.read([ByteRange(0, HEAD_SIZE)])
        return _parser_of_file(head, canonical, sources)
    except NO_FILE as error:
        return _parser_of_directory(canonical, access, error)


def _parser_of_file(head: bytes | memoryview, canonical: str, sources: Sources) -> Parser:
    """Return the parser for a file by its first bytes, or by the header beside it."""
    try:
        return detect(head, canonical)
    except UnknownFormatError:
        reading = detecting_beside(head, canonical)
        parser = run(reading, sources.open(canonical), sources.opener_from(canonical))
        if parser is None:
            raise
        return parser


def _parser_of_directory(canonical: str, access: Access, error: VirtualizeError) -> Parser:
    """Return the parser for what is no file known; `error` says why, and is raised in the end."""
    is_web = split_url(canonical).scheme in WEB_SCHEMES
    if not is_web and isinstance(error, UnknownFormatError):
        raise error
    names = names_at(canonical, access.registry, access.storage_options)
    if not names and not is_web:
        raise error
    try:
        return detect_directory(names, canonical)
    except UnknownFormatError:
        if names:
            raise
        raise error from None


def chosen_parser(parser: AnyParser) -> Parser | LegacyParser:
    """Return the parser of that name, an instance of that class, or the parser itself."""
    if isinstance(parser, str):
        return parser_named(parser)
    made: Any = parser() if isinstance(parser, type) else parser
    if not callable(made) and not isinstance(made, Parser):
        raise TypeError(f"parser must be a name, a parser or a callable, not {parser!r}")
    return made  # type: ignore[no-any-return]


def _registry_for(url: str, storage_options: Mapping[str, Any] | None) -> ObjectStoreRegistry[Any]:
    """Return a registry for parsers of VirtualiZarr 2.x, which cannot do without."""
    store, _ = resolve(url, None, storage_options)
    parts = split_url(url)
    return ObjectStoreRegistry({f"{parts.scheme}://{parts.authority}": store})
