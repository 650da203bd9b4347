"""Two trees of arrays side by side: what is in a store, and what is to be added to it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from virtualizarr.errors import CombineError
from virtualizarr.model.array import ManifestArray
from virtualizarr.model.combine import check_same_decoding
from virtualizarr.model.group import ManifestGroup
from virtualizarr.model.manifest import INLINE
from virtualizarr.model.metadata import ArrayMetadata


@dataclass(frozen=True, slots=True)
class Pair:
    """An array that is there and the one to be added to it; `axis` grows, -1 where none does."""

    path: str
    axis: int
    existing: ManifestArray
    new: ManifestArray


def pairs_of(existing: ManifestGroup, new: ManifestGroup, dim: str | None) -> Iterator[Pair]:
    """Yield the arrays of `new` with those of `existing`; refuse trees that do not match."""
    todo = [("", existing, new)]
    while todo:
        path, there, here = todo.pop()
        for name, child in here.groups.items():
            if name not in there.groups:
                raise CombineError("there is no such group to append to", node=f"{path}{name}")
            todo.append((f"{path}{name}/", there.groups[name], child))
        for name in here.arrays:
            if name not in there.arrays:
                raise CombineError("there is no such array to append to", node=f"{path}{name}")
        for name, array in there.arrays.items():
            axis = _axis(array.metadata, dim)
            if name not in here.arrays:
                if axis >= 0:
                    raise CombineError(
                        f"has the dimension {dim!r}, but is not among what is to be appended",
                        node=f"{path}{name}",
                    )
                continue
            pair = Pair(f"{path}{name}", axis, array, here.arrays[name])
            _check_dimensions(pair)
            yield pair


def by_group(pairs: list[Pair]) -> Iterator[list[Pair]]:
    """Yield the arrays of one group after the other: a dimension means one length in each."""
    groups: dict[str, list[Pair]] = {}
    for pair in pairs:
        groups.setdefault(pair.path.rpartition("/")[0], []).append(pair)
    yield from groups.values()


def _axis(metadata: ArrayMetadata, dim: str | None) -> int:
    names = metadata.dimension_names
    if dim is None or names is None or dim not in names:
        return -1
    return names.index(dim)


def _check_dimensions(pair: Pair) -> None:
    there, here = pair.existing.metadata, pair.new.metadata
    if there.ndim != here.ndim or there.dimension_names != here.dimension_names:
        raise CombineError(
            f"dimensions are {here.dimension_names} here but {there.dimension_names} there",
            node=pair.path,
        )


def check_decoding(pair: Pair) -> None:
    """Raise CombineError, naming the array, unless stored bytes mean the same in both."""
    try:
        check_same_decoding([pair.existing, pair.new])
    except CombineError as error:
        raise error.located(node=pair.path) from None


def check_alike(pair: Pair) -> None:
    """Refuse an array that stays as it is but contradicts what is to be appended."""
    there, here = pair.existing, pair.new
    check_decoding(pair)
    if there.shape != here.shape:
        raise CombineError(f"has shape {here.shape} here but {there.shape} there", node=pair.path)
    own = here.manifest.location == INLINE
    if not own.any() or there.metadata.grid_shape != own.shape:
        return
    both = own & (there.manifest.location == INLINE)
    if not bool(there.manifest.elementwise_eq(here.manifest)[both].all()):
        raise CombineError(
            "the values here differ from those there, and appending cannot change them",
            node=pair.path,
        )
