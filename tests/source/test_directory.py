"""Listings of directories and prefixes, and readings that ask for them."""

from __future__ import annotations

import asyncio
import os
from typing import Any

import obstore
import pytest

from virtualizarr.errors import (
    SourceError,
    SourceNotFoundError,
    UnsupportedFeatureError,
    VirtualizeError,
)
from virtualizarr.source.directory import FileList
from virtualizarr.source.memory import BytesSource
from virtualizarr.source.open import open_source
from virtualizarr.source.ranges import ByteRange
from virtualizarr.source.reading import Elsewhere, Listing, Reading, Stat, run, run_async
from virtualizarr.source.stores import memory_store

FILES = {"a/b.txt": b"12345", "a/c/é d.bin": b"", "zarr.json": b"{}", "ab": b"1"}


def asked(*requests: Any) -> Reading[Any]:
    answers = yield list(requests)
    return answers


def listed(url: str) -> Any:
    (found,) = run(asked(Listing(url)), BytesSource(b""), open_source)
    return found


@pytest.fixture(params=["local", "memory", "s3"])
def place(request, tmp_path):
    """A URL below which `FILES` lie, and options to reach it."""
    if request.param == "local":
        for name, data in FILES.items():
            path = tmp_path / "root" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        return (tmp_path / "root").as_uri(), None
    if request.param == "memory":
        store, url, options = memory_store("listing"), "memory://listing/x/root", None
    else:
        server = request.getfixturevalue("s3_server")
        store, url, options = server.store("listing"), "s3://listing/x/root", server.options
    for name, data in {**FILES, "../rooted/other": b"1"}.items():
        obstore.put(store, os.path.normpath(f"x/root/{name}"), data)
    return url, options


def test_files_and_their_facts(place):
    url, options = place

    def opener(other: str) -> Any:
        return open_source(other, None, options)

    (found,) = run(asked(Listing(url)), BytesSource(b""), opener)
    assert list(found.names) == sorted(FILES)
    assert found.sizes.tolist() == [len(FILES[name]) for name in sorted(FILES)]
    (facts,) = run(asked(Stat()), opener(f"{url}/a/b.txt"))
    at = list(found.names).index("a/b.txt")
    assert found.etags[at] == facts.etag
    assert found.modified[at] == facts.last_modified
    assert opener(url).names_in() == {"a", "ab", "zarr.json"}

    async def opener_async(other: str) -> Any:
        return opener(other)

    (again,) = asyncio.run(run_async(asked(Listing(url)), BytesSource(b""), opener_async))
    assert list(again.names) == list(found.names)


def test_where_there_is_nothing(tmp_path):
    assert isinstance(listed((tmp_path / "no").as_uri()), SourceNotFoundError)
    (tmp_path / "file").write_bytes(b"")
    assert isinstance(listed((tmp_path / "file").as_uri()), SourceError)
    found = listed("memory://listing-empty/x")
    assert isinstance(found, FileList)
    assert len(found.names) == 0
    assert open_source(tmp_path / "no").names_in() == frozenset()


def test_what_cannot_list(range_server):
    assert isinstance(listed(f"{range_server.url}/x"), UnsupportedFeatureError)
    (found,) = run(asked(Listing("memory://bytes")), BytesSource(b""))
    assert isinstance(found, UnsupportedFeatureError)
    assert open_source(f"{range_server.url}/x").names_in() == frozenset()


def test_links_are_followed_but_not_for_ever(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real/f").write_bytes(b"1")
    (tmp_path / "root").mkdir()
    (tmp_path / "root/link").symlink_to(tmp_path / "real", target_is_directory=True)
    (tmp_path / "root/dangling").symlink_to(tmp_path / "gone")
    assert list(listed((tmp_path / "root").as_uri()).names) == ["link/f"]
    (tmp_path / "root/loop").symlink_to(tmp_path / "root", target_is_directory=True)
    assert isinstance(listed((tmp_path / "root").as_uri()), SourceError)


def test_other_files_are_read_side_by_side(range_server):
    for number in range(20):
        range_server.files[str(number)] = bytes([number])
    range_server.latency = 0.05
    urls = [f"{range_server.url}/{number}" for number in range(20)]

    def first(_: int) -> Reading[int]:
        (data,) = yield [ByteRange(0, 1)]
        return data[0]

    requests = [Elsewhere(url, first(n)) for n, url in enumerate(urls)]
    missing = Elsewhere(f"{range_server.url}/none", first(0))
    *found, failed = run(asked(*requests, missing), BytesSource(b""), open_source)
    assert found == list(range(20))
    assert isinstance(failed, VirtualizeError)
    assert range_server.counts.in_flight_max > 5
