"""What keeps files from being combined: groups of files that are described alike ("eras")."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from virtualizarr.errors import VirtualizeError
from virtualizarr.model import ManifestArray, ManifestGroup
from virtualizarr.model.json import Json, to_json
from virtualizarr.parsing import AnyParser, Url, parsed_input
from virtualizarr.source.access import Access
from virtualizarr.source.open import Registry
from virtualizarr.source.urls import normalize_url

AT_ONCE = 16
DECODING_ATTRIBUTES = ("scale_factor", "add_offset", "_FillValue", "missing_value", "_Unsigned")

WHOLE = "whole"

type Told = Callable[[int, int], None]
type Description = Mapping[str, Mapping[str, Json]]


@dataclass(frozen=True, slots=True)
class Era:
    """Files that are described alike, in the order given.

    `differences` are sentences on what is otherwise than in the first era, or the reason why the
    files cannot be parsed.
    """

    urls: tuple[str, ...]
    differences: tuple[str, ...] = ()
    is_broken: bool = False


def check(
    urls: Sequence[Url],
    registry: Registry | None = None,
    parser: AnyParser | None = None,
    *,
    storage_options: Mapping[str, Any] | None = None,
    progress: Told | None = None,
) -> list[Era]:
    """Return the files in groups that can be combined, the largest group first.

    Compared are the variables of every group: dimension names, dtype, codecs, fill value, chunks
    (but for chunks that are the whole of an axis, whose length may vary) and the attributes that
    decode values. Time units may differ, as coordinates are decoded when they are loaded. Files
    that cannot be parsed come last, one era a reason. `progress` is told (files done, files in
    all); the other arguments are those of `virtualizarr.parse`.
    """
    access = Access.of(registry, storage_options)

    def described(url: Url) -> tuple[str, Description | VirtualizeError]:
        try:
            canonical = normalize_url(url)
            return canonical, _description(parsed_input(url, access, parser).group)
        except VirtualizeError as error:
            return str(error.url if error.url is not None else url), error

    files: list[tuple[str, Description | VirtualizeError]] = []
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for done, file in enumerate(pool.map(described, urls), 1):
            files.append(file)
            if progress is not None:
                progress(done, len(urls))
    lengths = _chunk_lengths([found for _, found in files])
    eras: dict[str, tuple[Description | VirtualizeError, list[str]]] = {}
    for url, found in files:
        if isinstance(found, VirtualizeError):
            eras.setdefault(f"!{found.reason}", (found, []))[1].append(url)
        else:
            settled = _settled(found, lengths)
            eras.setdefault(repr(settled), (settled, []))[1].append(url)
    return _compared(list(eras.values()))


type _Lengths = Mapping[tuple[str, int], set[str]]


def _chunk_lengths(found: Sequence[Description | VirtualizeError]) -> _Lengths:
    """Return, by variable and axis, the chunk lengths of files that have several chunks there."""
    lengths: dict[tuple[str, int], set[str]] = {}
    for description in found:
        if isinstance(description, VirtualizeError):
            continue
        for path, variable in description.items():
            chunks: Any = variable["chunks"]
            for axis, length in enumerate(chunks):
                if not _is_whole(length):
                    lengths.setdefault((path, axis), set()).add(str(length))
    return lengths


def _settled(description: Description, lengths: _Lengths) -> Description:
    """Return the description with axes of one chunk called so, unless the length is a usual one."""
    settled: dict[str, Mapping[str, Json]] = {}
    for path, variable in description.items():
        chunks: Any = variable["chunks"]
        named = [
            (length[1] if str(length[1]) in lengths.get((path, axis), ()) else WHOLE)
            if _is_whole(length)
            else length
            for axis, length in enumerate(chunks)
        ]
        settled[path] = {**variable, "chunks": named}
    return settled


def _is_whole(length: Any) -> bool:
    return isinstance(length, list) and len(length) == 2 and length[0] == WHOLE


def _compared(eras: list[tuple[Description | VirtualizeError, list[str]]]) -> list[Era]:
    whole = [(found, names) for found, names in eras if not isinstance(found, VirtualizeError)]
    broken = [(found, names) for found, names in eras if isinstance(found, VirtualizeError)]
    whole.sort(key=lambda era: -len(era[1]))
    return [
        *(Era(tuple(names), tuple(_differences(whole[0][0], found))) for found, names in whole),
        *(Era(tuple(names), (str(found.reason),), True) for found, names in broken),
    ]


def _description(group: ManifestGroup) -> Description:
    arrays = dict(group.walk_arrays())
    return {path: _described(arrays[path]) for path in sorted(arrays)}


def _described(array: ManifestArray) -> dict[str, Json]:
    metadata = array.metadata
    names = metadata.dimension_names
    chunks = [
        [WHOLE, extent] if length == extent else to_json(length)
        for length, extent in zip(array.chunks, array.shape, strict=True)
    ]
    document: Any = metadata.to_json()
    attributes: dict[str, Json] = {
        f"attribute {name}": to_json(metadata.attributes[name])
        for name in DECODING_ATTRIBUTES
        if name in metadata.attributes
    }
    return {
        "dimensions": list(names if names is not None else [None] * metadata.ndim),
        "dtype": str(metadata.dtype),
        "chunks": chunks,
        "codecs": document["codecs"],
        "fill value": document["fill_value"],
        **attributes,
    }


def _differences(first: Description, other: Description) -> list[str]:
    found: list[str] = []
    for path in dict.fromkeys((*first, *other)):
        if path not in other:
            found.append(f"{path} is missing")
        elif path not in first:
            found.append(f"{path} is new")
        else:
            found += [
                f"{path}: {what} {_text(first[path].get(what))} -> {_text(other[path].get(what))}"
                for what in dict.fromkeys((*first[path], *other[path]))
                if first[path].get(what) != other[path].get(what)
            ]
    return found


def _text(value: Json) -> str:
    return "nothing" if value is None else str(value)
