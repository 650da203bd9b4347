"""Remote files: the same bytes from every store, few requests, and failures with names."""

from __future__ import annotations

import asyncio
import pickle
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import obstore
import pytest
from obstore.exceptions import GenericError
from obstore.store import HTTPStore, LocalStore, MemoryStore, S3Store

from servers.ranges import RangeServer
from servers.s3 import S3Server
from virtualizarr.errors import (
    ChangedSourceError,
    CorruptFileError,
    SourceError,
    SourceNotFoundError,
    SourcePermissionError,
)
from virtualizarr.source.cache import CachingSource
from virtualizarr.source.memory import BytesSource
from virtualizarr.source.object_store import ObjectSource
from virtualizarr.source.open import open_source
from virtualizarr.source.ranges import ByteBlocks, ByteRange, CoalesceRule
from virtualizarr.source.stores import RETRY
from virtualizarr.source.translate import translated

CONTENT = bytes(np.random.default_rng(5).integers(0, 256, 3_000_000, np.uint8))
END = len(CONTENT)
REQUESTS = [
    ByteRange(0, 100),
    ByteBlocks(np.array([500, 2_000_000, END - 10, 500, END + 5, 1_000_000]), 64),
    ByteRange(END - 7, END + 100),
    ByteRange(7, 7),
    ByteRange(END + 1000, END + 2000),
    ByteRange(1000, 1_500_000),
    ByteBlocks(np.empty(0, np.int64), 64),
    ByteBlocks(np.array([9]), 0),
    ByteBlocks(np.array([5, END - 1]), 200_000),
]


def http(server: RangeServer, path: str = "f.nc", **options: Any) -> ObjectSource:
    store = HTTPStore(server.url, client_options={"allow_http": True}, retry_config=RETRY)
    return ObjectSource(store, path, f"{server.url}/{path}", **options)


def check(answers: list[Any]) -> None:
    for answer, expected in zip(answers, BytesSource(CONTENT).read(REQUESTS), strict=True):
        assert answer.tobytes() == expected.tobytes()
        assert getattr(answer, "shape", None) == expected.shape


@pytest.fixture(params=["http", "s3", "memory", "local store"])
def source(
    request: pytest.FixtureRequest, range_server: RangeServer, tmp_path: Path
) -> ObjectSource:
    """The same bytes in each kind of store."""
    store: Any
    match request.param:
        case "http":
            range_server.files["f.nc"] = CONTENT
            return http(range_server)
        case "s3":
            server: S3Server = request.getfixturevalue("s3_server")
            server.put("sources", "f.nc", CONTENT)
            store = server.store("sources")
        case "memory":
            store = MemoryStore()
            obstore.put(store, "f.nc", CONTENT)
        case _:
            (tmp_path / "f.nc").write_bytes(CONTENT)
            store = LocalStore(tmp_path)
    return ObjectSource(store, "f.nc", "x://b/f.nc")


def test_the_same_bytes_from_every_store(source: ObjectSource) -> None:
    check(source.read(REQUESTS))
    check(source.read(REQUESTS))
    assert source.facts().size == END
    assert source.facts().last_modified is not None


def test_the_same_bytes_async_and_cached(source: ObjectSource) -> None:
    cached = CachingSource(source, whole=0)
    check(asyncio.run(cached.read_async(REQUESTS)))
    check(cached.read(REQUESTS))
    check(asyncio.run(source.read_async(REQUESTS)))


def test_facts_first(source: ObjectSource) -> None:
    assert asyncio.run(source.facts_async()).size == END
    check(source.read(REQUESTS))


def test_first_request_is_one_bounded_get_and_no_head(range_server: RangeServer) -> None:
    range_server.files["f.nc"] = CONTENT
    source = CachingSource(http(range_server))
    source.read([ByteRange(0, 8)])
    assert range_server.counts.ranges == [("f.nc", 0, 1024 * 1024)]
    facts = source.facts()
    assert facts.size == END
    assert facts.last_modified == datetime(2024, 1, 1, tzinfo=UTC)
    assert facts.etag is not None
    source.read([ByteRange(2_000_000, 2_000_100), ByteRange(END - 5, END)])
    assert range_server.counts.requests == 2
    assert range_server.counts.heads == 0
    assert range_server.counts.bytes == END


