"""The chunk references of a manifest as columns.

A reference is inline (its bytes are in the manifest), native (a range of a file of the repository)
or virtual (a range of a file anywhere, with what was known of that file). Names of files are long
and repeat from one reference to the next, so only those that differ from the one before are looked
at one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError
from virtualizarr.model import INLINE, ChunkManifest, Location
from virtualizarr.model.columns import narrowed
from virtualizarr.model.inline import gathered
from virtualizarr.model.location import MISSING
from virtualizarr.model.sparse import BYTES_PER_FILE_BYTE, FREE_BYTES, NEARLY_EMPTY
from virtualizarr.parsers.icechunk.files import import_zstandard, object_names
from virtualizarr.parsers.icechunk.flatbuffer import Buffer, Table, Tables

BLOCK = 32_768
INDEX, INLINED, OFFSET, LENGTH, CHUNK_ID, LOCATION, ETAG, MODIFIED, COMPRESSED = range(9)
MAX_URL = 65_536
ROW_BYTES = 16

type Key = tuple[str, bytes, int]
type Cells = npt.NDArray[np.int64] | range
type Column = npt.NDArray[Any]
type Decoder = Callable[[bytes], bytes]


@dataclass(slots=True, eq=False)
class Gathering:
    """Rows of references of one array, gathered from its manifests.

    `files` numbers the locations by URL, etag and time; references may know one file differently.
    """

    root: str
    grid_shape: tuple[int, ...]
    files: dict[Key, int] = field(default_factory=dict)
    cells: list[Cells] = field(default_factory=list)
    codes: list[npt.NDArray[np.uint32]] = field(default_factory=list)
    offsets: list[npt.NDArray[np.uint64]] = field(default_factory=list)
    lengths: list[Column] = field(default_factory=list)
    inline: list[bytes] = field(default_factory=list)
    inline_size: int = 0
    bytes_present: int = 0

    def add(self, manifest: Table, array: Table) -> None:
        """Take in the references of the array in one manifest."""
        buffer = array.buffer
        self.bytes_present += len(buffer.bytes)
        decode = _location_decoder(manifest)
        for positions in array.position_blocks(1, BLOCK):
            self._add_block(buffer, Tables(buffer, positions), decode)

    def _add_block(self, buffer: Buffer, refs: Tables, decode: Decoder) -> None:
        index = refs.word_rows(INDEX, len(self.grid_shape))
        inside = np.ones(len(refs), np.bool_)
        cells = np.zeros(len(refs), np.int64)
        for axis, count in enumerate(self.grid_shape):
            inside &= index[:, axis] < count
            cells *= count
            cells += index[:, axis]
        offset, length = refs.numbers(OFFSET, 2), refs.numbers(LENGTH, 2)
        codes = np.full(len(refs), MISSING, np.uint32)
        self._virtual(buffer, refs, codes, decode)
        self._native(refs, codes)
        self._inline(buffer, refs, codes, offset, length)
        if (codes == MISSING).any():
            raise CorruptFileError("a chunk reference is neither inline, native nor virtual")
        rows = slice(None) if inside.all() else inside
        self.cells.append(_in_a_row(cells[rows]))
        self.codes.append(codes[rows])
        self.offsets.append(offset[rows])
        self.lengths.append(narrowed(length[rows]))

    def _virtual(
        self, buffer: Buffer, refs: Tables, codes: npt.NDArray[np.uint32], decode: Decoder
    ) -> None:
        etags = refs.vectors(ETAG)
        times = refs.numbers(MODIFIED, 1)
        for number, plain in ((LOCATION, True), (COMPRESSED, False)):
            starts, lengths = refs.vectors(number)
            own = lengths >= 0
            if not own.any():
                continue
            changed = refs.changes(starts, lengths) | refs.changes(*etags)
            changed[1:] |= times[1:] != times[:-1]
            changed[1:] |= own[1:] != own[:-1]
            first = np.flatnonzero(changed)
            runs = np.cumsum(changed) - 1
            found = np.full(len(first), MISSING, np.uint32)
            rows = zip(
                range(len(first)),
                starts[first].tolist(),
                lengths[first].tolist(),
                etags[0][first].tolist(),
                etags[1][first].tolist(),
                times[first].tolist(),
                strict=True,
            )
            for run, start, length, etag_at, etag_length, time in rows:
                if length >= 0:
                    raw = buffer.bytes[start : start + length]
                    etag = buffer.bytes[etag_at : etag_at + max(etag_length, 0)]
                    url = _url(raw if plain else decode(raw))
                    found[run] = self.files.setdefault((url, etag, time), len(self.files))
            codes[own] = found[runs][own]

    def _native(self, refs: Tables, codes: npt.NDArray[np.uint32]) -> None:
        present, identities = refs.structs(CHUNK_ID, 12)
        if present.any():
            urls = [f"{self.root}/chunks/{name}" for name in object_names(identities)]
            numbers = [self.files.setdefault((url, b"", 0), len(self.files)) for url in urls]
            codes[present] = np.array(numbers, np.uint32)

    def _inline(
        self,
        buffer: Buffer,
        refs: Tables,
        codes: npt.NDArray[np.uint32],
        offset: npt.NDArray[np.uint64],
        length: npt.NDArray[np.uint64],
    ) -> None:
        starts, sizes = refs.vectors(INLINED)
        own = sizes >= 0
        if not own.any():
            return
        codes[own] = INLINE
        offset[own] = (np.cumsum(sizes[own]) - sizes[own] + self.inline_size).astype(np.uint64)
        length[own] = sizes[own].astype(np.uint64)
        data = gathered(buffer.bytes, starts[own], sizes[own]).tobytes()
        self.inline.append(data)
        self.inline_size += len(data)

    def manifest(self) -> ChunkManifest:
        """Return the references over the chunk grid, once: the rows are given up.

        Raises CorruptFileError where a chunk is named twice, UnsupportedFeatureError for a nearly
        empty grid that would need far more memory than the repository has bytes.
        """
        grid = self.grid_shape
        if not self.cells:
            return ChunkManifest.empty(grid)
        total = prod(grid)
        codes, offset = _joined(self.codes), _joined(self.offsets)
        length = narrowed(_joined(self.lengths))
        if not _are_all(self.cells, total):
            self._check_memory(total, len(codes))
            cell = np.concatenate([_numbers(part) for part in self.cells])
            codes = _spread(codes, cell, total, MISSING)
            offset, length = _spread(offset, cell, total, 0), _spread(length, cell, total, 0)
            if int(np.count_nonzero(codes != MISSING)) != len(cell):
                raise CorruptFileError("a chunk is named twice")
        locations = tuple(_location(*key) for key in self.files)
        return ChunkManifest.from_columns(
            locations,
            codes.reshape(grid),
            offset.reshape(grid),
            length.reshape(grid),
            b"".join(self.inline),
        )

    def _check_memory(self, total: int, rows: int) -> None:
        allowed = FREE_BYTES + BYTES_PER_FILE_BYTE * self.bytes_present
        if total * ROW_BYTES > allowed and rows * NEARLY_EMPTY < total:
            raise UnsupportedFeatureError(
                f"a chunk grid of {total} cells of which {rows} are stored would need "
                f"{total * ROW_BYTES} bytes of memory; at most {allowed} are spent on it"
            )


def _in_a_row(cells: npt.NDArray[np.int64]) -> Cells:
    """Return cells as a range where each follows the one before."""
    if len(cells) and (cells[1:] == cells[:-1] + 1).all():
        return range(int(cells[0]), int(cells[-1]) + 1)
    return cells


def _numbers(cells: Cells) -> npt.NDArray[np.int64]:
    if isinstance(cells, range):
        return np.arange(cells.start, cells.stop, dtype=np.int64)
    return cells


def _are_all(parts: Sequence[Cells], total: int) -> bool:
    """Say whether the parts together are the cells from 0 to before `total`, in order."""
    at = 0
    for part in filter(len, parts):
        if not isinstance(part, range) or part.start != at:
            return False
        at = part.stop
    return at == total


def _joined[A: npt.NDArray[Any]](parts: list[A]) -> A:
    """Return the parts joined; the list is emptied, so that they do not outlive it."""
    joined = np.concatenate(parts)
    parts.clear()
    return joined  # type: ignore[return-value]


def _spread(
    column: npt.NDArray[Any], cell: npt.NDArray[np.int64], total: int, fill: Any
) -> npt.NDArray[Any]:
    spread = np.full(total, fill, column.dtype)
    spread[cell] = column
    return spread


def _location(url: str, etag: bytes, modified: int) -> Location:
    return Location(
        url,
        etag=etag.decode(errors="replace") if etag else None,
        unmodified_since=datetime.fromtimestamp(modified, UTC) if modified else None,
    )


def _url(raw: bytes) -> str:
    try:
        url = raw.decode()
    except UnicodeDecodeError as error:
        raise CorruptFileError("a location is not UTF-8") from error
    if url.startswith("vcc://"):
        raise UnsupportedFeatureError(
            f"the location {url!r} is relative to a virtual chunk container, which is not read "
            "here; write absolute locations",
        )
    return url


def _location_decoder(manifest: Table) -> Decoder:
    """Return what decompresses locations: each is a Zstandard frame made with one dictionary."""
    dictionary = manifest.octets(2)
    state: list[Any] = []

    def decode(raw: bytes) -> bytes:
        module: Any = import_zstandard()
        if not state:
            known = module.ZstdCompressionDict(dictionary) if dictionary else None
            state.append(module.ZstdDecompressor(dict_data=known))
        try:
            found: bytes = state[0].decompress(raw, max_output_size=MAX_URL)
        except module.ZstdError as error:
            raise CorruptFileError(f"a location cannot be decompressed: {error}") from error
        return found

    return decode
