"""Members of compounds that are arrays: Zarr's structured data types have no such fields."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from math import prod

import numpy as np

from virtualizarr.errors import UnsupportedFeatureError
from virtualizarr.parsers.hdf5.layout_datatype import Array, Compound, Datatype, Member

MAX_MEMBERS = 4096
"""Members of a compound, once arrays are spread out: a dtype of more is of no use."""


def spread(datatype: Compound) -> Compound:
    """Return the same bytes with a member for each element of arrays: `c` of (2, 2) as `c_0_0`, ...

    Raises UnsupportedFeatureError where that makes too many, or a name that there is already.
    """
    if not any(isinstance(member.datatype, Array | Compound) for member in datatype.members):
        return datatype
    members: list[Member] = []
    for given in datatype.members:
        for member in _elements(given):
            members.append(member)
            if len(members) > MAX_MEMBERS:
                raise UnsupportedFeatureError(
                    f"compounds of more than {MAX_MEMBERS} numbers, in member {given.name!r}"
                )
    if len({member.name for member in members}) < len(members):
        raise UnsupportedFeatureError("compounds whose arrays' elements have names of members")
    return replace(datatype, members=tuple(members))


def _elements(member: Member) -> Iterator[Member]:
    kind: Datatype = member.datatype
    if isinstance(kind, Array):
        if prod(kind.shape) > MAX_MEMBERS:
            raise UnsupportedFeatureError(
                f"compounds with a member {member.name!r} of {prod(kind.shape)} elements"
            )
        for number, index in enumerate(np.ndindex(kind.shape)):
            name = "_".join((member.name, *map(str, index)))
            yield from _elements(Member(name, member.offset + number * kind.base.size, kind.base))
    elif isinstance(kind, Compound):
        yield replace(member, datatype=spread(kind))
    else:
        yield member