def test_gaps_follow_our_rule(range_server: RangeServer) -> None:
    range_server.files["f.nc"] = CONTENT
    source = http(range_server, rule=CoalesceRule(max_gap=1000))
    source.read([ByteRange(a, a + 10) for a in (0, 1000, 50_000, 50_900, 2_000_000)])
    assert sorted(range_server.counts.ranges) == [
        ("f.nc", 0, 1010),
        ("f.nc", 50_000, 50_910),
        ("f.nc", 2_000_000, 2_000_010),
    ]


def test_sixty_four_requests_are_in_flight(range_server: RangeServer) -> None:
    range_server.files["f.nc"] = CONTENT
    range_server.latency = 0.05
    source = http(range_server, rule=CoalesceRule(max_gap=0))
    source.read([ByteRange(a, a + 10) for a in range(0, 100_000, 1000)])
    assert range_server.counts.in_flight_max == 64
    assert range_server.counts.requests == 100


def test_a_large_index_level_is_fetched_in_batches(range_server: RangeServer) -> None:
    range_server.files["f.nc"] = CONTENT
    range_server.latency = 0.02
    source = http(range_server, rule=CoalesceRule(max_gap=0))
    source.facts()
    starts = np.random.default_rng(6).permutation(np.arange(0, END, 3000))
    (got,) = source.read([ByteBlocks(starts, 64)])
    assert got.tobytes() == BytesSource(CONTENT).read([ByteBlocks(starts, 64)])[0].tobytes()
    assert range_server.counts.requests == 1 + 1000
    assert 32 < range_server.counts.in_flight_max <= 64


@pytest.mark.parametrize("fault", ["500", "503", "cut", "short"])
def test_a_batch_with_failures_is_made_good(range_server: RangeServer, fault: str) -> None:
    range_server.files["f.nc"] = CONTENT
    source = http(range_server, rule=CoalesceRule(max_gap=0))
    source.facts()
    range_server.faults["f.nc"] = [fault] * 2
    starts = np.arange(0, END, 10_000)
    (got,) = source.read([ByteBlocks(starts, 64)])
    assert got.tobytes() == BytesSource(CONTENT).read([ByteBlocks(starts, 64)])[0].tobytes()


@pytest.mark.parametrize("faults", [["500"], ["503"], ["cut"], ["short"], ["500", "cut"]])
def test_passing_failures_do_not_show(range_server: RangeServer, faults: list[str]) -> None:
    range_server.files["f.nc"] = CONTENT
    range_server.faults["f.nc"] = faults
    assert bytes(http(range_server).read([ByteRange(5, 500)])[0]) == CONTENT[5:500]


@pytest.mark.parametrize("fault", ["cut!", "short!"])
def test_lasting_truncation_is_an_error_not_an_end_of_file(
    range_server: RangeServer, fault: str
) -> None:
    range_server.files["f.nc"] = CONTENT
    range_server.faults["f.nc"] = [fault]
    with pytest.raises(SourceError) as caught:
        http(range_server).read([ByteRange(5, 500)])
    assert caught.value.url == f"{range_server.url}/f.nc"


def test_a_server_without_ranges_gives_right_data(range_server: RangeServer) -> None:
    range_server.files["f.nc"] = CONTENT
    range_server.faults["f.nc"] = ["whole!"]
    source = http(range_server)
    check(source.read(REQUESTS))
    asked = range_server.counts.requests
    check(source.read(REQUESTS))
    assert range_server.counts.requests == asked


