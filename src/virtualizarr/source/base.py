"""The shape that every source of this package has."""

from __future__ import annotations

from typing import Protocol

from virtualizarr.source.reading import AsyncSource, Source


class AnySource(Source, AsyncSource, Protocol):
    """A source for blocking callers and for callers on an event loop."""
