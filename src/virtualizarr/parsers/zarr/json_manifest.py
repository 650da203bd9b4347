"""Chunk manifests in JSON, `chunk-manifest-json`: one object of chunk keys and their references."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from virtualizarr.errors import CorruptFileError
from virtualizarr.model import Location
from virtualizarr.model.evidence import location_of
from virtualizarr.parsers.zarr.columns import MAX_BYTE, Int64s, Rows
from virtualizarr.parsers.zarr.keys import indices, linear
from virtualizarr.store.chunk_manifest import SCALAR_KEYS

PIECE = 1024 * 1024
WINDOW = 1024 * 1024
_BETWEEN = b"},\n"

type Evidence = Mapping[str, Any]
type _Columns = tuple[
    Int64s, npt.NDArray[np.uint32], npt.NDArray[np.uint64], npt.NDArray[np.uint64]
]
type Resolve = Callable[[str], str]


def decode_manifest(
    content: bytes | memoryview,
    grid_shape: tuple[int, ...],
    resolve: Resolve,
    evidence: Evidence,
) -> Rows:
    """Return the references of a manifest.

    `resolve` turns a path into a URL; `evidence` is the locations document, by path. Raises
    CorruptFileError naming the first key that is malformed or lies outside the grid.
    """
    table = _Locations(resolve, evidence)
    try:
        blocks = [_block(orjson.loads(piece), grid_shape, table) for piece in _pieces(content)]
    except orjson.JSONDecodeError:  # cut between the members of an entry, or broken
        table = _Locations(resolve, evidence)
        blocks = [_block(_object(content, "the manifest"), grid_shape, table)]
    cells, location, offset, length = (
        np.concatenate(columns) for columns in zip(*blocks, strict=True)
    )
    return Rows(cells, tuple(table.locations), location, offset, length)


def _pieces(content: bytes | memoryview) -> Iterator[bytes | memoryview]:
    """Yield a long manifest as shorter ones, cut at line ends between entries.

    A line end cannot lie within a JSON string; a cut that is not between two entries leaves pieces
    whose braces do not match. Raises JSONDecodeError for text that is no object.
    """
    text = memoryview(content)
    if len(text) <= PIECE:
        yield text
        return
    start, end = 1, len(text) - 1
    if text[0] != ord("{") or text[end] != ord("}"):
        raise orjson.JSONDecodeError("not one object", "", 0)
    while start < end:
        window = bytes(text[min(start + PIECE, end) : min(start + PIECE + WINDOW, end)])
        found = window.find(_BETWEEN)
        stop = end if not window else min(start + PIECE, end) + found + 1
        if window and found < 0:
            raise orjson.JSONDecodeError("no line end", "", start)
        yield b"".join((b"{", text[start:stop], b"}"))
        start = stop + 1


def _block(entries: Any, grid_shape: tuple[int, ...], table: _Locations) -> _Columns:
    """Return positions, location codes, offsets and lengths of some entries."""
    if not isinstance(entries, dict):
        raise CorruptFileError("the manifest is no JSON object")
    keys, values = list(entries), list(entries.values())
    paths, offsets, lengths = (_members(keys, values, name) for name in _KINDS)
    location = table.coded(paths)
    offset = _whole_numbers(keys, offsets, "offset")
    length = _whole_numbers(keys, lengths, "length")
    beyond = offset > np.uint64(MAX_BYTE) - length
    if beyond.any():
        key = keys[int(np.argmax(beyond))]
        raise CorruptFileError(f"the reference of chunk {key!r:.80} lies beyond any file")
    return _cells(keys, grid_shape), location, offset, length


def decode_locations(content: bytes | memoryview) -> Evidence:
    """Return the locations document: what was known of each file, by its path in the manifest."""
    return _object(content, "the locations document")


class _Locations:
    """The files that paths name, each once, in order of their first use."""

    __slots__ = ("_by_path", "_by_url", "_evidence", "_resolve", "locations")

    def __init__(self, resolve: Resolve, evidence: Evidence) -> None:
        self._resolve = resolve
        self._evidence = evidence
        self._by_path: dict[str, int] = {}
        self._by_url: dict[str, int] = {}
        self.locations: list[Location] = []

    def coded(self, paths: Sequence[str]) -> npt.NDArray[np.uint32]:
        """Return paths as codes into `locations`, adding those that are new."""
        for path in dict.fromkeys(paths):
            if path not in self._by_path:
                url = self._resolve(path)
                if url not in self._by_url:
                    self._by_url[url] = len(self.locations)
                    self.locations.append(location_of(url, self._evidence.get(path)))
                self._by_path[path] = self._by_url[url]
        return np.fromiter(map(self._by_path.__getitem__, paths), np.uint32, len(paths))


def _object(content: bytes | memoryview, what: str) -> dict[str, Any]:
    try:
        decoded = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise CorruptFileError(f"{what} is not JSON: {error.msg}", at=error.pos) from error
    if not isinstance(decoded, dict):
        raise CorruptFileError(f"{what} is no JSON object")
    return decoded


_KINDS: dict[str, type] = {"path": str, "offset": int, "length": int}


def _members(keys: Sequence[str], values: Sequence[Any], name: str) -> list[Any]:
    """Return one member of every entry; all are of the right type."""
    try:
        found = list(map(itemgetter(name), values))
    except (KeyError, TypeError, IndexError):
        found = []
    if len(found) == len(values) and set(map(type, found)) <= {_KINDS[name]}:
        return found
    for key, value in zip(keys, values, strict=True):
        if not isinstance(value, dict) or type(value.get(name)) is not _KINDS[name]:
            raise CorruptFileError(f"chunk {key!r:.80} has no {name!r}: {value!r:.120}")
    return found


def _whole_numbers(keys: Sequence[str], numbers: list[int], name: str) -> npt.NDArray[np.uint64]:
    if not numbers or (min(numbers) >= 0 and max(numbers) <= MAX_BYTE):
        return np.array(numbers, np.uint64)
    wrong = next(i for i, number in enumerate(numbers) if not 0 <= number <= MAX_BYTE)
    raise CorruptFileError(f"the {name} of chunk {keys[wrong]!r:.80} is {numbers[wrong]!r:.80}")


def _cells(keys: Sequence[str], grid_shape: tuple[int, ...]) -> Int64s:
    if not grid_shape:
        wrong = [key for key in keys if key not in SCALAR_KEYS]
        if wrong or len(keys) > 1:
            raise CorruptFileError(f"{(wrong or keys)[0]!r:.80} is no key of an array without axes")
        return np.zeros(len(keys), np.int64)
    rows, index = indices(keys, ".", len(grid_shape))
    if len(rows) < len(keys):
        wrong_row = min(set(range(len(keys))) - set(rows.tolist()))
        raise CorruptFileError(
            f"{keys[wrong_row]!r:.80} is no chunk key of an array of {len(grid_shape)} axes"
        )
    outside = (index >= np.array(grid_shape, np.int64)).any(axis=1)
    if outside.any():
        key = keys[int(np.argmax(outside))]
        raise CorruptFileError(f"chunk {key!r:.80} lies outside the grid of {grid_shape} chunks")
    return linear(index, grid_shape)
