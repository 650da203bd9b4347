"""HDF5 filter pipelines as one chain of codecs for chunks that may each have skipped some filters.

HDF5 keeps a filter mask for each chunk: bit `i` says that filter `i` of the pipeline was skipped
when the chunk was written.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from virtualizarr.codecs.hdf5_filters import HDF5Filter, codecs_by_filter
from virtualizarr.codecs.names import CodecJSON
from virtualizarr.codecs.optional import NAME as OPTIONAL_FILTERS
from virtualizarr.errors import UnsupportedFeatureError


@dataclass(frozen=True, slots=True, eq=False)
class Pipeline:
    """The codecs of each filter, in the order of writing; none for one that changes nothing."""

    by_filter: tuple[tuple[CodecJSON, ...], ...]
    whole: tuple[CodecJSON, ...]

    @classmethod
    def of(cls, filters: Sequence[HDF5Filter], element_size: int) -> Self:
        """Return the codecs of `filters`; UnsupportedFeatureError names a filter without one."""
        by_filter = codecs_by_filter(filters, element_size)
        return cls(by_filter, tuple(codec for codecs in by_filter for codec in codecs))

    def applied(self, mask: int) -> tuple[CodecJSON, ...]:
        """Return the codecs of a chunk with this filter mask."""
        return tuple(self.whole[at] for at in self.positions(mask))

    def positions(self, mask: int) -> list[int]:
        """Return which of `whole` a chunk with this filter mask was written with."""
        owners = [at for at, codecs in enumerate(self.by_filter) for _ in codecs]
        return [position for position, at in enumerate(owners) if not mask >> at & 1]

    def meaningful(self) -> int:
        """Return the bits of a filter mask that stand for a filter that changes something."""
        return sum(1 << at for at, codecs in enumerate(self.by_filter) if codecs)

    def codecs_for(
        self, masks: npt.NDArray[np.uint32], lengths: npt.NDArray[np.integer[Any]]
    ) -> tuple[CodecJSON, ...]:
        """Return the bytes-to-bytes codecs, in encoding order, that read all of these chunks.

        `masks` and `lengths` are the filter mask and the stored bytes of each chunk. Where chunks
        differ in the filters they skipped, the length must tell which; raises
        UnsupportedFeatureError if two chunks of one length differ.
        """
        if not self.whole or not len(masks):
            return self.whole
        skipped = masks & np.uint32(self.meaningful())
        if bool((skipped == skipped[0]).all()):
            return self.applied(int(skipped[0]))
        known, first = np.unique(lengths, return_index=True)
        rows = np.searchsorted(known, lengths)
        if bool((skipped[first][rows] != skipped).any()):
            raise UnsupportedFeatureError(
                "chunks of one stored length that skipped different filters cannot be told apart"
            )
        by_length = [
            [int(length), list(self.positions(int(mask)))]
            for length, mask in zip(known, skipped[first], strict=True)
            if mask
        ]
        configuration = {"codecs": list(self.whole), "by_length": by_length}
        return ({"name": OPTIONAL_FILTERS, "configuration": configuration},)
