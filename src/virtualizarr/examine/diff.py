"""What differs between two files or stores: description, references, and on request values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from virtualizarr.examine.values import differing_values
from virtualizarr.model import INLINE, MISSING, ManifestArray, ManifestGroup
from virtualizarr.model.columns import is_uniform
from virtualizarr.model.json import Json, to_json
from virtualizarr.parsing import AnyParser, Input, parsed_input
from virtualizarr.source.access import Access
from virtualizarr.source.open import Registry
from virtualizarr.source.policy import AllowedLocations, named
from virtualizarr.store import ManifestStore

SHOWN = 120


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing in which two stores differ: `what` of the node is `left` in one, `right` in the
    other; None where one has no such thing.
    """

    node: str
    what: str
    left: Json
    right: Json

    def __str__(self) -> str:
        left, right = _shown(self.left), _shown(self.right)
        return f"{self.node}: {self.what}: {left} -> {right}"


def diff(
    left: Input,
    right: Input,
    registry: Registry | None = None,
    *,
    values: bool = False,
    parsers: tuple[AnyParser | None, AnyParser | None] = (None, None),
    storage_options: Mapping[str, Any] | None = None,
    allowed_locations: AllowedLocations | None = None,
) -> list[Difference]:
    """Return what differs between two files or stores of any format; nothing if they are the same.

    Groups and variables, dimensions, dtypes, chunks, codecs, fill values, attributes and references
    are compared; with `values=True` also decoded values, of the variables whose references or
    decoding differ. `parsers` are those of the two; the other arguments and the errors are those
    of `virtualizarr.open_store`.
    """
    access = Access.of(registry, storage_options, named(allowed_locations))
    groups = [
        parsed_input(one, access, parser).group
        for one, parser in zip((left, right), parsers, strict=True)
    ]
    options = dict(storage_options) if storage_options is not None else None
    stores = [
        ManifestStore(
            group,
            registry=registry,
            storage_options=options,
            allowed_locations=named(allowed_locations),
        )
        for group in groups
    ]
    return list(_groups(groups[0], groups[1], "", stores if values else None))


def _groups(
    left: ManifestGroup, right: ManifestGroup, path: str, stores: list[ManifestStore] | None
) -> Iterator[Difference]:
    here = path.rstrip("/") if path else "/"
    yield from _attributes(here, left.attributes, right.attributes)
    for name in _both(left, right):
        one, two = left.get(name), right.get(name)
        kinds = [_kind(one), _kind(two)]
        if kinds[0] != kinds[1]:
            yield Difference(f"{path}{name}", "node", kinds[0], kinds[1])
        elif isinstance(one, ManifestArray) and isinstance(two, ManifestArray):
            yield from _arrays(one, two, f"{path}{name}", stores)
        elif isinstance(one, ManifestGroup) and isinstance(two, ManifestGroup):
            yield from _groups(one, two, f"{path}{name}/", stores)


def _both(left: Mapping[str, Any], right: Mapping[str, Any]) -> list[str]:
    return list(dict.fromkeys((*left, *right)))


def _kind(node: ManifestArray | ManifestGroup | None) -> str | None:
    if node is None:
        return None
    return "group" if isinstance(node, ManifestGroup) else "variable"


def _attributes(
    node: str, left: Mapping[str, Any], right: Mapping[str, Any]
) -> Iterator[Difference]:
    for name in _both(left, right):
        one = to_json(left[name]) if name in left else None
        two = to_json(right[name]) if name in right else None
        if one != two:
            yield Difference(node, f"attribute {name}", one, two)


def _arrays(
    left: ManifestArray, right: ManifestArray, path: str, stores: list[ManifestStore] | None
) -> Iterator[Difference]:
    one, two = _described(left), _described(right)
    found = [Difference(path, what, one[what], two[what]) for what in one if one[what] != two[what]]
    yield from found
    yield from _attributes(path, left.metadata.attributes, right.metadata.attributes)
    references = list(_references(left, right, path))
    yield from references
    if stores is not None and (found or references) and left.shape == right.shape:
        text = differing_values(stores[0], stores[1], path, left)
        if text is not None:
            yield Difference(path, "values", "", text)


def _described(array: ManifestArray) -> dict[str, Json]:
    document: dict[str, Any] = array.metadata.to_json()
    names = array.metadata.dimension_names
    return {
        "dimensions": list(names) if names is not None else None,
        "shape": list(array.shape),
        "dtype": str(array.dtype),
        "chunks": to_json(array.chunks),
        "codecs": document["codecs"],
        "fill value": document["fill_value"],
    }


def _references(left: ManifestArray, right: ManifestArray, path: str) -> Iterator[Difference]:
    """Compare references chunk by chunk, in columns."""
    one, two = left.manifest, right.manifest
    if one.shape_chunk_grid != two.shape_chunk_grid:
        yield Difference(path, "references", one.nrefs, two.nrefs)
        return
    unlike = ~one.elementwise_eq(two)
    total = unlike.size
    if not (unlike.flat[0] if is_uniform(unlike) and total else unlike.any()):
        yield from _evidence(left, right, path)
        return
    real = (one.location < INLINE) & (two.location < INLINE)
    same_range = (one.offset == two.offset) & (one.length == two.length)
    counts = {
        "only in the first": (one.location != MISSING) & (two.location == MISSING),
        "only in the second": (one.location == MISSING) & (two.location != MISSING),
        "in another file": real & same_range,
        "other bytes": real & ~same_range,
        "inline in one": (one.location == INLINE) != (two.location == INLINE),
        "other inline bytes": (one.location == INLINE) & (two.location == INLINE),
    }
    for what, where in counts.items():
        count = int(np.count_nonzero(unlike & where))
        if count:
            example = tuple(int(i) for i in np.argwhere(unlike & where)[0])
            yield Difference(
                path,
                f"references, {what} ({count} of {total} chunks)",
                _entry(one.get_entry(example)),
                _entry(two.get_entry(example)),
            )


def _entry(entry: Mapping[str, Any] | None) -> Json:
    if entry is None:
        return None
    return f"{entry['path']} [{entry['offset']}, +{entry['length']}]"


def _evidence(left: ManifestArray, right: ManifestArray, path: str) -> Iterator[Difference]:
    """Compare what is recorded of the files; what one does not know is no difference."""
    known = {file.url: file for file in right.manifest.locations}
    for file in left.manifest.locations:
        other = known.get(file.url)
        if other is None:
            continue
        for what in ("size", "etag", "last_modified"):
            one, two = getattr(file, what), getattr(other, what)
            if one is not None and two is not None and one != two:
                yield Difference(path, f"recorded {what} of {file.url}", str(one), str(two))


def _shown(value: Json) -> str:
    text = "nothing" if value is None else str(value)
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 3]}..."
