"""Dimension names: netCDF-4's rules over HDF5's dimension scales.

A dataset of class DIMENSION_SCALE is a dimension, named by its link. Other datasets name theirs in
DIMENSION_LIST, one reference to a scale for each axis. Axes without a scale are given dimensions as
h5netcdf does (`phony_dims="sort"`): a dimension of their group that is as long, else a phony one;
two axes of one variable never share one. Phony dimensions are numbered by group, outer ones first,
and within a group by length, so that no two dimensions of a tree collide. netCDF-C numbers them by
axis, inner groups first: it calls them the same in a file of one group unless lengths repeat.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from virtualizarr.model import ManifestArray
from virtualizarr.parsers.hdf5.convert.attributes import is_scale
from virtualizarr.parsers.hdf5.convert.text import node_name
from virtualizarr.parsers.hdf5.layout import Attribute, Dataset, DataspaceType

NON_COORDINATE_PREFIX = "_nc4_non_coord_"
"""netCDF-4 puts it before a variable that has a dimension's name but is not its coordinate."""

PHONY = "phony_dim_"

NOT_A_VARIABLE = "This is a netCDF dimension but not a netCDF variable"


def is_only_dimension(dataset: Dataset) -> bool:
    """Say whether a dataset stands for a dimension without being a variable."""
    name = dataset.attributes.get("NAME")
    return (
        name is not None
        and isinstance(name.value, str)
        and name.value.startswith(NOT_A_VARIABLE)
        and is_scale(dataset.attributes)
    )


@dataclass(frozen=True, slots=True)
class Scale:
    """A dimension: its name, its current length, whether it may grow."""

    name: str
    size: int
    unlimited: bool


