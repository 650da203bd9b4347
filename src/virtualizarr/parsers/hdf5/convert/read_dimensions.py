"""The dimensions of a file, or of one group: what they depend on outside of it is read."""

from __future__ import annotations

from virtualizarr.parsers.hdf5.convert.context import OpenFile
from virtualizarr.parsers.hdf5.convert.dimensions import Dimensions, scale_addresses
from virtualizarr.parsers.hdf5.convert.numbering import NAMING, number_phony
from virtualizarr.parsers.hdf5.convert.opening import names_of
from virtualizarr.parsers.hdf5.layout import Dataset
from virtualizarr.parsers.hdf5.read import walk
from virtualizarr.parsers.hdf5.read_survey import read_at, survey
from virtualizarr.source.reading import Reading, together


def read_dimensions(file: OpenFile) -> Reading[Dimensions]:
    """Return the dimensions of all datasets of a hierarchy, as they are in the whole file.

    For a group read alone that takes the scales above it, the headers of all that use its unlimited
    dimensions and, if some axis has no scale, the headers of what comes before it.
    """
    datasets = [each for each in file.hierarchy.objects.values() if isinstance(each, Dataset)]
    datasets += yield from _read_scales_above(file, datasets)
    dimensions = Dimensions.of(datasets, file.paths)
    hierarchy = file.hierarchy
    first = hierarchy.root
    if hierarchy.ancestors and file.is_first and not all(map(dimensions.names_all, datasets)):
        hierarchy = yield from survey(file.superblock, hierarchy, NAMING)
        known = {each.address for each in datasets}
        more = [each for each in hierarchy.objects.values() if isinstance(each, Dataset)]
        more = [each for each in more if each.address not in known]
        dimensions.add(more, names_of(hierarchy))
        dimensions.lengthen_by(datasets)
        used = {at for each in datasets for at in dimensions.axes_of(each)}
        datasets += [each for each in more if each.address in used]
        first = hierarchy.ancestors[0]
    yield from _lengthen_by_others(file, dimensions, datasets)
    number_phony(dimensions, hierarchy, first)
    return dimensions


def _lengthen_by_others(
    file: OpenFile, dimensions: Dimensions, datasets: list[Dataset]
) -> Reading[None]:
    """Make unlimited dimensions as long as axes that use them outside of a group read alone."""
    if not file.hierarchy.ancestors:
        return
    known = {each.address for each in datasets}
    users = {at: uses for at, uses in dimensions.users(datasets).items() if at not in known}
    if not users:
        return
    found = yield from read_at(file.superblock, users, ())
    for address, uses in users.items():
        user = found[address]
        for scale, axis in uses:
            if isinstance(user, Dataset) and 0 <= axis < len(user.dataspace.shape):
                dimensions.lengthen(scale, user.dataspace.shape[axis])


def _read_scales_above(file: OpenFile, datasets: list[Dataset]) -> Reading[list[Dataset]]:
    """Return the dimension scales that `datasets` use but that lie in groups above the root."""
    if not file.hierarchy.ancestors:
        return []
    used = {at for each in datasets for at in scale_addresses(each)}
    above = [
        file.paths[at] for at in used - {each.address for each in datasets} if at in file.paths
    ]
    found = yield from together([walk(file.superblock, path) for path in sorted(above)])
    return [each.root for each in found if isinstance(each.root, Dataset)]
