"""Local files: equal to slices of the bytes, large or small; named errors; nothing left open."""

from __future__ import annotations

import asyncio
import os
import pickle
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from virtualizarr.errors import (
    ChangedSourceError,
    CorruptFileError,
    SourceError,
    SourceNotFoundError,
    SourcePermissionError,
)
from virtualizarr.source import local
from virtualizarr.source.local import LocalSource
from virtualizarr.source.ranges import ByteBlocks, ByteRange


@pytest.fixture(params=["small", "large"])
def content(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bytes:
    """Bytes of a file; "large" ones are read range by range."""
    if request.param == "large":
        monkeypatch.setattr(local, "WHOLE_FILE_MAX", 100)
    return bytes(np.random.default_rng(2).integers(0, 256, 3_000_000, np.uint8))


@pytest.fixture
def path(content: bytes, tmp_path: Path) -> Path:
    path = tmp_path / "data file.bin"
    path.write_bytes(content)
    return path


def starts_of(kind: str, size: int, end: int) -> np.ndarray:
    rng = np.random.default_rng(3)
    match kind:
        case "scattered":
            return rng.integers(0, end - size, 300)
        case "sorted":
            return np.sort(rng.integers(0, end + 50, 300))
        case "contiguous":
            return np.arange(300) * size
        case "dense":
            return rng.permutation(np.arange(300) * (size + 7))
        case "repeated":
            return np.full(300, 17)
        case _:
            return np.array([end - 1, end - size, end, end + 10**6, 2**62, 0])


@pytest.mark.parametrize(
    "kind", ["scattered", "sorted", "contiguous", "dense", "repeated", "at end"]
)
@pytest.mark.parametrize("size", [1, 64, 3136])
def test_blocks_equal_padded_slices(content: bytes, path: Path, kind: str, size: int) -> None:
    starts = starts_of(kind, size, len(content)).astype(np.int64)
    (got,) = LocalSource(path).read([ByteBlocks(starts, size)])
    assert got.shape == (len(starts), size)
    for row, start in zip(got, starts.tolist(), strict=True):
        assert row.tobytes() == content[start : start + size].ljust(size, b"\0")


def test_ranges_equal_slices(content: bytes, path: Path) -> None:
    source = LocalSource(path)
    end = len(content)
    wanted = [(0, 8), (5, 5), (end - 3, end + 9), (end + 5, end + 9), (1000, 900_000)]
    got = source.read([ByteRange(*pair) for pair in wanted])
    assert [view.tobytes() for view in got] == [content[a:b] for a, b in wanted]
    again = asyncio.run(source.read_async([ByteRange(*pair) for pair in wanted]))
    assert again == got


def test_empty_blocks_and_no_requests(path: Path) -> None:
    source = LocalSource(path)
    assert source.read([]) == []
    none, thin = source.read(
        [ByteBlocks(np.empty(0, np.int64), 8), ByteBlocks(np.array([1, 2]), 0)]
    )
    assert none.shape == (0, 8)
    assert thin.shape == (2, 0)


def test_facts(content: bytes, path: Path) -> None:
    os.utime(path, ns=(10**18, 1_700_000_000_123_456_789))
    facts = LocalSource(path).facts()
    assert facts.size == len(content)
    assert facts.etag is None
    assert facts.last_modified == datetime(2023, 11, 14, 22, 13, 20, 123456, UTC)
    assert asyncio.run(LocalSource(path).facts_async()) == facts


def test_pickled_source_and_threads_read_the_same(content: bytes, path: Path) -> None:
    source = LocalSource(path)
    again = pickle.loads(pickle.dumps(source))
    assert again.url == source.url == path.as_uri()

    def read(start: int) -> bytes:
        return bytes(again.read([ByteRange(start, start + 100)])[0])

    with ThreadPoolExecutor(8) as pool:
        got = list(pool.map(read, range(0, 100_000, 1000)))
    assert got == [content[a : a + 100] for a in range(0, 100_000, 1000)]


def test_nothing_is_kept_of_a_file_read_once(tmp_path: Path) -> None:
    path = tmp_path / "five.bin"
    path.write_bytes(bytes(range(250)) * 20_000)
    source = pickle.loads(pickle.dumps(LocalSource(path, keep=False)))
    tracemalloc.start()
    chunk = source.read([ByteRange(500, 1000)])[0]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert chunk.tobytes() == bytes(range(250)) * 2
    assert peak < 100_000
    os.utime(path, ns=(0, 0))
    with pytest.raises(ChangedSourceError):
        source.read([ByteRange(0, 1)])


def test_no_file_stays_open(path: Path) -> None:
    if not os.path.isdir("/proc/self/fd"):
        pytest.skip("no /proc")
    before = len(os.listdir("/proc/self/fd"))
    sources = [LocalSource(path) for _ in range(50)]
    for source in sources:
        source.read([ByteRange(0, 10)])
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_file_that_changes_is_noticed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "WHOLE_FILE_MAX", 100)
    source = LocalSource(path)
    source.read([ByteRange(0, 10)])
    os.utime(path, ns=(0, 0))
    with pytest.raises(ChangedSourceError, match="changed"):
        source.read([ByteRange(0, 10)])


def test_a_file_that_shrinks_under_the_reader_is_noticed(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "WHOLE_FILE_MAX", 100)
    whole = os.stat(path)
    source = LocalSource(path)
    os.truncate(path, 50)
    monkeypatch.setattr(local.os, "fstat", lambda _: whole)
    for wanted in (ByteRange(10, 2000), ByteBlocks(np.array([10, 9000]), 64)):
        with pytest.raises(ChangedSourceError, match="shrank"):
            source.read([wanted])


def test_absurd_requests_are_corrupt(path: Path) -> None:
    source = LocalSource(path)
    with pytest.raises(CorruptFileError, match="more than the file"):
        source.read([ByteBlocks(np.zeros(10**6, np.int64), 10**6)])
    with pytest.raises(CorruptFileError, match="-5"):
        source.read([ByteRange(-5, 3)])
    with pytest.raises(CorruptFileError, match="-7"):
        source.read([ByteBlocks(np.array([3, -7]), 3)])


def test_missing_file_directory_and_pipe(tmp_path: Path) -> None:
    with pytest.raises(SourceNotFoundError) as missing:
        LocalSource(tmp_path / "no.nc").facts()
    assert missing.value.url == (tmp_path / "no.nc").as_uri()
    with pytest.raises(FileNotFoundError):
        LocalSource(tmp_path / "no.nc").read([ByteRange(0, 1)])
    with pytest.raises(SourceError, match="directory"):
        LocalSource(tmp_path).read([ByteRange(0, 1)])
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SourceError, match="regular"):
        LocalSource(tmp_path / "pipe").read([ByteRange(0, 1)])
    with pytest.raises(SourceError):
        LocalSource("a\0b").read([ByteRange(0, 1)])


def test_no_permission(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.chmod(0)
    if os.geteuid() == 0:

        def refuse(*_: object) -> int:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(local, "_open_no_wait", refuse)
    with pytest.raises(SourcePermissionError):
        LocalSource(path).read([ByteRange(0, 1)])


def test_an_empty_file(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    source = LocalSource(tmp_path / "empty")
    view, blocks = source.read([ByteRange(0, 8), ByteBlocks(np.array([0, 5]), 4)])
    assert view.tobytes() == b""
    assert not blocks.any()
    assert blocks.shape == (2, 4)
