"""The dict form of a manifest: chunk keys to `{"path", "offset", "length"}`, checked both ways.

A chunk held inside the manifest has the path `"__inlined__"` and its bytes under `"data"`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import numpy.typing as npt

from virtualizarr.model.columns import AffineRun, folded, narrowed, offsets_of
from virtualizarr.model.location import INLINE, MISSING, Location, Parts, References

INLINED_CHUNK_PATH = "__inlined__"
_SEPARATORS = (".", "/")


def parts_of_entries(
    entries: Mapping[str, Mapping[str, Any]], shape: tuple[int, ...] | None, separator: str
) -> Parts:
    """Return the columns of a dict of entries; a path `""` means a missing chunk.

    `shape` is the chunk grid's; None takes the smallest grid that holds every key. Raises
    ValueError for bad keys, paths or byte ranges, TypeError for offsets that are no integers.
    """
    indices = _parse_keys(tuple(entries), separator)
    if shape is None:
        if not entries:
            raise ValueError("a manifest without chunks needs the shape of its chunk grid")
        shape = tuple(int(n) + 1 for n in indices.max(axis=0))
    fits = indices.shape[1] == len(shape) and not (indices >= np.array(shape, np.int64)).any()
    if entries and not fits:
        raise ValueError(f"chunk keys do not fit a chunk grid of shape {shape}")
    location = np.full(shape, MISSING, np.uint32)
    offset, length = np.zeros(shape, np.uint64), np.zeros(shape, np.uint64)
    codes: dict[str, int] = {}
    inline = bytearray()
    for index, entry in zip(map(tuple, indices), entries.values(), strict=True):
        path, start, nbytes = _checked_entry(entry)
        if path == "":
            continue
        if path == INLINED_CHUNK_PATH:
            location[index], offset[index], length[index] = INLINE, len(inline), nbytes
            inline += entry["data"]
            continue
        location[index] = codes.setdefault(absolute_url(path), len(codes))
        offset[index], length[index] = start, nbytes
    locations = tuple(map(Location, codes))
    return Parts(locations, location, offset, narrowed(length), bytes(inline))


def parts_of_arrays(
    paths: npt.NDArray[Any],
    offsets: npt.NDArray[np.uint64],
    lengths: npt.NDArray[np.uint64],
    validate_paths: bool,
    inlined: Mapping[tuple[int, ...], bytes] | None,
) -> Parts:
    """Return the columns of arrays over the chunk grid; see `ChunkManifest.from_arrays`."""
    _check_arrays(paths, offsets, lengths)
    distinct, code = np.unique(np.asarray(paths), return_inverse=True)
    urls = [str(path) for path in distinct]
    table = np.empty(len(urls), np.uint32)
    codes: dict[str, int] = {}
    for place, url in enumerate(urls):
        if url == "":
            table[place] = MISSING
        elif url == INLINED_CHUNK_PATH:
            table[place] = INLINE
        else:
            known = absolute_url(url) if validate_paths else url
            table[place] = codes.setdefault(known, len(codes))
    location = table[code.reshape(paths.shape)] if len(urls) else np.zeros(paths.shape, np.uint32)
    present = location != MISSING
    offset = np.where(present, offsets, np.uint64(0))
    length = np.where(present, lengths, np.uint64(0))
    chunks = {} if inlined is None else dict(inlined)
    if int((location == INLINE).sum()) != len(chunks):
        raise ValueError(
            f"{int((location == INLINE).sum())} chunks have the path {INLINED_CHUNK_PATH!r}, "
            f"{len(chunks)} are given in `inlined`"
        )
    start = 0
    for index, data in chunks.items():
        if location[index] != INLINE:
            raise ValueError(f"inlined chunk {index} does not have path {INLINED_CHUNK_PATH!r}")
        offset[index], length[index] = start, len(data)
        start += len(data)
    locations, inline = tuple(map(Location, codes)), b"".join(chunks.values())
    return Parts(locations, folded(location), offset, folded(narrowed(length)), inline)


def absolute_url(path: str) -> str:
    """Return a path or URL as a URL: absolute POSIX paths become `file://` URLs.

    Raises ValueError for a relative path, whose meaning would change with the working directory.
    """
    if urlsplit(path).scheme:
        return path
    posix = PurePosixPath(path)
    if not posix.is_absolute():
        raise ValueError(f"paths in a manifest must be absolute or URLs, but got {path!r}")
    return posix.as_uri()


def entry_at(references: References, index: tuple[int, ...]) -> dict[str, Any] | None:
    """Return one chunk's entry; None where it is missing. Raises IndexError outside the grid."""
    code = references.location[index]
    if code == MISSING:
        return None
    column = references.offset_column
    if isinstance(column, AffineRun):
        inside = zip(index, column.shape, strict=True)
        start = column.at([i % n for i, n in inside])
    else:
        start = int(column[index])
    return _entry(references, int(code), start, int(references.length[index]))


