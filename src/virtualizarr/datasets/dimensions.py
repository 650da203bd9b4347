"""Names for the dimensions of virtual arrays, also where the file gives none."""

from __future__ import annotations

from collections.abc import Mapping

from virtualizarr.model import ManifestArray

type Dims = tuple[str, ...]


def dims_of(arrays: Mapping[str, ManifestArray]) -> dict[str, Dims]:
    """Return the dimension names of each array of one group.

    An axis without a name is called `phony_dim_0`, `phony_dim_1`, ... as netCDF does: axes of one
    length share a name, except within one array.
    """
    phony: dict[tuple[int, int], str] = {}
    dims: dict[str, Dims] = {}
    for name, array in arrays.items():
        given = array.metadata.dimension_names
        if given is None or None in given:
            given = _named(given, array.metadata.shape, phony)
        dims[name] = given  # type: ignore[assignment]
    return dims


def _named(
    given: tuple[str | None, ...] | None,
    shape: tuple[int, ...],
    phony: dict[tuple[int, int], str],
) -> Dims:
    """Fill in names; `phony` maps (length, how often it came before in the array) to a name."""
    seen: dict[int, int] = {}
    names: list[str] = []
    for axis, extent in enumerate(shape):
        name = given[axis] if given is not None else None
        if name is None:
            key = (extent, seen.get(extent, 0))
            seen[extent] = key[1] + 1
            name = phony.setdefault(key, f"phony_dim_{len(phony)}")
        names.append(name)
    return tuple(names)
