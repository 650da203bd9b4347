"""New prefixes for locations: whole directories and buckets, and nothing by accident."""

from __future__ import annotations

import numpy as np
import pytest

from virtualizarr.errors import SourceNotFoundError
from virtualizarr.examine.renaming import renamed_prefixes
from virtualizarr.model import (
    INLINE,
    MISSING,
    ArrayMetadata,
    ChunkManifest,
    Location,
    ManifestArray,
    ManifestGroup,
)

URLS = ("s3://old/a/1.nc", "s3://old-but-other/a/1.nc", "s3://old/deep/2.nc", "file:///d/x%20y.nc")


def tree() -> ManifestGroup:
    metadata = ArrayMetadata.create(shape=(6,), dtype=np.dtype("u1"), chunk_shape=(1,))
    manifest = ChunkManifest.from_columns(
        tuple(map(Location, URLS)),
        np.array([0, 1, 2, 3, MISSING, INLINE], np.uint32),
        np.array([1, 2, 3, 4, 0, 0], np.uint64),
        np.array([1, 1, 1, 1, 0, 1], np.uint32),
        b"!",
    )
    return ManifestGroup(groups={"g": ManifestGroup({"v": ManifestArray(metadata, manifest)})})


def locations(group: ManifestGroup) -> list[str]:
    return [location.url for location in group.locations]


@pytest.mark.parametrize("old", ["s3://old", "s3://old/"])
def test_a_bucket(old: str) -> None:
    found = renamed_prefixes(tree(), {old: "gs://new/below"})
    assert locations(found) == [
        "gs://new/below/a/1.nc",
        URLS[1],
        "gs://new/below/deep/2.nc",
        URLS[3],
    ]
    before, after = (group.groups["g"].arrays["v"].manifest for group in (tree(), found))
    assert (after.location == before.location).all()
    assert after.inline == b"!"


def test_the_longest_prefix_and_a_whole_file() -> None:
    found = renamed_prefixes(
        tree(), {"s3://old": "s3://a", "s3://old/deep": "s3://b", "/d/x y.nc": "/e/z.nc"}
    )
    assert locations(found) == ["s3://a/a/1.nc", URLS[1], "s3://b/2.nc", "file:///e/z.nc"]


@pytest.mark.parametrize("old", ["s3://ol", "s3://old/a/1", "/d/x"])
def test_a_prefix_of_nothing(old: str) -> None:
    with pytest.raises(SourceNotFoundError, match="no location begins with"):
        renamed_prefixes(tree(), {old: "s3://new"})
