"""Running a parser: facts of files, and the way VirtualiZarr 2.x calls parsers."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import zarr
from obspec_utils.registry import ObjectStoreRegistry
from obstore.store import LocalStore

import virtualizarr
from netcdf_archive import month, write_netcdf3
from virtualizarr.errors import SourceNotFoundError
from virtualizarr.model import ArrayMetadata, ChunkManifest, Location, ManifestArray, ManifestGroup
from virtualizarr.model.pending import PendingArray
from virtualizarr.parsers import NetCDF3Parser, __all__
from virtualizarr.parsers.base import Parser
from virtualizarr.parsers.driver import Sources, parse_with, parse_with_async, stamped
from virtualizarr.source.facts import FileFacts
from virtualizarr.source.memory import BytesSource
from virtualizarr.source.ranges import ByteRange
from virtualizarr.source.reading import Elsewhere, Later, Reading


def group_of(*locations: Location) -> ManifestGroup:
    metadata = ArrayMetadata.create(
        shape=(len(locations),), dtype=np.dtype("u1"), chunk_shape=(1,), dimension_names=("x",)
    )
    column = np.arange(len(locations))
    manifest = ChunkManifest.from_columns(
        locations,
        column.astype(np.uint32),
        column.astype(np.uint64),
        np.ones(len(locations), np.uint32),
    )
    return ManifestGroup({"a": ManifestArray(metadata, manifest)})


def test_facts_are_added_and_known_ones_kept() -> None:
    noon = datetime(2000, 1, 1, 12, tzinfo=UTC)
    child = group_of(Location("memory://a"), Location("memory://b", size=5))
    group = ManifestGroup({}, {"g": child}, {"title": "x"})
    facts = {
        "memory://a": FileFacts(1, "etag", noon),
        "memory://b": FileFacts(2, "other", noon),
    }
    found = stamped(group, facts)
    a, b = found.groups["g"].arrays["a"].manifest.locations
    assert (a.size, a.etag, a.last_modified) == (1, "etag", noon)
    assert (b.size, b.etag) == (5, "other")
    assert dict(found.attributes) == {"title": "x"}
    assert found == group


@dataclass(frozen=True)
class TwoFiles:
    """Reads a file that names another, and tries a third that is not there."""

    name: str = "two"
    suffixes: tuple[str, ...] = ()

    def sniff(self, head: bytes | memoryview, url: str) -> bool:
        return False

    def parse(self, url: str) -> Reading[ManifestGroup]:
        (other,) = yield [ByteRange(0, 9)]
        found, failed = yield [
            Elsewhere(bytes(other).decode(), one_byte()),
            Elsewhere("memory://none", one_byte()),
        ]
        assert found == b"!"
        assert isinstance(failed, SourceNotFoundError)
        return group_of(Location(url), Location("memory://"), Location("memory://elsewhere"))


def one_byte() -> Reading[bytes]:
    (data,) = yield [ByteRange(0, 1)]
    return bytes(data)


def test_every_file_touched_is_stamped() -> None:
    files = {"memory://first": b"memory://", "memory://": b"!"}

    def opener(url: str) -> BytesSource:
        if url not in files:
            raise SourceNotFoundError("there is nothing", url=url)
        return BytesSource(files[url], url)

    group = parse_with(TwoFiles(), "memory://first", Sources(opener))
    assert [file.size for file in group.arrays["a"].manifest.locations] == [9, 1, None]


@dataclass(frozen=True)
class ReadLater(TwoFiles):
    """Says at once what there is; opens the file that its references lead to when they are read."""

    def parse(self, url: str) -> Reading[ManifestGroup]:
        def references() -> Reading[ChunkManifest]:
            yield [Elsewhere("memory://", one_byte())]
            return group_of(Location("memory://")).arrays["a"].manifest

        (fill,) = yield [Later(references)]
        metadata = group_of(Location("memory://")).arrays["a"].metadata
        return ManifestGroup({"a": PendingArray(metadata, fill)})


async def parsed_on_a_loop(parser: TwoFiles, url: str, sources: Sources) -> ManifestGroup:
    return await parse_with_async(parser, url, sources)


@pytest.mark.parametrize("parser", [TwoFiles(), ReadLater()], ids=["at once", "later"])
def test_an_event_loop_stamps_as_blocking_callers_do(parser: TwoFiles) -> None:
    files = {"memory://first": b"memory://", "memory://": b"!"}

    def opener(url: str) -> BytesSource:
        if url not in files:
            raise SourceNotFoundError("there is nothing", url=url)
        return BytesSource(files[url], url)

    groups = (
        parse_with(parser, "memory://first", Sources(opener)),
        asyncio.run(parsed_on_a_loop(parser, "memory://first", Sources(opener))),
    )
    for group in groups:
        told = {file.url: file for file in group.arrays["a"].manifest.locations}
        assert told["memory://"].size == 1
        assert told["memory://"].referrer == "memory://first"
    assert groups[0] == groups[1]


@pytest.mark.parametrize("with_registry", [False, True])
def test_a_parser_can_be_called_as_in_2x(tmp_path: Path, with_registry: bool) -> None:
    path = write_netcdf3(month(0), tmp_path / "a.nc")
    registry = ObjectStoreRegistry({"file://": LocalStore()}) if with_registry else None
    parser = NetCDF3Parser()
    assert isinstance(parser, Parser)
    store = parser(path.as_uri(), registry)
    assert store.group == virtualizarr.parse(path)
    assert zarr.open_group(store, mode="r")["crs"][()] == 4326


def test_parsers_have_their_names_of_2x() -> None:
    import virtualizarr.parsers

    for name in __all__:
        assert isinstance(getattr(virtualizarr.parsers, name)(), Parser)
    with pytest.raises(AttributeError, match="NoParser"):
        virtualizarr.parsers.NoParser  # noqa: B018
