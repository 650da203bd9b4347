"""What a DMR++ document says, in its own words: groups, variables, and where their bytes lie."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

type ByteOrder = Literal["LE", "BE"]
type Pad = Literal["null_term", "null_pad", "space_pad", "not_set"]


@dataclass(frozen=True, slots=True)
class Dim:
    """An axis of a variable: `path` is the full name of a shared dimension, None without one."""

    path: str | None
    size: int


@dataclass(frozen=True, slots=True)
class Enumeration:
    """Names of integers; `basetype` is the DAP4 type they are stored in."""

    basetype: str
    names: tuple[str, ...]
    values: tuple[int, ...]

    @property
    def is_boolean(self) -> bool:
        """Whether this is how HDF5 writers keep booleans: FALSE = 0 and TRUE = 1 in one byte."""
        members = dict(zip(self.names, self.values, strict=True))
        return self.basetype == "Int8" and members == {"FALSE": 0, "TRUE": 1}


@dataclass(frozen=True, slots=True, eq=False)
class Pieces:
    """`dmrpp:chunk` or `dmrpp:block` elements as columns, one row each, in the document's order.

    `offset` and `length` are in bytes (int64). `position` is the index of a chunk's first element,
    shape `(rows, rank)`; None where the document gives none. `href` codes `hrefs`, of which None
    stands for the data file of the document. `linked` is the number of a part within its chunk, -1
    for chunks in one part. `filter_mask` is None where the document holds none.
    """

    offset: npt.NDArray[np.int64]
    length: npt.NDArray[np.int64]
    position: npt.NDArray[np.int64] | None
    filter_mask: npt.NDArray[np.uint32] | None
    href: npt.NDArray[np.int64]
    hrefs: tuple[str | None, ...]
    linked: npt.NDArray[np.int64] | None

    def __len__(self) -> int:
        return len(self.offset)


@dataclass(frozen=True, slots=True)
class FixedStrings:
    """`dmrpp:FixedLengthStringArray`: bytes of a string, and what fills up short ones."""

    length: int
    pad: Pad


class Text(NamedTuple):
    """A `v` element: its text and how often it is repeated.

    With a `size` the text is base64 of a zlib stream that holds so many bytes.
    """

    text: str
    times: int
    size: int | None


@dataclass(frozen=True, slots=True, eq=False)
class Storage:
    """The elements of DMR++ in a variable.

    At most one of `compact`, `missingdata`, `specialstructuredata` (base64) and `vlsa` is given; if
    none is, the bytes are those of `chunks`, or of `blocks`. `given` says whether there is any
    element that tells of bytes; `ordered` whether the filters are in the order of writing.
    """

    given: bool = False
    filters: tuple[str, ...] = ()
    ordered: bool = True
    deflate_levels: tuple[int, ...] = ()
    fill_value: str | None = None
    byte_order: ByteOrder = "LE"
    struct_offsets: tuple[int, ...] | None = None
    chunk_shape: tuple[int, ...] | None = None
    chunks: Pieces | None = None
    blocks: Pieces | None = None
    fixed_strings: FixedStrings | None = None
    compact: str | None = None
    missingdata: str | None = None
    specialstructuredata: str | None = None
    vlsa: tuple[Text, ...] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Variable:
    """A DAP4 variable: `type` is the name of its element, `path` its full name.

    `maps` are the full names of its Maps; `members` those of a Structure.
    """

    path: str
    name: str
    type: str
    dims: tuple[Dim, ...] = ()
    enumeration: Enumeration | None = None
    maps: tuple[str, ...] = ()
    attributes: Mapping[str, Any] = field(default_factory=dict)
    members: tuple[Variable, ...] = ()
    storage: Storage = field(default_factory=Storage)
    at: int | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(dim.size for dim in self.dims)


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """A DAP4 group; the root's path is `/`."""

    path: str
    variables: Mapping[str, Variable]
    groups: Mapping[str, Group]
    attributes: Mapping[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """A DMR++ document: `href` is where it says that its data file lies, None if it does not.

    `name` is what it calls the data set, mostly the data file's name. `size` is the bytes of the
    document, in proportion to which memory may be taken.
    """

    root: Group
    href: str | None
    name: str
    size: int
