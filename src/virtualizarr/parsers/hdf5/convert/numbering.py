"""Phony dimensions are numbered over a whole file, group by group, each before those in it.

As in h5netcdf, what is left out of the tree that is shown counts too: a dimension has one name,
whichever variables are dropped.
"""

from __future__ import annotations

from virtualizarr.errors import VirtualizeError
from virtualizarr.parsers.hdf5.convert.dimensions import Dimensions
from virtualizarr.parsers.hdf5.convert.links import Outside, follow
from virtualizarr.parsers.hdf5.layout import (
    Dataset,
    Group,
    H5Object,
    HardLink,
    Hierarchy,
    Link,
)

NAMING = frozenset(
    {"CLASS", "DIMENSION_LIST", "REFERENCE_LIST", "_Netcdf4Coordinates", "_Netcdf4Dimid"}
)
"""The attributes that dimensions of a dataset follow from."""


def number_phony(dimensions: Dimensions, hierarchy: Hierarchy, first: H5Object) -> None:
    """Number the phony dimensions of `first` and all groups below; one of several paths once."""
    ancestors: dict[int, H5Object] = {each.address: each for each in hierarchy.ancestors}
    waiting = [first]
    met: set[int] = set()
    while waiting:
        group = waiting.pop()
        if not isinstance(group, Group) or group.address in met:
            continue
        met.add(group.address)
        datasets: list[tuple[str, Dataset]] = []
        below: list[H5Object] = []
        for link in group.links.values():
            found = ancestors.get(link.address) if isinstance(link, HardLink) else None
            if found is None:
                found = _followed(hierarchy, group, link)
            if isinstance(found, Dataset):
                datasets.append((link.name, found))
            elif isinstance(found, Group):
                below.append(found)
        dimensions.number(group.path, datasets)
        waiting += reversed(below)


def _followed(hierarchy: Hierarchy, group: Group, link: Link) -> H5Object | None:
    try:
        found = follow(hierarchy, group, link)
    except VirtualizeError:  # whoever shows the group will meet it
        return None
    return None if isinstance(found, Outside) else found