def iter_entries(references: References) -> Iterator[tuple[tuple[int, ...], dict[str, Any]]]:
    """Yield the grid index and the entry of every chunk that is not missing, in C order."""
    shape = references.location.shape
    cells = np.flatnonzero(references.location != MISSING)
    rows = zip(
        np.stack(np.unravel_index(cells, shape), axis=-1).tolist() if shape else [[]] * len(cells),
        references.location.reshape(-1)[cells].tolist(),
        offsets_of(references.offset_column).reshape(-1)[cells].tolist(),
        references.length.reshape(-1)[cells].tolist(),
        strict=True,
    )
    for index, code, start, nbytes in rows:
        yield tuple(index), _entry(references, code, start, nbytes)


def _entry(references: References, code: int, start: int, nbytes: int) -> dict[str, Any]:
    if code == INLINE:
        data = references.inline[start : start + nbytes]
        return {"path": INLINED_CHUNK_PATH, "offset": 0, "length": nbytes, "data": data}
    return {"path": references.locations[code].url, "offset": start, "length": nbytes}


def index_of_key(key: str, separator: str = ".") -> tuple[int, ...]:
    """Return the grid index that a chunk key stands for; `"c"` is the chunk of a scalar.

    Raises ValueError for a key that is not integers joined by the separator.
    """
    return tuple(map(int, _parse_keys((key,), separator)[0]))


def key_of_index(index: Sequence[int], separator: str = ".") -> str:
    """Return the chunk key of a grid index; `"c"` for a scalar's."""
    return separator.join(map(str, index)) if len(index) else "c"


def _parse_keys(keys: Sequence[str], separator: str) -> npt.NDArray[np.int64]:
    if separator not in _SEPARATORS:
        raise ValueError(f"chunk key separator {separator!r} is not one of {_SEPARATORS}")
    joint = re.escape(separator)
    pattern = re.compile(rf"c|(?:c{joint})?(?:0|[1-9]\d*)(?:{joint}(?:0|[1-9]\d*))*")
    rows = []
    for key in keys:
        if pattern.fullmatch(key) is None:
            raise ValueError(f"invalid chunk key {key!r} for separator {separator!r}")
        rows.append([int(part) for part in key.split(separator) if part != "c"])
    if len({len(row) for row in rows}) > 1:
        raise ValueError("chunk keys have inconsistent numbers of dimensions")
    return np.array(rows, np.int64).reshape(len(rows), len(rows[0]) if rows else 0)


def _checked_entry(entry: Any) -> tuple[str, int, int]:
    if not isinstance(entry, Mapping) or not {"path", "offset", "length"} <= entry.keys():
        raise ValueError(f"a chunk entry is a dict of path, offset and length, not {entry!r}")
    for name in ("offset", "length"):
        if not isinstance(entry[name], int | np.integer):
            raise TypeError(f"{name} of a chunk entry must be an integer: {entry!r}")
        if entry[name] < 0:
            raise ValueError(f"{name} of a chunk entry must not be negative: {entry!r}")
    path = str(entry["path"])
    if path == INLINED_CHUNK_PATH and len(entry.get("data", b"")) != entry["length"]:
        raise ValueError(f"an inlined entry needs `data` of its length: {entry!r}")
    return path, int(entry["offset"]), int(entry["length"])


def _check_arrays(paths: Any, offsets: Any, lengths: Any) -> None:
    for name, array in (("paths", paths), ("offsets", offsets), ("lengths", lengths)):
        if not isinstance(array, np.ndarray):
            raise TypeError(f"{name} must be a numpy array, not {type(array).__name__}")
    if paths.dtype.kind not in "TU":
        raise ValueError(f"paths must be an array of strings, not of {paths.dtype}")
    for name, array in (("offsets", offsets), ("lengths", lengths)):
        if array.dtype != np.uint64:
            raise ValueError(f"{name} must be a uint64 array, not of {array.dtype}")
        if array.shape != paths.shape:
            raise ValueError(f"paths has shape {paths.shape}, {name} has {array.shape}")
