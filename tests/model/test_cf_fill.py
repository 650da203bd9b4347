"""`_FillValue` in Zarr v3 documents: xarray's own coder is the witness."""

from __future__ import annotations

import json

import numpy as np
import pytest
from xarray.backends.zarr import FillValueCoder

from virtualizarr.model.cf_fill import decode_cf_fill, encode_cf_fill
from virtualizarr.model.json import to_json

CASES = [
    ("f4", np.float32(-9.25)),
    ("f4", np.float32("nan")),
    ("f8", np.float64(9.96921e36)),
    ("f2", np.inf),
    ("i2", np.int16(-999)),
    ("i2", np.array([-999.0])),
    ("u8", 2**63),
    ("c8", np.complex64(1 + 2j)),
    ("S3", np.bytes_(b"ab")),
    ("bool", True),
]


@pytest.mark.parametrize("code,value", CASES)
def test_xarray_reads_what_is_encoded(code, value):
    dtype = np.dtype(code)
    encoded = json.loads(json.dumps(to_json(encode_cf_fill({"_FillValue": value, "a": 1}, dtype))))
    assert encoded["a"] == 1
    wanted = np.asarray(value).reshape(-1)[:1].astype(dtype)
    if dtype.kind not in "S":
        found = FillValueCoder.decode(encoded["_FillValue"], dtype)
        assert np.asarray(found).astype(dtype).tobytes() == wanted.tobytes()
    decoded = np.asarray(decode_cf_fill(encoded, dtype)["_FillValue"])
    assert decoded.astype(dtype).tobytes() == wanted.tobytes()


@pytest.mark.parametrize("value", [np.nan, 1.5, 1e20, -1, "text"])
def test_a_mask_that_no_integer_equals_is_left_out(value):
    assert encode_cf_fill({"_FillValue": value}, np.dtype("u1")) == {}


def test_plain_forms_are_understood():
    assert np.isnan(decode_cf_fill({"_FillValue": "NaN"}, np.dtype("f4"))["_FillValue"])
    assert decode_cf_fill({"_FillValue": -9}, np.dtype("f4")) == {"_FillValue": -9}
    assert decode_cf_fill({"_FillValue": "what"}, np.dtype("f4")) == {"_FillValue": "what"}
    assert decode_cf_fill({"a": 1}, np.dtype("f4")) == {"a": 1}
