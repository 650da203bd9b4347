"""Data in several parts as chunks: every byte is where it was, whatever the borders."""

from __future__ import annotations

from itertools import pairwise
from math import prod

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from materialize import reader_of, values_of
from virtualizarr.errors import UnsupportedFeatureError
from virtualizarr.model import INLINE, ArrayMetadata, Location, ManifestArray
from virtualizarr.parsers.hdf4.layout import Extents
from virtualizarr.parsers.hdf4.placing import MAX_INLINE, place_parts, place_whole
from virtualizarr.source.memory import BytesSource
from virtualizarr.source.reading import run

URL = "memory://parts"


def scattered(stored: bytes, sizes: list[int]) -> tuple[bytes, Extents]:
    """Return a file that holds `stored` in parts of `sizes`, the last one first."""
    cuts = np.cumsum([0, *sizes])
    parts = [stored[a:b] for a, b in pairwise(cuts)]
    content, offsets = b"head", []
    for part in reversed(parts):
        offsets.append(len(content))
        content += part + b"--"
    return content, Extents(np.array(offsets[::-1], np.int64), np.array(sizes, np.int64))


def placed(content: bytes, parts: Extents, shape: tuple[int, ...]) -> ManifestArray:
    source = BytesSource(content, URL)
    found = run(place_parts(Location(URL), parts, shape, 4, b"\xff\xff\xff\xfe"), source)
    metadata = ArrayMetadata.create(
        shape=shape, dtype=np.dtype(">i4"), chunk_shape=found.chunk_shape, fill_value=-2
    )
    return ManifestArray(metadata, found.manifest)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_parts(data: st.DataObject) -> None:
    shape = tuple(data.draw(st.lists(st.integers(1, 7), min_size=1, max_size=3)))
    values = np.arange(prod(shape), dtype=">i4").reshape(shape)
    count = data.draw(st.integers(1, prod(shape)))
    stored = values.tobytes()[: 4 * count]
    cuts = sorted(data.draw(st.sets(st.integers(1, max(len(stored) - 1, 1)), max_size=4)))
    sizes = np.diff([0, *(cut for cut in cuts if cut < len(stored)), len(stored)]).tolist()
    content, parts = scattered(stored, sizes)
    array = placed(content, parts, shape)
    expected = np.where(np.arange(prod(shape)) < count, values.ravel(), -2).reshape(shape)
    np.testing.assert_array_equal(values_of(array, reader_of({URL: content})), expected)


def test_only_chunks_across_borders_are_inline() -> None:
    values = np.arange(100 * 25, dtype=">i4").reshape(100, 25)
    content, parts = scattered(values.tobytes(), [4096, 4096, 1808])
    array = placed(content, parts, values.shape)
    assert np.count_nonzero(array.manifest.location == INLINE) == 2
    assert array.manifest.nrefs == 100


def test_too_much_to_keep_inline_is_refused() -> None:
    row = MAX_INLINE // 8
    parts = Extents(np.arange(31) * (row + 8), np.full(31, row))
    shape = (31, row // 8, 2)
    assert placed(b"", parts, shape).manifest.nrefs == 31
    uneven = Extents(parts.offset, row + np.where(np.arange(31) % 2, 1, -1))
    with pytest.raises(UnsupportedFeatureError, match="31 parts"):
        placed(b"", uneven, shape)


def test_whole_data_are_split_evenly() -> None:
    found = place_whole(Location(URL), 16, (12, 100, 10), 4, 20_000)
    assert found.chunk_shape == (4, 100, 10)
    assert found.manifest.offset.ravel().tolist() == [16, 16016, 32016]
