"""Opening a file, the first or another one that it leads to."""

from __future__ import annotations

from virtualizarr.model import Location
from virtualizarr.parsers.hdf5.convert.context import OpenFile
from virtualizarr.parsers.hdf5.layout import Hierarchy
from virtualizarr.parsers.hdf5.read import read_superblock, walk
from virtualizarr.source.facts import FileFacts
from virtualizarr.source.reading import Reading, Stat


def open_file(url: str, path: str, trail: tuple[tuple[str, str], ...]) -> Reading[OpenFile]:
    """Read the hierarchy of the file at `url` from `path` down; `trail` led to it."""
    superblock = yield from read_superblock()
    hierarchy = yield from walk(superblock, path)
    (answer,) = yield [Stat()]
    facts: FileFacts = answer
    location = Location(url, facts.size, facts.etag, facts.last_modified)
    return OpenFile(location, superblock, hierarchy, names_of(hierarchy), (*trail, (url, path)))


def names_of(hierarchy: Hierarchy) -> dict[int, str]:
    """Return the first path of every object, by the address of its header."""
    names: dict[int, str] = {}
    for way, address in hierarchy.paths.items():
        names.setdefault(address, way)
    return names