def test_a_server_without_ranges_and_a_large_file_is_an_error(
    range_server: RangeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("virtualizarr.source.store_client.WHOLE_OBJECT_MAX", 1000)
    range_server.files["f.nc"] = CONTENT
    range_server.faults["f.nc"] = ["whole!"]
    with pytest.raises(SourceError, match="byte ranges"):
        http(range_server).read([ByteRange(0, 10)])


def test_a_server_that_hides_the_size_is_a_named_error(range_server: RangeServer) -> None:
    range_server.files["f.nc"] = CONTENT
    range_server.faults["f.nc"] = ["star!"]
    with pytest.raises(SourceError, match=r"(?i)content.range"):
        http(range_server).read([ByteRange(0, 10)])


def test_a_stalled_server_is_a_named_error(range_server: RangeServer) -> None:
    range_server.files["f.nc"] = CONTENT
    range_server.faults["f.nc"] = ["stall!"]
    options = {"timeout": timedelta(seconds=0.3), "retry_config": {"max_retries": 1}}
    source = open_source(f"{range_server.url}/f.nc", storage_options=options)
    began = time.monotonic()
    with pytest.raises(SourceError):
        source.read([ByteRange(0, 10)])
    assert time.monotonic() - began < 10


def test_redirects_are_followed(range_server: RangeServer) -> None:
    range_server.files["f.nc"] = CONTENT
    range_server.faults["f.nc"] = ["redirect!"]
    assert bytes(http(range_server).read([ByteRange(5, 50)])[0]) == CONTENT[5:50]


def test_a_changed_file_is_noticed(range_server: RangeServer) -> None:
    range_server.files["f.nc"] = CONTENT
    source = http(range_server)
    source.read([ByteRange(0, 10)])
    range_server.files["f.nc"] = b"other" + CONTENT[5:]
    with pytest.raises(ChangedSourceError, match="etag"):
        source.read([ByteRange(20, 30)])
    starts = np.arange(0, END, 10_000)
    with pytest.raises(ChangedSourceError, match="etag"):
        source.read([ByteBlocks(starts, 64)])
    range_server.files["f.nc"] = CONTENT[:5000]
    with pytest.raises(ChangedSourceError, match="size"):
        source.read([ByteRange(20, 30)])


def test_absurd_blocks_are_corrupt_even_at_first(range_server: RangeServer) -> None:
    range_server.files["f.nc"] = CONTENT
    with pytest.raises(CorruptFileError, match="more than the file"):
        http(range_server).read([ByteBlocks(np.zeros(10**6, np.int64), 10**6)])
    with pytest.raises(CorruptFileError):
        http(range_server).read([ByteRange(-3, 5)])


def test_an_empty_file(range_server: RangeServer) -> None:
    range_server.files["f.nc"] = b""
    store = MemoryStore()
    obstore.put(store, "f.nc", b"")
    for source in (http(range_server), ObjectSource(store, "f.nc", "memory://b/f.nc")):
        view, blocks = source.read([ByteRange(0, 8), ByteBlocks(np.array([0, 9]), 2)])
        assert view.tobytes() == b""
        assert blocks.tolist() == [[0, 0], [0, 0]]
        assert source.facts().size == 0


@pytest.mark.parametrize(("status", "kind"), [("401", SourcePermissionError), ("403", None)])
def test_no_permission(
    range_server: RangeServer, status: str, kind: type[SourceError] | None
) -> None:
    range_server.faults["f.nc"] = [f"{status}!"]
    with pytest.raises(kind if kind is not None else SourcePermissionError):
        http(range_server).read([ByteRange(0, 10)])


def test_a_server_that_stays_busy_is_a_named_error(
    range_server: RangeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("virtualizarr.source.store_client.PAUSES", (0.0, 0.0))
    range_server.faults["f.nc"] = ["503!"]
    options = {"retry_config": {"max_retries": 1}}
    source = open_source(f"{range_server.url}/f.nc", storage_options=options)
    with pytest.raises(SourceError, match="503"):
        source.read([ByteRange(0, 10)])
    assert range_server.counts.requests == 4


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        (
            "status code: 400 Bad Request: <Error><Code>ExpiredToken</Code><Token>canary</Token>",
            SourcePermissionError,
            "ExpiredToken",
        ),
        (
            "PUT http://169.254.169.254/latest/api/token failed",
            SourcePermissionError,
            "skip_signature",
        ),
        ("Received redirect without LOCATION", SourceError, "region"),
        ("status code: 400 for https://a.blob/c/f?sv=1&sig=canary", SourceError, "a.blob/c/f"),
        ("error sending request for url (https://h/f?token=canary)", SourceError, "connect"),
    ],
)
def test_the_text_of_clients_becomes_errors_with_advice(
    text: str, kind: type[SourceError], message: str
) -> None:
    error = translated(GenericError(f"{text}\n\nDebug source:\ncanary"), "s3://b/f.nc")
    assert type(error) is kind
    assert message in str(error)
    assert "canary" not in str(error)
    assert error.url == "s3://b/f.nc"


def test_a_scattered_round_does_not_read_the_gaps(range_server: RangeServer) -> None:
    range_server.files["f.nc"] = bytes(40_000_000)
    source = http(range_server)
    source.facts()
    source.read([ByteBlocks(np.arange(0, 40_000_000, 60_000), 64)])
    assert range_server.counts.bytes < 100_000
    assert range_server.counts.requests == 1 + 667