@dataclass(slots=True)
class Dimensions:
    """All dimensions of a file: scales by the address of their object header, and by netCDF id.

    `attached` holds the addresses of the scales of each dataset's axes, by the dataset's address;
    `names` the paths of objects.
    `next_phony` is the number of the next phony dimension, and `local` holds what axes without a
    scale may use, by the path of their group: the scales of the group, then its phony dimensions.
    """

    scales: dict[int, Scale]
    ids: dict[int, int]
    attached: dict[int, list[int]]
    names: dict[int, str]
    next_phony: int = 0
    local: dict[str, list[Scale]] = field(default_factory=dict)

    @classmethod
    def of(cls, datasets: Iterable[Dataset], names: Mapping[int, str]) -> Dimensions:
        """Gather the scales; `names` gives the paths of objects by address, read or not.

        An unlimited dimension is as long as the longest axis that uses it.
        """
        dimensions = cls({}, {}, {}, {})
        dimensions.add(datasets, names)
        return dimensions

    def add(self, datasets: Iterable[Dataset], names: Mapping[int, str]) -> None:
        """Gather more scales, before any dimension is numbered."""
        datasets = list(datasets)
        self.names.update(names)
        for dataset in datasets:
            if dataset.dataspace.type is DataspaceType.SIMPLE and is_scale(dataset.attributes):
                space = dataset.dataspace
                name = node_name(names[dataset.address].rpartition("/")[2])
                unlimited = space.max_shape[0] is None
                self.scales[dataset.address] = Scale(name, space.shape[0], unlimited)
                number = _integers(dataset.attributes.get("_Netcdf4Dimid"))
                if len(number) == 1:
                    self.ids.setdefault(number[0], dataset.address)
            if "DIMENSION_LIST" in dataset.attributes:
                self.attached[dataset.address] = scale_addresses(dataset)
        if self.any_unlimited:
            self.lengthen_by(datasets)

    @property
    def any_unlimited(self) -> bool:
        """Whether an axis may have to be lengthened."""
        return any(scale.unlimited for scale in self.scales.values())

    def users(self, datasets: Iterable[Dataset]) -> dict[int, list[tuple[int, int]]]:
        """Return who uses the unlimited scales among `datasets`, by REFERENCE_LIST.

        That is the addresses of datasets outside of what was gathered, and for each the addresses
        of scales with the axes that they name.
        """
        found: dict[int, list[tuple[int, int]]] = {}
        for dataset in datasets:
            scale = self.scales.get(dataset.address)
            if scale is not None and scale.unlimited:
                for user, axis in _references(dataset.attributes.get("REFERENCE_LIST")):
                    found.setdefault(user, []).append((dataset.address, axis))
        return found

    def lengthen(self, address: int, size: int) -> None:
        """Note that an axis of `size` elements uses the unlimited scale at `address`."""
        scale = self.scales[address]
        if size > scale.size:
            self.scales[address] = Scale(scale.name, size, True)

    def lengthen_by(self, datasets: Iterable[Dataset]) -> None:
        """Make unlimited dimensions as long as the axes of `datasets` that use them."""
        for dataset in datasets:
            for address, size in zip(self.axes_of(dataset), dataset.dataspace.shape, strict=True):
                scale = self.scales.get(address)
                if scale is not None and scale.unlimited:
                    self.lengthen(address, size)

    def names_all(self, dataset: Dataset) -> bool:
        """Say whether every axis of a dataset has a scale."""
        return None not in self.scales_of(dataset)

    def axes_of(self, dataset: Dataset) -> list[int]:
        """Return the address of the scale of each axis, as the dataset names them; 0 for none."""
        rank = len(dataset.dataspace.shape)
        if dataset.address not in self.scales:
            addresses = self.attached.get(dataset.address)
            return [0] * rank if addresses is None else addresses
        coordinates = _integers(dataset.attributes.get("_Netcdf4Coordinates"))
        if rank > 1 and len(coordinates) == rank and all(each in self.ids for each in coordinates):
            return [self.ids[each] for each in coordinates]
        return [dataset.address, *[0] * (rank - 1)]

    def scales_of(self, dataset: Dataset) -> list[Scale | None]:
        """Return the named dimension of each axis; None where it has none."""
        return [*map(self.scales.get, self.axes_of(dataset))]

    def number(self, group: str, links: Iterable[tuple[str, Dataset]]) -> None:
        """Name the phony dimensions that the axes of a group's datasets, given by name, need.

        Of each length as many as one dataset has axes of it that name no scale, less the scales of
        the group that are as long and do not grow. Scales count in the numbering, once a name.
        """
        if group in self.local:
            return
        needed: Counter[int] = Counter()
        known = self.local[group] = []
        for name, dataset in links:
            scale = self.scales.get(dataset.address)
            if scale is not None:
                known.append(Scale(node_name(name), scale.size, scale.unlimited))
            axes = zip(dataset.dataspace.shape, self.axes_of(dataset), strict=True)
            needed |= Counter([size for size, at in axes if at == 0])
        self.next_phony += len(known)
        fixed = Counter(scale.size for scale in known if not scale.unlimited)
        for size, count in needed.items():
            known += [self._next(size) for _ in range(count - fixed[size])]

    def _next(self, size: int) -> Scale:
        scale = Scale(f"{PHONY}{self.next_phony}", size, False)
        self.next_phony += 1
        return scale

    def complete(
        self, group: str, shape: Sequence[int], named: Sequence[Scale | None]
    ) -> tuple[str, ...]:
        """Return a name for every axis of a variable of `group`, a found one where none was given.

        Axes that `number` did not see, those of array datatypes, get dimensions of their own.
        """
        known = self.local.setdefault(group, [])
        used = {scale.name for scale in named if scale is not None}
        names: list[str] = []
        for size, scale in zip(shape, named, strict=True):
            if scale is None:
                fitting = (each for each in known if each.size == size and each.name not in used)
                scale = next(fitting, None)
                if scale is None:
                    scale = self._next(size)
                    known.append(scale)
                used.add(scale.name)
            names.append(scale.name)
        return tuple(names)

    def adopted(self, group: str, array: ManifestArray) -> ManifestArray:
        """Return an array of another file, or of a part not read, as one of `group`'s.

        Its phony dimensions were numbered elsewhere: here they get names as if they had none.
        """
        metadata = array.metadata
        names = metadata.dimension_names
        if names is None:
            return array
        scales = [
            None if name is None or name.startswith(PHONY) else Scale(name, size, False)
            for name, size in zip(names, metadata.shape, strict=True)
        ]
        if None not in scales:
            return array
        renamed = metadata.replace(dimension_names=self.complete(group, metadata.shape, scales))
        return ManifestArray(renamed, array.manifest)


def scale_addresses(dataset: Dataset) -> list[int]:
    """Return for each axis the address of the scale that DIMENSION_LIST names last; 0 for none."""
    rank = len(dataset.dataspace.shape)
    found = dataset.attributes.get("DIMENSION_LIST")
    value = None if found is None else found.value
    if rank == 0 or not isinstance(value, np.ndarray) or value.shape[:1] != (rank,):
        return [0] * rank
    return [_last(references) for references in value]


def _last(references: Any) -> int:
    if not isinstance(references, np.ndarray) or references.dtype.kind != "u":
        return 0
    return int(references.flat[-1]) if references.size else 0


def _integers(attribute: Attribute | None) -> list[int]:
    if attribute is None or not isinstance(attribute.value, np.ndarray | np.integer):
        return []
    values = np.asarray(attribute.value).reshape(-1)
    return [int(value) for value in values] if values.dtype.kind in "iu" else []


def _references(attribute: Attribute | None) -> list[tuple[int, int]]:
    """Return the datasets and axes that a scale is attached to."""
    value = None if attribute is None else attribute.value
    if not isinstance(value, np.ndarray) or value.dtype.names != ("dataset", "dimension"):
        return []
    rows = value.reshape(-1)
    return [
        (int(at), int(axis)) for at, axis in zip(rows["dataset"], rows["dimension"], strict=True)
    ]
