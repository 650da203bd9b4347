"""Virtual datasets (III.E): chunks of other datasets, where the mapping keeps them whole."""

from __future__ import annotations

from virtualizarr.errors import UnsupportedFeatureError
from virtualizarr.model import ManifestArray
from virtualizarr.parsers.hdf5.convert.context import OpenFile
from virtualizarr.parsers.hdf5.convert.elements import Element
from virtualizarr.parsers.hdf5.layout import Dataset, VirtualLayout
from virtualizarr.source.reading import Reading


def read_virtual(
    file: OpenFile, dataset: Dataset, element: Element, layout: VirtualLayout
) -> Reading[ManifestArray]:
    raise UnsupportedFeatureError("virtual datasets")
    yield []
