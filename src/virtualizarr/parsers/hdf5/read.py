"""The whole hierarchy of a file, or of one group, as a reading; and values kept in global heaps.

The walk goes breadth first and asks for a whole level at once, so its rounds follow the depth of
the hierarchy, not the number of its objects. Values are resolved at the end, all in one batch.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from virtualizarr.errors import (
    CorruptFileError,
    UnsupportedFeatureError,
    VirtualizeError,
)
from virtualizarr.parsers.hdf5.build_objects import read_built
from virtualizarr.parsers.hdf5.decode_value import HeapObjects, decode_value
from virtualizarr.parsers.hdf5.layout import (
    Dataspace,
    DataspaceType,
    ExternalLink,
    Group,
    H5Object,
    HardLink,
    Hierarchy,
    Link,
    SoftLink,
    Superblock,
)
from virtualizarr.parsers.hdf5.layout_datatype import Datatype
from virtualizarr.parsers.hdf5.read_heap import read_wanted_collections
from virtualizarr.parsers.hdf5.read_objects import Found, read_found
from virtualizarr.parsers.hdf5.read_superblock import read_superblock, through_cache_image
from virtualizarr.parsers.naming import addressable
from virtualizarr.source.reading import Reading

__all__ = [
    "MAX_DEPTH",
    "joined",
    "next_level",
    "read_superblock",
    "read_values",
    "read_vlen",
    "resolve",
    "through_cache_image",
    "walk",
]

MAX_DEPTH = 1024  # groups within groups
_MAX_SOFT_LINKS = 16  # followed on the way to one object


def walk(superblock: Superblock, group: str = "/") -> Reading[Hierarchy]:
    """Return everything at and below `group`: objects, links, attributes with their values.

    Soft links on the way to `group` are followed. An object that cannot be decoded is in the result
    as a BrokenObject, be it `group` itself; raises only if there is no way to `group`.
    """
    return through_cache_image(superblock, _walk(superblock, group))


def _walk(superblock: Superblock, group: str) -> Reading[Hierarchy]:
    passed, path, address = yield from _descend(superblock, group)
    found: dict[int, Found] = {}
    paths: dict[str, int] = {}
    for each in passed:
        paths[each.path] = each.address
        for link in each.links.values():
            if isinstance(link, HardLink):
                paths[joined(each.path, link.name)] = link.address
    paths[path] = address
    level = [(path, address)]
    for _ in range(MAX_DEPTH):
        objects = yield from read_found(superblock, level)
        found |= {each.address: each for each in objects}
        level = next_level(objects, found.keys(), paths)
        if not level:
            break
    else:
        raise UnsupportedFeatureError(f"groups are nested more than {MAX_DEPTH} deep")
    built = yield from read_built(superblock, found)
    ancestors = tuple(Group(each.path, each.address, {}, each.links) for each in passed)
    return Hierarchy(built[address], built, paths, ancestors)


def joined(path: str, name: str) -> str:
    """Return the path of `name` in the group at `path`."""
    return f"{path}{name}" if path == "/" else f"{path}/{name}"


def next_level(
    objects: list[Found], met: Collection[int], paths: dict[str, int]
) -> list[tuple[str, int]]:
    """Return path and address of the objects below whose address is not `met`; note every path."""
    level: dict[int, str] = {}
    for each in objects:
        for link in each.links.values():
            if isinstance(link, HardLink):
                path = joined(each.path, link.name)
                paths[path] = link.address
                if link.address not in met and link.address not in level:
                    level[link.address] = path
    return [(path, address) for address, path in level.items()]


def _descend(superblock: Superblock, group: str) -> Reading[tuple[list[Found], str, int]]:
    """Return the groups passed on the way to `group`, its path free of soft links, its address."""
    todo = [part for part in group.split("/") if part and part != "."]
    path, address = "/", superblock.root_address
    passed: dict[int, Found] = {}
    trail = [(path, address)]
    followed = 0
    while todo:
        if address not in passed:
            (passed[address],) = yield from read_found(
                superblock, [(path, address)], links_only=True
            )
        here = passed[address]
        if here.error is not None:
            raise here.error
        link = _link_called(todo[0], here.links)
        if isinstance(link, HardLink):
            path, address = joined(path, link.name), link.address
            todo = todo[1:]
            trail.append((path, address))
        elif isinstance(link, SoftLink):
            followed += 1
            if followed > _MAX_SOFT_LINKS:
                raise CorruptFileError("too many soft links, perhaps a loop", node=group)
            parts = [part for part in link.target.split("/") if part and part != "."]
            todo = parts + todo[1:]
            if link.target.startswith("/"):
                path, address = "/", superblock.root_address
                trail = [(path, address)]
        else:
            raise _no_way(group, here, todo[0], link)
    ways = {at for _, at in trail[:-1]}
    return [each for at, each in passed.items() if at in ways], path, address


def _link_called(name: str, links: Mapping[str, Link]) -> Link | None:
    """Return the link of a name, or the one that is shown under it."""
    if name in links:
        return links[name]
    return next((link for given, link in links.items() if addressable(given) == name), None)


def _no_way(group: str, here: Found, name: str, link: Link | None) -> VirtualizeError:
    if link is None:
        names = ", ".join(sorted(here.links)) if here.links else "nothing"
        return VirtualizeError(
            f"there is no {name!r} in group {here.path!r}; it holds: {names[:500]}", node=group
        )
    what = f"{link.file}:{link.target}" if isinstance(link, ExternalLink) else "user data"
    return UnsupportedFeatureError(
        f"{name!r} in group {here.path!r} is a link out of the file ({what}); open that file",
        node=group,
    )


def resolve(hierarchy: Hierarchy, path: str, start: str = "/") -> H5Object | None:
    """Return the object that `path` leads to, seen from the group at path `start`.

    Follows soft links. None if there is no such object in `hierarchy`, if the way leaves the file,
    or if more than 16 soft links lie on it.
    """
    groups: dict[str, Mapping[str, Link]] = {each.path: each.links for each in hierarchy.ancestors}
    here = "/" if path.startswith("/") else start
    todo = [part for part in path.split("/") if part and part != "."]
    followed = 0
    while todo:
        links = groups.get(here)
        if links is None:
            each = _at(hierarchy, here)
            if not isinstance(each, Group):
                return None
            links = each.links
        name = todo.pop(0)
        link = links.get(name)
        if isinstance(link, HardLink):
            here = joined(here, name)
            known = hierarchy.objects.get(link.address)
            here = known.path if known is not None else here
        elif isinstance(link, SoftLink) and followed < _MAX_SOFT_LINKS:
            followed += 1
            todo = [part for part in link.target.split("/") if part and part != "."] + todo
            here = "/" if link.target.startswith("/") else here
        else:
            return None
    return _at(hierarchy, here)


def _at(hierarchy: Hierarchy, path: str) -> H5Object | None:
    address = hierarchy.paths.get(path)
    return None if address is None else hierarchy.objects.get(address)


def read_values(
    superblock: Superblock, datatype: Datatype, shape: tuple[int, ...] | None, raw: bytes
) -> Reading[Any]:
    """Return the value of stored bytes by the rules of `layout.Attribute`; `shape` None: a scalar.

    Raises UnsupportedFeatureError for datatypes without values, CorruptFileError if `raw` is too
    short or a heap object is missing.
    """
    return through_cache_image(superblock, _read_values(superblock, datatype, shape, raw))


def _read_values(
    superblock: Superblock, datatype: Datatype, shape: tuple[int, ...] | None, raw: bytes
) -> Reading[Any]:
    dataspace = (
        Dataspace(DataspaceType.SCALAR)
        if shape is None
        else Dataspace(DataspaceType.SIMPLE, shape, shape)
    )
    heaps = HeapObjects.of(superblock)
    while True:
        misses = heaps.misses
        value = decode_value(datatype, dataspace, raw, heaps)
        if heaps.misses == misses:
            return value
        yield from read_wanted_collections(superblock, heaps)


def read_vlen(
    superblock: Superblock,
    lengths: npt.NDArray[np.integer[Any]],
    addresses: npt.NDArray[np.integer[Any]],
    indices: npt.NDArray[np.integer[Any]],
    element_size: int = 1,
) -> Reading[list[bytes]]:
    """Return the bytes of variable-length elements, of which the columns are the descriptors.

    The columns are 1-D, of one length, as stored (`VariableLength.descriptor_dtype()`): addresses
    are relative to the base address. A null descriptor gives no bytes. All collections are read in
    one round, or two if some are longer than usual.
    """
    reading = _read_vlen(superblock, lengths, addresses, indices, element_size)
    return through_cache_image(superblock, reading)


def _read_vlen(
    superblock: Superblock,
    lengths: npt.NDArray[np.integer[Any]],
    addresses: npt.NDArray[np.integer[Any]],
    indices: npt.NDArray[np.integer[Any]],
    element_size: int,
) -> Reading[list[bytes]]:
    undefined = (1 << (8 * superblock.sizes.offset)) - 1
    present = (lengths != 0) & (addresses != 0) & (addresses != undefined)
    heaps = HeapObjects.of(superblock)
    base = superblock.sizes.base
    heaps.wanted.update(int(at) + base for at in np.unique(addresses[present]).tolist())
    if heaps.wanted:
        yield from read_wanted_collections(superblock, heaps)
    values: list[bytes] = []
    columns = (present.tolist(), lengths.tolist(), addresses.tolist(), indices.tolist())
    for here, length, address, index in zip(*columns, strict=True):
        found = heaps.object(address + base, index) if here else b""
        size = length * element_size if here else 0
        if found is None or size > len(found):
            raise CorruptFileError(
                f"a variable-length value of {size} bytes is longer than its heap object",
                at=address + base,
            )
        heaps.spend(size)
        values.append(found[:size])
    return values
