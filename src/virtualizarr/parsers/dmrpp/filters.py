"""`compressionType`: names of HDF5 filters, in the order in which they were applied."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

import numpy as np
import numpy.typing as npt

from virtualizarr.codecs.hdf5_filters import FILTER_NAMES, HDF5Filter
from virtualizarr.codecs.hdf5_pipeline import Pipeline
from virtualizarr.codecs.inflate import Inflate
from virtualizarr.codecs.names import CodecJSON
from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError

NUMBERS = {name.lower(): number for number, name in FILTER_NAMES.items()} | {"gzip": 1, "zlib": 1}
DEFLATE = 1
ZLIB = "numcodecs.zlib"


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


def codecs_for(
    pipeline: Pipeline,
    masks: npt.NDArray[np.uint32] | None,
    lengths: npt.NDArray[np.integer[Any]],
) -> tuple[CodecJSON, ...]:
    """Return the bytes-to-bytes codecs, in encoding order, that read all of these chunks.

    `masks` are their filter masks, None where the document holds none: then a deflate that follows
    another may have been skipped. Raises UnsupportedFeatureError as `Pipeline.codecs_for`.
    """
    if masks is not None:
        return pipeline.codecs_for(masks, lengths)
    codecs: list[CodecJSON] = []
    for name, run in groupby(pipeline.whole, key=lambda codec: codec["name"]):
        alike = list(run)
        if name == ZLIB and len(alike) > 1:
            inflate = Inflate(len(alike))
            alike = [{"name": inflate.name, "configuration": inflate.configuration()}]
        codecs += alike
    return tuple(codecs)
