"""Whatever arrays zarr's own strategies think of, read through our parser and store.

The witness is zarr, reading the store that it wrote.
"""

from __future__ import annotations

import re
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from zarr.storage import LocalStore
from zarr.testing import strategies

import virtualizarr
from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError


@st.composite
def written(draw: st.DrawFn, folder: Path) -> Any:
    """An array of either Zarr format in a directory: sharded, rectilinear or regular."""
    place = Path(tempfile.mkdtemp(dir=folder))
    return draw(strategies.arrays(stores=st.just(LocalStore(place))))


@settings(
    deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_values_and_attributes_are_those_that_zarr_reads(tmp_path: Path, data: Any) -> None:
    with warnings.catch_warnings(), zarr.config.set({"array.rectilinear_chunks": True}):
        warnings.simplefilter("ignore")
        array = data.draw(written(tmp_path))
        try:
            store = virtualizarr.open_store(array.store.root)
        except UnsupportedFeatureError:
            return
        except CorruptFileError as error:
            # Text that UTF-8 cannot hold, and chunks behind the one that reaches past the end.
            assert re.search("surrogate|do not fit an axis", str(error))  # noqa: PT017
            return
        found = zarr.open_group(store, mode="r")[array.path]
        attributes = found.attrs.asdict()
        if array.metadata.zarr_format == 2:
            # What is a fill value in Zarr v2 is a mask to xarray, and no longer in Zarr v3.
            attributes.pop("_FillValue", None)
        assert attributes == array.attrs.asdict()
        assert found.shape == array.shape
        mine, theirs = np.asarray(found[...]), np.asarray(array[...])
        assert mine.dtype.newbyteorder("=") == theirs.dtype.newbyteorder("=")
        np.testing.assert_array_equal(mine, theirs)
