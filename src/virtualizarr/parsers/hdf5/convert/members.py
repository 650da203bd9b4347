"""Members of compounds that are arrays: Zarr's structured data types have no such fields."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from math import prod

import numpy as np

from virtualizarr.errors import UnsupportedFeatureError
from virtualizarr.parsers.hdf5.layout_datatype import Array, Compound, Datatype, Member

MAX_MEMBERS = 4096
"""Numbers in a compound whose arrays are spread out, inner ones too: a dtype of more is no use."""


def spread(datatype: Compound) -> Compound:
    """Return the same bytes with a member for each element of arrays: `c` of (2, 2) as `c_0_0`, ...

    Raises UnsupportedFeatureError where that makes too many, or a name that there is already.
    """
    if not _has_arrays(datatype):
        return datatype
    count = _count(datatype)
    if count > MAX_MEMBERS:
        raise UnsupportedFeatureError(f"compounds with arrays, of {count} numbers in all")
    members = tuple(each for member in datatype.members for each in _elements(member))
    if len({member.name for member in members}) < len(members):
        raise UnsupportedFeatureError("compounds whose arrays' elements have names of members")
    return replace(datatype, members=members)


def _has_arrays(datatype: Compound) -> bool:
    kinds = [member.datatype for member in datatype.members]
    return any(
        isinstance(kind, Array) or (isinstance(kind, Compound) and _has_arrays(kind))
        for kind in kinds
    )


def _count(datatype: Datatype) -> int:
    """Return how many numbers or texts an element has, which is known before any is made."""
    if isinstance(datatype, Array):
        return prod(datatype.shape) * _count(datatype.base)
    if isinstance(datatype, Compound):
        return sum(_count(member.datatype) for member in datatype.members)
    return 1


def _elements(member: Member) -> Iterator[Member]:
    kind = member.datatype
    if isinstance(kind, Array):
        for number, index in enumerate(np.ndindex(kind.shape)):
            name = "_".join((member.name, *map(str, index)))
            yield from _elements(Member(name, member.offset + number * kind.base.size, kind.base))
    elif isinstance(kind, Compound):
        yield replace(member, datatype=spread(kind))
    else:
        yield member
