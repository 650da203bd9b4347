"""Links: what stands under each name of a group.

As in h5py, soft and external links are followed, an object may stand under several names, and a
link that leads nowhere shows nothing. A link to a group that holds the link would never end, so
it is left out: all below it is shown above. User-defined links cannot be followed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError
from virtualizarr.parsers.hdf5.layout import (
    ExternalLink,
    Group,
    H5Object,
    HardLink,
    Hierarchy,
    Link,
    SoftLink,
)
from virtualizarr.parsers.hdf5.read import joined, resolve


@dataclass(frozen=True, slots=True)
class Outside:
    """An object in another file, or in this one outside of what was read (`file` None)."""

    file: str | None
    path: str


def follow(hierarchy: Hierarchy, group: Group, link: Link) -> H5Object | Outside | None:
    """Return what a link of `group` leads to; None if it leads nowhere.

    Raises CorruptFileError for a hard link without an object, UnsupportedFeatureError for a
    user-defined link.
    """
    match link:
        case HardLink(address=address):
            found = hierarchy.objects.get(address)
            if found is None:
                raise CorruptFileError("a link leads to no object", at=address)
            return found
        case SoftLink(target=target):
            return _follow_path(hierarchy, target, group.path)
        case ExternalLink(file=file, target=target):
            return Outside(file, target)
        case _:
            raise UnsupportedFeatureError(f"a user-defined link of class {link.link_class}")


def _follow_path(hierarchy: Hierarchy, target: str, start: str) -> H5Object | Outside | None:
    found = resolve(hierarchy, target, start)
    if found is not None:
        return found
    for head, name, rest in _splits(target):
        holder = resolve(hierarchy, head, start)
        link = holder.links.get(name) if isinstance(holder, Group) else None
        if isinstance(link, ExternalLink):
            return Outside(link.file, "/".join((link.target, *rest)))
    if hierarchy.ancestors:  # only a part of the file was read
        return Outside(None, target if target.startswith("/") else joined(start, target))
    return None


def _splits(target: str) -> Iterator[tuple[str, str, list[str]]]:
    """Yield a path cut at every component: what is before it, it, and what follows."""
    parts = [part for part in target.split("/") if part and part != "."]
    root = "/" if target.startswith("/") else ""
    for at, name in enumerate(parts):
        yield root + "/".join(parts[:at]), name, parts[at + 1 :]
