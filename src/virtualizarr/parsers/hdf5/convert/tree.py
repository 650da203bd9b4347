"""Groups: from a hierarchy to a tree of virtual arrays."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from virtualizarr.errors import (
    CorruptFileError,
    SourceError,
    SourceNotFoundError,
    UnsupportedFeatureError,
    VirtualizeError,
)
from virtualizarr.model import ManifestArray, ManifestGroup
from virtualizarr.parsers.hdf5.convert.arrays import ArrayOrError, read_arrays
from virtualizarr.parsers.hdf5.convert.attributes import convert_attributes
from virtualizarr.parsers.hdf5.convert.context import MAX_FILES, OpenFile
from virtualizarr.parsers.hdf5.convert.dimensions import (
    NON_COORDINATE_PREFIX,
    Dimensions,
    is_only_dimension,
)
from virtualizarr.parsers.hdf5.convert.lengthening import read_lengthened
from virtualizarr.parsers.hdf5.convert.links import Outside, follow
from virtualizarr.parsers.hdf5.convert.opening import open_file
from virtualizarr.parsers.hdf5.convert.read_dimensions import read_dimensions
from virtualizarr.parsers.hdf5.convert.text import node_name
from virtualizarr.parsers.hdf5.convert.urls import beside
from virtualizarr.parsers.hdf5.convert.variables import variable_of
from virtualizarr.parsers.hdf5.layout import BrokenObject, Dataset, Group
from virtualizarr.parsers.hdf5.read import joined
from virtualizarr.source.reading import Elsewhere, Reading, together

MAX_DEPTH = 200
"""How deep groups may lie in one another."""

MAX_NODES = 100_000
"""Nodes a tree may have beyond 16 times the file's objects; shared ones count wherever shown."""

type Node = ManifestArray | ManifestGroup


@dataclass(slots=True)
class Plan:
    """A group's members by the names they are shown under."""

    group: Group
    datasets: dict[str, Dataset] = field(default_factory=dict)
    groups: dict[str, Plan] = field(default_factory=dict)
    outside: dict[str, Outside] = field(default_factory=dict)
    nodes: int = 1  # of the tree below, a shared group counted wherever it is shown


@dataclass(frozen=True, slots=True)
class Refusals:
    """What becomes of datasets and groups that cannot be represented.

    Raised, unless `skipped` is a list: then they are left out, and their errors are put there.
    """

    skipped: list[VirtualizeError] | None = None

    def meet(self, error: VirtualizeError, path: str, at: int | None = None) -> None:
        """Raise the error with its node and what can be done about it, or note that it was."""
        error = error.located(node=path, at=at)
        if self.skipped is None or isinstance(error, SourceError):
            raise _with_advice(error, path.rpartition("/")[2]) from error
        self.skipped.append(error)


STRICT = Refusals()


def read_node(
    file: OpenFile, drop: Collection[str] = (), refusals: Refusals = STRICT
) -> Reading[Node]:
    """Return all that is at and below the root of `file.hierarchy`.

    `drop` holds names, or paths without the leading slash, of datasets and groups to leave out. The
    chunk indexes of all datasets are read together, one level a round.
    """
    root = file.hierarchy.root
    dimensions = yield from read_dimensions(file)
    match root:
        case Dataset():
            (found,) = yield from read_arrays(file, [root])
            if isinstance(found, VirtualizeError):
                raise _with_advice(found.located(node=root.path), root.path.rpartition("/")[2])
            found = yield from read_lengthened(file, dimensions, root, found)
            if isinstance(found, VirtualizeError):
                raise found.located(node=root.path)
            parent = root.path.rpartition("/")[0]
            dimensions.number(parent, [(root.path.rpartition("/")[2], root)])
            return variable_of(file, dimensions, parent, root, found)
        case Group():
            return (yield from _read_group(file, root, dimensions, frozenset(drop), refusals))
        case BrokenObject():
            raise root.error
        case _:
            raise UnsupportedFeatureError("a named datatype holds no data", node=root.path)


def _read_group(
    file: OpenFile,
    root: Group,
    dimensions: Dimensions,
    drop: frozenset[str],
    refusals: Refusals,
) -> Reading[ManifestGroup]:
    plans: dict[int, Plan] = {}
    plan = _plan(file, root, drop, plans, (), refusals)
    if plan.nodes > MAX_NODES + 16 * len(file.hierarchy.objects):
        raise UnsupportedFeatureError(f"links that make a tree of {plan.nodes} objects")
    datasets: dict[int, tuple[str, Dataset]] = {}
    for held in plans.values():
        for name, each in held.datasets.items():
            datasets.setdefault(each.address, (joined(held.group.path, name), each))
    outside = list(dict.fromkeys(each for held in plans.values() for each in held.outside.values()))
    readings: list[Reading[Any]] = [
        read_arrays(file, [each for _, each in datasets.values()]),
        _read_outside(file, outside, refusals),
    ]
    read, others = yield from together(readings)
    if dimensions.any_unlimited:
        pairs = zip(datasets.values(), read, strict=True)
        read = yield from together(
            [_lengthened(file, dimensions, dataset, array) for (_, dataset), array in pairs]
        )
    storage: dict[int, ManifestArray] = {}
    for (address, (path, _)), array in zip(datasets.items(), read, strict=True):
        if isinstance(array, VirtualizeError):
            refusals.meet(array, path)
        else:
            storage[address] = array
    found = dict(zip(outside, others, strict=True))
    return _assemble(file, plan, dimensions, storage, found, {})


