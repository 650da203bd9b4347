"""`compressionType`: names of HDF5 filters, in the order in which they were applied."""

from __future__ import annotations

from collections.abc import Sequence

from virtualizarr.codecs.hdf5_filters import FILTER_NAMES, HDF5Filter
from virtualizarr.codecs.hdf5_pipeline import Pipeline
from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError

NUMBERS = {name.lower(): number for number, name in FILTER_NAMES.items()} | {"gzip": 1, "zlib": 1}
DEFLATE = 1


def pipeline_of(names: Sequence[str], deflate_levels: Sequence[int], element_size: int) -> Pipeline:
    """Return the codecs of filters by their names; elements are stored in `element_size` bytes.

    The document tells no parameters but the levels of deflate, in the order of its occurrences.
    Raises UnsupportedFeatureError naming a filter that is not known, or that needs others.
    """
    levels = iter(deflate_levels)
    filters: list[HDF5Filter] = []
    for name in names:
        number = NUMBERS.get(name.lower())
        if number is None:
            raise UnsupportedFeatureError(f"filter {name[:40]!r} is not known")
        level = next(levels, None) if number == DEFLATE else None
        filters.append((number, 0, name, () if level is None else (level,)))
    try:
        return Pipeline.of(filters, element_size)
    except CorruptFileError as error:
        raise UnsupportedFeatureError(
            f"the document does not tell the parameters of a filter ({error.reason})"
        ) from error
