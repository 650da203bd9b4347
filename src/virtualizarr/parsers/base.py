"""What a parser is."""

from __future__ import annotations

import os
from collections.abc import Collection
from typing import Any, Protocol, runtime_checkable

from virtualizarr.model.group import ManifestGroup
from virtualizarr.parsers.driver import Sources, parse_with
from virtualizarr.source.access import Access
from virtualizarr.source.reading import Reading
from virtualizarr.source.urls import normalize_url
from virtualizarr.store import ManifestStore


@runtime_checkable
class Parser(Protocol):
    """Turns a file's bytes into a `ManifestGroup`, asking for the bytes it needs.

    Implementations are frozen dataclasses whose fields are the parser's options, so that they can
    be compared, printed and sent to other processes.
    """

    @property
    def name(self) -> str:
        """The format's short name, as given to `parser=`."""
        ...

    @property
    def suffixes(self) -> tuple[str, ...]:
        """File name endings, with the dot, that suggest this format where content cannot tell."""
        ...

    def sniff(self, head: bytes | memoryview, url: str) -> bool:
        """Say whether a file that starts with `head` (up to 1 MiB) is of this format."""
        ...

    def parse(self, url: str) -> Reading[ManifestGroup]:
        """Read the file. `url` goes into the manifests; its bytes are asked for by yielding."""
        ...


@runtime_checkable
class DirectoryParser(Parser, Protocol):
    """A parser of stores that are directories."""

    def sniff_listing(self, names: Collection[str], url: str) -> bool:
        """Say whether a directory with these names directly in it is of this format."""
        ...


@runtime_checkable
class SidecarParser(Parser, Protocol):
    """A parser of data files that a header beside them describes; they have no magic number."""

    def headers(self, url: str) -> tuple[str, ...]:
        """Return the URLs under which the header of the data file at `url` may lie."""
        ...


class CallableParser:
    """A parser that is called as VirtualiZarr 2.x calls its parsers: `parser(url, registry)`.

    Ours inherit it, so that code written for 2.x goes on working.
    """

    __slots__ = ()

    def __call__(self, url: str | os.PathLike[str], registry: Any = None) -> ManifestStore:
        """Parse the file at `url` and return it as a store that zarr can open.

        `registry` is an `obspec_utils.registry.ObjectStoreRegistry`; without it the store is built
        from the URL and the environment.
        """
        assert isinstance(self, Parser)
        access = Access.of(registry)
        sources = Sources(access.open, access.policy)
        group = parse_with(self, normalize_url(url), sources)
        return ManifestStore(group, registry=registry)