def _lengthened(
    file: OpenFile, dimensions: Dimensions, dataset: Dataset, array: ArrayOrError
) -> Reading[ArrayOrError]:
    if isinstance(array, VirtualizeError):
        return array
    return (yield from read_lengthened(file, dimensions, dataset, array))


def _plan(
    file: OpenFile,
    group: Group,
    drop: frozenset[str],
    plans: dict[int, Plan],
    above: tuple[int, ...],
    refusals: Refusals,
) -> Plan:
    known = plans.get(group.address)
    if known is not None:
        return known
    if len(above) > MAX_DEPTH:
        raise UnsupportedFeatureError(f"groups more than {MAX_DEPTH} deep", node=group.path)
    plan = plans[group.address] = Plan(group)
    above = (*above, group.address)
    for name, link in group.links.items():
        path = joined(group.path, name)
        if path[1:] in drop or _named_in(drop, name, group):
            continue
        try:
            found = follow(file.hierarchy, group, link)
        except VirtualizeError as error:
            refusals.meet(error, path)
            continue
        match found:
            case Dataset() if not is_only_dimension(found):
                plan.datasets[_free(_shown(name, group, file), plan)] = found
            case Group() if found.address not in above:
                below = _plan(file, found, drop, plans, above, refusals)
                plan.groups[_free(name, plan)] = below
                plan.nodes += below.nodes
            case Outside():
                plan.outside[_free(name, plan)] = found
            case BrokenObject():
                refusals.meet(found.error, path, found.address)
    plan.nodes += len(plan.datasets) + len(plan.outside)
    return plan


def _named_in(drop: frozenset[str], name: str, group: Group) -> bool:
    """Say whether a member is to be left out by its name, or by the one it is shown under."""
    return name in drop or (node_name(name) in drop and node_name(name) not in group.links)


def _free(name: str, plan: Plan) -> str:
    """Return the name of a node; with underscores behind it where another has become it."""
    chosen = node_name(name)
    if chosen == name:
        return name
    taken = {*plan.group.links, *plan.datasets, *plan.groups, *plan.outside}
    while chosen in taken:
        chosen += "_"
    return chosen


def _shown(name: str, group: Group, file: OpenFile) -> str:
    """Return a variable's name without netCDF-4's prefix for what is not a coordinate."""
    if not name.startswith(NON_COORDINATE_PREFIX):
        return name
    plain = name.removeprefix(NON_COORDINATE_PREFIX)
    link = group.links.get(plain)
    other = follow(file.hierarchy, group, link) if link is not None else None
    taken = other is not None and not (isinstance(other, Dataset) and is_only_dimension(other))
    return name if taken or not plain else plain


def _with_advice(error: VirtualizeError, name: str) -> VirtualizeError:
    kind, name = type(error), node_name(name)
    if kind not in (UnsupportedFeatureError, CorruptFileError) or "drop_variables" in error.reason:
        return error
    return kind(
        f"{error.reason}; drop_variables=[{name!r}] leaves it out",
        url=error.url,
        node=error.node,
        at=error.at,
    )


def _read_outside(
    file: OpenFile, outside: list[Outside], refusals: Refusals
) -> Reading[list[Node | None]]:
    """Return what lies in other files; None where there is nothing."""
    wanted: list[Elsewhere] = []
    for each in outside:
        url = beside(file.url, each.file) if each.file is not None else file.url
        wanted.append(Elsewhere(url, read_other(url, each.path, file.trail)))
    answers = (yield wanted) if wanted else []
    nodes: list[Node | None] = []
    for answer in answers:
        if isinstance(answer, VirtualizeError) and not _is_dangling(answer):
            if refusals.skipped is None or isinstance(answer, SourceError):
                raise answer
            refusals.skipped.append(answer)
        nodes.append(None if isinstance(answer, VirtualizeError) else answer)
    return nodes


def _is_dangling(error: VirtualizeError) -> bool:
    """Say whether a link led to no file, or to no object in it."""
    return isinstance(error, SourceNotFoundError) or type(error) is VirtualizeError


def read_other(url: str, path: str, trail: tuple[tuple[str, str], ...]) -> Reading[Node]:
    """Return the object at `path` in the file at `url`, and all below it.

    Raises a plain VirtualizeError if there is no such object, or if `trail` came by it before.
    """
    path = "/" + path.strip("/")
    if (url, path) in trail:
        raise VirtualizeError("external links lead in a circle", url=url, node=path)
    if len(trail) > MAX_FILES:
        raise UnsupportedFeatureError(f"external links through more than {MAX_FILES} files")
    file = yield from open_file(url, path, trail)
    return (yield from read_node(file))


def _assemble(
    file: OpenFile,
    plan: Plan,
    dimensions: Dimensions,
    storage: dict[int, ManifestArray],
    outside: dict[Outside, Node | None],
    done: dict[int, ManifestGroup],
) -> ManifestGroup:
    known = done.get(plan.group.address)
    if known is not None:
        return known
    group = plan.group
    groups = {
        name: _assemble(file, below, dimensions, storage, outside, done)
        for name, below in plan.groups.items()
    }
    arrays = {
        name: variable_of(file, dimensions, group.path, each, storage[each.address])
        for name, each in plan.datasets.items()
        if each.address in storage
    }
    for name, each in plan.outside.items():
        node = outside[each]
        if isinstance(node, ManifestArray):
            arrays[name] = dimensions.adopted(group.path, node)
        elif isinstance(node, ManifestGroup):
            groups[name] = node
    attributes = convert_attributes(group.attributes, file.paths)
    done[group.address] = ManifestGroup(arrays, groups, attributes)
    return done[group.address]