def test_missing_things_fail_fast(range_server: RangeServer, s3_server: S3Server) -> None:
    s3_server.put("sources", "f.nc", CONTENT)
    cases: list[tuple[str, dict[str, Any], type[SourceError]]] = [
        (f"{range_server.url}/none.nc", {}, SourceNotFoundError),
        ("s3://sources/none.nc", s3_server.options, SourceNotFoundError),
        ("s3://no-such-bucket/f.nc", s3_server.options, SourceNotFoundError),
        ("http://127.0.0.1:9/f.nc", {}, SourceError),
        ("http://no-such-host.invalid/f.nc", {}, SourceError),
        ("memory://nothing/f.nc", {}, SourceNotFoundError),
    ]
    for url, options, kind in cases:
        began = time.monotonic()
        with pytest.raises(kind) as caught:
            open_source(url, storage_options=options).read([ByteRange(0, 10)])
        assert time.monotonic() - began < 2, url
        assert caught.value.url == url


def test_messages_and_reprs_hold_no_secrets(range_server: RangeServer) -> None:
    url = f"{range_server.url}/f.nc?user=canary"
    range_server.faults["f.nc"] = ["418!"]
    source = open_source(url)
    with pytest.raises(SourceError) as caught:
        source.read([ByteRange(0, 10)])
    assert "canary" not in str(caught.value)
    assert "canary" not in repr(source)
    assert caught.value.__suppress_context__


def test_threads_share_the_loop(range_server: RangeServer) -> None:
    range_server.files["f.nc"] = CONTENT
    source = http(range_server)

    def read(start: int) -> bytes:
        return bytes(source.read([ByteRange(start, start + 10)])[0])

    with ThreadPoolExecutor(16) as pool:
        got = list(pool.map(read, range(0, 200_000, 1000)))
    assert got == [CONTENT[a : a + 10] for a in range(0, 200_000, 1000)]


def test_several_event_loops_and_cancellation(range_server: RangeServer) -> None:
    range_server.files["f.nc"] = CONTENT
    source = http(range_server)

    async def read() -> bytes:
        return bytes((await source.read_async([ByteRange(3, 30)]))[0])

    async def cancelled() -> None:
        range_server.faults["f.nc"] = ["stall"]
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await read()

    assert asyncio.run(read()) == CONTENT[3:30]
    asyncio.run(cancelled())
    assert asyncio.run(read()) == CONTENT[3:30]


def test_pickled_sources_read_the_same(range_server: RangeServer, s3_server: S3Server) -> None:
    range_server.files["f.nc"] = CONTENT
    s3_server.put("sources", "f.nc", CONTENT)
    s3 = open_source("s3://sources/f.nc", storage_options=s3_server.options)
    for source in (http(range_server), s3):
        again = pickle.loads(pickle.dumps(source))
        assert bytes(again.read([ByteRange(5, 50)])[0]) == CONTENT[5:50]
        assert again.url == source.url


class BlockingStore:
    """A store of another maker, with obspec's blocking `get` and `head` only."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def get(self, path: str, *, options: Any = None) -> Any:
        return self.inner.get(path, options=options)

    def head(self, path: str) -> Any:
        return self.inner.head(path)


class AsyncStore:
    """A store of another maker, with obspec's async `get_async` only."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    async def get_async(self, path: str, *, options: Any = None) -> Any:
        return await self.inner.get_async(path, options=options)

    async def head_async(self, path: str) -> Any:
        return await self.inner.head_async(path)


@pytest.mark.parametrize("kind", [BlockingStore, AsyncStore])
def test_stores_of_other_makers(kind: type) -> None:
    store = MemoryStore()
    obstore.put(store, "f.nc", CONTENT)
    source = ObjectSource(kind(store), "f.nc", "x://b/f.nc")
    check(source.read(REQUESTS))
    check(asyncio.run(source.read_async(REQUESTS)))
    with pytest.raises(SourceNotFoundError):
        ObjectSource(kind(store), "none", "x://b/none").read([ByteRange(0, 1)])


def test_keys_with_odd_characters(s3_server: S3Server) -> None:
    for key in ("a b/c#d.nc", "percent%41.nc", "q?x=1.nc", "ünï.nc"):
        s3_server.put("sources", key, key.encode())
        plain = open_source(f"s3://sources/{key.replace('%', '%25')}", None, s3_server.options)
        assert bytes(plain.read([ByteRange(0, 99)])[0]) == key.encode()
        again = open_source(plain.url, None, s3_server.options)
        assert bytes(again.read([ByteRange(0, 99)])[0]) == key.encode()
    assert isinstance(s3_server.store("sources"), S3Store)
