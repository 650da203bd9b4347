"""Objects outside of a group that is read alone, on which its dimensions depend."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from virtualizarr.errors import VirtualizeError
from virtualizarr.parsers.hdf5.build_objects import read_built
from virtualizarr.parsers.hdf5.decode_attribute import decode_attribute
from virtualizarr.parsers.hdf5.decode_object_header import SHARED, Message
from virtualizarr.parsers.hdf5.layout import H5Object, HardLink, Hierarchy, Superblock
from virtualizarr.parsers.hdf5.read import MAX_DEPTH, joined, next_level
from virtualizarr.parsers.hdf5.read_objects import Found, read_found
from virtualizarr.parsers.hdf5.read_superblock import through_cache_image
from virtualizarr.source.reading import Reading


def survey(
    superblock: Superblock, hierarchy: Hierarchy, attributes: Collection[str]
) -> Reading[Hierarchy]:
    """Return `hierarchy`, read from a group down, with what comes before that group in the file.

    That is, for each group on the way to it, all objects in that group, and all that is below those
    whose links come before the way. Of their attributes only those named in `attributes` are there.
    """
    return through_cache_image(superblock, _survey(superblock, hierarchy, attributes))


def _survey(
    superblock: Superblock, hierarchy: Hierarchy, attributes: Collection[str]
) -> Reading[Hierarchy]:
    paths = dict(hierarchy.paths)
    way = [*(each.address for each in hierarchy.ancestors), hierarchy.root.address]
    found: dict[int, Found] = {}
    before: dict[int, str] = {}
    after: dict[int, str] = {}
    for group, following in zip(hierarchy.ancestors, way[1:], strict=True):
        here = before
        for link in group.links.values():
            if isinstance(link, HardLink):
                if link.address == following:
                    here = after
                elif link.address not in way:
                    here.setdefault(link.address, joined(group.path, link.name))
    level = [(path, address) for address, path in (after | before).items()]
    for _ in range(MAX_DEPTH):
        if not level:
            break
        objects = yield from read_found(superblock, level)
        found |= {each.address: each for each in objects}
        open_groups = [each for each in objects if each.path != after.get(each.address)]
        met = {*found, *hierarchy.objects, *way}
        level = next_level(open_groups, met, paths)
    for each in found.values():
        each.attributes = [raw for raw in each.attributes if _is_wanted(raw, attributes)]
    built = yield from read_built(superblock, found)
    return replace(hierarchy, objects={**built, **hierarchy.objects}, paths=paths)


def read_at(
    superblock: Superblock, addresses: Collection[int], attributes: Collection[str]
) -> Reading[Mapping[int, H5Object]]:
    """Return the objects whose headers lie at `addresses`, with those `attributes` only."""
    return through_cache_image(superblock, _read_at(superblock, addresses, attributes))


def _read_at(
    superblock: Superblock, addresses: Collection[int], attributes: Collection[str]
) -> Reading[Mapping[int, H5Object]]:
    objects = yield from read_found(superblock, [("", address) for address in addresses])
    for each in objects:
        each.attributes = [raw for raw in each.attributes if _is_wanted(raw, attributes)]
    return (yield from read_built(superblock, {each.address: each for each in objects}))


def _is_wanted(message: Message, names: Collection[str]) -> bool:
    """Say whether an attribute has one of `names`; also where that is not known yet."""
    if message.flags & SHARED:
        return True
    try:
        return decode_attribute(message.body).name in names
    except VirtualizeError:
        return True
