"""A second witness for chunk indexes: h5py's values, rebuilt from the bytes an index points to.

The layout message is decoded here, apart from the package's own decoder; libhdf5's list of chunks
is not used, since its version 2.0 gives wrong coordinates for some extensible arrays.
"""

from __future__ import annotations

import ctypes
import math
import zlib
from collections.abc import Callable, Generator
from contextlib import nullcontext
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from numcodecs.jenkins import jenkins_lookup3

from virtualizarr.errors import VirtualizeError
from virtualizarr.parsers.hdf5.index import (
    ChunkedData,
    ChunkIndex,
    read_chunk_index,
    read_chunk_indexes,
)
from virtualizarr.parsers.hdf5.layout import ChunkedLayout, ChunkIndexType, Sizes
from virtualizarr.source.memory import BytesSource
from virtualizarr.source.reading import Reading, run

_CREATION = {1: 0, 2: 0, 3: 1, 4: 5, 5: 6}  # bytes of creation parameters by index type


@dataclass(frozen=True)
class Case:
    """One chunked dataset of a file in memory, as `read_chunk_index` wants it, and its values."""

    data: bytes
    layout: ChunkedLayout
    shape: tuple[int, ...]
    max_shape: tuple[int | None, ...]
    sizes: Sizes
    filters: tuple[tuple[int, tuple[int, ...]], ...]
    dtype: np.dtype[Any]
    values: np.ndarray[Any, Any]

    def reading(self, **changes: Any) -> Reading[ChunkIndex]:
        case = replace(self, **changes)
        return read_chunk_index(case.chunked, case.sizes, len(case.data))

    @property
    def chunked(self) -> ChunkedData:
        """The dataset without its file."""
        return ChunkedData(self.layout, self.shape, self.max_shape, len(self.filters) > 0)

    def index(self, **changes: Any) -> tuple[ChunkIndex, int]:
        """The index and the rounds its reading took; asserts that reading many gives the same."""
        case = replace(self, **changes)
        source, again = BytesSource(case.data), BytesSource(case.data)
        (many,) = run(read_chunk_indexes([case.chunked], case.sizes, len(case.data)), again)
        if isinstance(many, VirtualizeError):
            with pytest.raises(type(many)) as caught:
                run(case.reading(), source)
            assert (caught.value.reason, caught.value.at) == (many.reason, many.at)
            raise many
        index = run(case.reading(), source)
        assert_same(many, index)
        assert again.rounds == source.rounds
        return index, source.rounds

    def rebuilt(self, index: ChunkIndex) -> np.ndarray[Any, Any]:
        """The array that the chunks of `index` make up; zeros where there is none."""
        chunk = self.layout.chunk_shape
        counts = tuple(-(-s // c) for s, c in zip(self.shape, chunk, strict=True))
        whole = np.zeros([n * c for n, c in zip(counts, chunk, strict=True)], self.dtype)
        columns = (index.cell, index.address, index.size, index.filter_mask)
        for cell, address, size, mask in zip(*(column.tolist() for column in columns), strict=True):
            raw = self.data[address : address + size]
            assert len(raw) == size
            values = np.frombuffer(undo(raw, self.filters, mask), self.dtype).reshape(chunk)
            place = np.unravel_index(cell, counts)
            at = tuple(slice(p * c, p * c + c) for p, c in zip(place, chunk, strict=True))
            assert not whole[at].any()
            whole[at] = values
        return whole[tuple(slice(0, s) for s in self.shape)]

    def check(self, rounds: int | None = None) -> ChunkIndex:
        """Assert that the index gives h5py's values, in `rounds` if given."""
        index, taken = self.index()
        np.testing.assert_array_equal(self.rebuilt(index), self.values)
        if rounds is not None:
            assert taken == rounds
        return index


def assert_same(index: ChunkIndex, other: ChunkIndex) -> None:
    """Assert that two indexes have the same rows, in whatever order."""
    order, other_order = np.argsort(index.cell), np.argsort(other.cell)
    for name in ("cell", "address", "size", "filter_mask"):
        column, expected = getattr(index, name), getattr(other, name)
        np.testing.assert_array_equal(column[order], expected[other_order], err_msg=name)
    assert index.filters_skipped == other.filters_skipped == bool(other.filter_mask.any())
    assert index.complete == other.complete


def undo(raw: bytes, filters: tuple[tuple[int, tuple[int, ...]], ...], mask: int) -> bytes:
    """Undo deflate (1), shuffle (2) and fletcher32 (3), save those the mask says were skipped."""
    for number, (name, parameters) in reversed(list(enumerate(filters))):
        if mask >> number & 1:
            continue
        if name == 1:
            raw = zlib.decompress(raw)
        elif name == 2:
            width = parameters[0]
            raw = np.frombuffer(raw, np.uint8).reshape(width, -1).T.tobytes()
        else:
            raw = raw[:-4]
    return raw


SUMMED = [b"FAHD", b"FADB", b"EAHD", b"EAIB", b"EASB", b"EADB", b"BTHD", b"BTIN", b"BTLF"]


def checksummed(data: bytes) -> list[tuple[int, int]]:
    """First byte and checksum of what has both a signature and a checksum, found by trying."""
    return sorted(
        (at, next(end for end in count(at + 8) if checksum(data[at:end]) == data[end : end + 4]))
        for signature in SUMMED
        for at in places(data, signature)
    )


def places(data: bytes, signature: bytes) -> list[int]:
    """Where `signature` occurs."""
    starts: list[int] = []
    while (at := data.find(signature, starts[-1] + 1 if starts else 0)) >= 0:
        starts.append(at)
    return starts


def checksum(raw: bytes) -> bytes:
    """The checksum of a structure as it follows it in the file."""
    return int(jenkins_lookup3(raw)).to_bytes(4, "little")


def case_of(
    path: Path, *, opened: h5py.File | None = None, values: bool = True, **sizes: int
) -> Case:
    """Read what the index reading needs of a dataset; `sizes` overrides fields of `Sizes`.

    `opened` is the file where libhdf5 cannot open it again (unlimited, lengths below 8 bytes).
    """
    with h5py.File(path) if opened is None else nullcontext(opened) as file:
        dataset = file["data"]
        header = h5py.h5o.get_info(dataset.id).addr
        base = file.id.get_create_plist().get_userblock()
        plist = dataset.id.get_create_plist()
        filters = tuple(plist.get_filter(i)[:3:2] for i in range(plist.get_nfilters()))
        dtype, shape, max_shape = dataset.dtype, dataset.shape, dataset.maxshape
        found = dataset[...] if values else np.empty(0, dtype)
        if opened is not None:
            file.flush()
    data = path.read_bytes()
    offset, length = (
        data[base + 13 : base + 15] if data[base + 8] < 2 else data[base + 9 : base + 11]
    )
    known = Sizes(**{"offset": offset, "length": length, "base": base, **sizes})
    layout = _layout(_layout_message(data, base + header, known), known)
    return Case(data, layout, shape, max_shape, known, filters, dtype, found)


def _layout_message(data: bytes, at: int, sizes: Sizes) -> bytes:
    messages = _messages2 if data[at : at + 4] == b"OHDR" else _messages1
    (found,) = [body for kind, body in messages(data, at, sizes) if kind == 8]
    return found


def _continuation(body: bytes, sizes: Sizes) -> tuple[int, int]:
    o, n = sizes.offset, sizes.length
    return (
        int.from_bytes(body[:o], "little") + sizes.base,
        int.from_bytes(body[o : o + n], "little"),
    )


def _messages1(data: bytes, at: int, sizes: Sizes) -> Generator[tuple[int, bytes]]:
    blocks = [(at + 16, int.from_bytes(data[at + 8 : at + 12], "little"))]
    for start, size in blocks:
        q = start
        while q + 8 <= start + size:
            kind, length = (int.from_bytes(data[q + i : q + i + 2], "little") for i in (0, 2))
            body = data[q + 8 : q + 8 + length]
            if kind == 0x10:
                blocks.append(_continuation(body, sizes))
            yield kind, body
            q += 8 + length


def _messages2(data: bytes, at: int, sizes: Sizes) -> Generator[tuple[int, bytes]]:
    flags = data[at + 5]
    q = at + 6 + (16 if flags & 0x20 else 0) + (4 if flags & 0x10 else 0)
    width = 1 << (flags & 3)
    head = 6 if flags & 4 else 4
    blocks = [(q + width, int.from_bytes(data[q : q + width], "little"))]
    for start, size in blocks:
        q = start
        while q + head <= start + size:
            length = int.from_bytes(data[q + 1 : q + 3], "little")
            body = data[q + head : q + head + length]
            if data[q] == 0x10:
                first, total = _continuation(body, sizes)
                blocks.append((first + 4, total - 8))
            yield data[q], body
            q += head + length


def _layout(body: bytes, sizes: Sizes) -> ChunkedLayout:
    version, o = body[0], sizes.offset

    def address(at: int) -> int | None:
        raw = int.from_bytes(body[at : at + o], "little")
        return None if raw == (1 << 8 * o) - 1 else raw + sizes.base

    assert body[1] == 2
    if version == 3:
        dims = np.frombuffer(body, "<u4", body[2], 3 + o).tolist()
        return ChunkedLayout(3, tuple(dims[:-1]), dims[-1], ChunkIndexType.BTREE_V1, address(3))
    flags, rank, width = body[2:5]
    dims = [
        int.from_bytes(body[5 + i * width : 5 + (i + 1) * width], "little") for i in range(rank)
    ]
    q = 5 + rank * width
    kind = ChunkIndexType(body[q])
    q += 1
    layout = ChunkedLayout(
        version,
        tuple(dims[:-1]),
        dims[-1],
        kind,
        None,
        partial_edge_chunks_unfiltered=bool(flags & 1),
    )
    if kind == ChunkIndexType.SINGLE_CHUNK and flags & 2:
        n = sizes.length
        layout = replace(
            layout,
            single_chunk_size=int.from_bytes(body[q : q + n], "little"),
            single_chunk_filter_mask=int.from_bytes(body[q + n : q + n + 4], "little"),
        )
        q += n + 4
    return replace(layout, index_address=address(q + _CREATION[kind]))


def library(function: str, *types: Any) -> Callable[..., int]:
    """A function of the libhdf5 that h5py has loaded and does not wrap; skips where not found."""
    try:
        lines = Path("/proc/self/maps").read_text().splitlines()
    except OSError:
        pytest.skip("needs the path of the loaded libhdf5")
    found = {line.split()[-1] for line in lines if "/libhdf5" in line and "_hl" not in line}
    if len(found) != 1:
        pytest.skip("needs one libhdf5")
    entry = ctypes.CDLL(found.pop())[function]
    entry.argtypes = types
    return entry


def low_level(
    path: Path,
    shape: tuple[int, ...],
    max_shape: tuple[int | None, ...],
    chunks: tuple[int, ...],
    libver: str | tuple[str, str],
    *,
    edit: Callable[[h5py.h5p.PropDCID], Any] = lambda plist: None,
    file_edit: Callable[[h5py.h5p.PropFCID], Any] = lambda plist: None,
    dtype: str = "<i4",
) -> h5py.File:
    """Create a file with the dataset `data`, its property lists edited; the caller closes it."""
    low, high = (libver, "latest") if isinstance(libver, str) else libver
    versions = {
        "earliest": h5py.h5f.LIBVER_EARLIEST,
        "v110": h5py.h5f.LIBVER_V110,
        "latest": h5py.h5f.LIBVER_LATEST,
    }
    access = h5py.h5p.create(h5py.h5p.FILE_ACCESS)
    access.set_libver_bounds(versions[low], versions[high])
    create = h5py.h5p.create(h5py.h5p.FILE_CREATE)
    file_edit(create)
    file = h5py.h5f.create(bytes(path), h5py.h5f.ACC_TRUNC, fcpl=create, fapl=access)
    limits = tuple(h5py.h5s.UNLIMITED if m is None else m for m in max_shape)
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plist.set_chunk(chunks)
    edit(plist)
    space = h5py.h5s.create_simple(shape, limits)
    h5py.h5d.create(file, b"data", h5py.h5t.py_create(np.dtype(dtype)), space, plist)
    return h5py.File(file)


def numbered(shape: tuple[int, ...], dtype: str = "<i4") -> np.ndarray[Any, Any]:
    """1, 2, 3, ... so that no element is like another, or like none."""
    return np.arange(1, 1 + math.prod(shape)).astype(dtype).reshape(shape)


def scattered(
    path: Path,
    shape: tuple[int, ...],
    max_shape: tuple[int | None, ...],
    positions: list[tuple[int, ...]],
    libver: object = "latest",
    **options: object,
) -> Case:
    """A dataset of one element a chunk, with values only at `positions`, written in that order."""
    with h5py.File(path, "w", libver=libver) as file:
        data = file.create_dataset(
            "data", shape, "<i4", maxshape=max_shape, chunks=(1,) * len(shape), **options
        )
        for number, position in enumerate(positions):
            data[position] = number + 1
    return case_of(path)
