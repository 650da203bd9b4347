"""Every packing that ecCodes can write, decoded; and chunks that are broken."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

import grib_oracle
from virtualizarr.codecs.base import octets
from virtualizarr.codecs.grib import Grib, GribCodec, GribNumcodec
from virtualizarr.codecs.grib.bits import gather, padded, unpack
from virtualizarr.codecs.grib_coordinates import GribCoordinates
from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError
from virtualizarr.parsers.grib import GRIBParser
from virtualizarr.parsers.grib.scan import read_inventory
from virtualizarr.source.memory import BytesSource
from virtualizarr.source.reading import run

pytestmark = pytest.mark.skipif(not grib_oracle.AVAILABLE, reason="ecCodes is not here")

COLUMNS, ROWS = 17, 11


def message(edition: int, values: np.ndarray[Any, Any], **keys: Any) -> bytes:
    """Return a message of ecCodes with `values` on a regular grid; NaN becomes missing."""
    packing = keys.pop("packingType", None)
    sizes = {"Ni": COLUMNS, "Nj": ROWS, **keys}
    last = {"packingType": packing} if packing is not None else {}
    return grib_oracle.message(f"regular_ll_sfc_grib{edition}", values, {**sizes, **last})


def witness(data: bytes) -> np.ndarray[Any, Any]:
    """Return the values of a message as ecCodes decodes them."""
    return grib_oracle.values_of(data)


def chunk_of(data: bytes) -> np.ndarray[Any, Any]:
    """Return the bytes that a manifest refers to for the first field of `data`."""
    field = run(read_inventory(), BytesSource(data)).fields[0]
    return octets(data[field.offset : field.offset + field.length])


def same(data: bytes) -> bool:
    expected = witness(data)
    found = Grib("float64").decode(chunk_of(data), expected.size * 8).view(np.float64)
    spread = np.nanmax(np.abs(expected), initial=1e-30)
    return bool(np.allclose(found, expected, rtol=0, atol=1e-12 * spread, equal_nan=True))


def smooth(rough: float = 0.0) -> np.ndarray[Any, Any]:
    random = np.random.default_rng(1)
    y, x = np.mgrid[:ROWS, :COLUMNS]
    return (280 + 20 * np.sin(x / 5) * np.cos(y / 4) + rough * random.random(x.shape)).ravel()


def holes(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    found = values.copy()
    found[3::7] = np.nan
    return found


PACKINGS = (
    (1, "grid_simple"),
    *((2, packing) for packing in ("grid_simple", "grid_ieee", "grid_ccsds", "grid_jpeg")),
    *((2, packing) for packing in ("grid_png", "grid_complex")),
    *((2, packing) for packing in ("grid_complex_spatial_differencing",)),
)


@pytest.mark.parametrize("precision", [1, 2])
@pytest.mark.parametrize("make", [smooth, lambda: holes(smooth(1.0))])
def test_ieee_values_of_edition_1_equal_eccodes(precision: int, make: Any) -> None:
    sizes = {"Ni": COLUMNS, "Nj": ROWS, "packingType": "grid_ieee"}
    data = grib_oracle.message("regular_ll_sfc_grib1", make(), sizes, {"precision": precision})
    size = run(read_inventory(), BytesSource(data)).fields[0].length
    assert size < ROWS * COLUMNS * 4 * precision + 200
    assert same(data)
    group = run(GRIBParser(tree=False).parse("memory://a.grib"), BytesSource(data))
    assert (ROWS, COLUMNS) in [array.shape[-2:] for array in group.arrays.values()]


@pytest.mark.parametrize("bits", [1, 3, 8, 12, 16, 20, 24])
@pytest.mark.parametrize("make", [smooth, lambda: smooth(5.0), lambda: holes(smooth(1.0))])
@pytest.mark.parametrize("edition,packing", PACKINGS)
def test_packings_equal_eccodes(edition: int, packing: str, bits: int, make: Any) -> None:
    try:
        data = message(edition, make(), packingType=packing, bitsPerValue=bits)
    except grib_oracle.EccodesError as error:
        pytest.skip(f"ecCodes does not write this: {error}")
    assert same(data)


@pytest.mark.parametrize("edition", [1, 2])
@pytest.mark.parametrize("value", [0.0, 273.15, -1e-7])
def test_constant_fields_equal_eccodes(edition: int, value: float) -> None:
    assert same(message(edition, np.full(COLUMNS * ROWS, value)))
    assert same(message(edition, np.full(COLUMNS * ROWS, value), decimalPrecision=2))


def test_logarithmic_packing() -> None:
    chunk = chunk_of(message(2, smooth() / 280, bitsPerValue=12))
    plain = Grib("float64").decode(chunk, COLUMNS * ROWS * 8).view(np.float64)
    head = bytearray(chunk[:20].tobytes())
    head[3], head[10] = 24, 61
    whole = octets(bytes(head) + np.array(0.5, ">f4").tobytes() + chunk[21:].tobytes())
    found = Grib("float64").decode(whole, COLUMNS * ROWS * 8).view(np.float64)
    assert np.allclose(found, np.exp(plain) - 0.5)


def test_run_lengths() -> None:
    levels = np.array([10, 25, 70], ">u2").tobytes()
    head = np.array([12], ">u4").tobytes() + b"\x00\xc8" + bytes([4, 0, 3, 0, 3, 1]) + levels
    section_5 = (5 + len(head)).to_bytes(4, "big") + b"\x05" + head
    # levels 0 to 3; digits 4 to 15 of base 12: 2 x level 1, 3 missing, 6 x level 3, 1 x level 2
    numbers = [1, 4 + 1, 0, 4 + 2, 3, 4 + 5, 2]
    data = bytes.fromhex("".join(f"{n:x}" for n in numbers) + "0")[: -(-len(numbers) // 2)]
    section_6 = bytes([0, 0, 0, 6, 6, 255])
    section_7 = (5 + len(data)).to_bytes(4, "big") + b"\x07" + data
    found = Grib().decode(octets(section_5 + section_6 + section_7), 48).view(np.float32)
    expected = [1.0] * 2 + [np.nan] * 3 + [7.0] * 6 + [2.5]
    assert np.allclose(found, expected, equal_nan=True)


@pytest.mark.parametrize("packing", ["simple", "jpeg", "png", "ccsds", "complex"])
def test_a_field_that_is_all_missing(packing: str) -> None:
    nothing = np.full(COLUMNS * ROWS, np.nan)
    data = grib_oracle.message(
        "regular_ll_sfc_grib2",
        nothing,
        {"Ni": COLUMNS, "Nj": ROWS},
        {"packingType": f"grid_{packing}", "bitsPerValue": 8},
    )
    assert np.isnan(witness(data)).all()
    assert np.isnan(Grib().decode(chunk_of(data), COLUMNS * ROWS * 4).view(np.float32)).all()


@pytest.mark.parametrize("width", range(1, 58))
def test_numbers_of_any_width(width: int) -> None:
    random = np.random.default_rng(width)
    numbers = [int(n) for n in random.integers(0, 1 << width, 101, np.uint64, endpoint=False)]
    bits = "".join(f"{n:0{width}b}" for n in numbers)
    size = -(-len(bits) // 8)
    data = octets(int(bits.ljust(size * 8, "0"), 2).to_bytes(size, "big"))
    assert unpack(data, width, 101).tolist() == numbers
    starts = np.arange(101, dtype=np.int64) * width
    assert gather(padded(data), starts, width).tolist() == numbers


def test_alternating_rows_are_turned_round() -> None:
    data = message(2, smooth())
    straight = Grib("float64").decode(chunk_of(data), COLUMNS * ROWS * 8).view(np.float64)
    turned = Grib("float64", row=COLUMNS).decode(chunk_of(data), COLUMNS * ROWS * 8)
    expected = straight.reshape(ROWS, COLUMNS).copy()
    expected[1::2] = expected[1::2, ::-1]
    assert np.array_equal(turned.view(np.float64).reshape(ROWS, COLUMNS), expected)


def test_both_zarr_formats_know_the_codec() -> None:
    codec = GribCodec.from_dict(
        {"name": "virtualizarr.grib", "configuration": {"dtype": "float32", "row": 0}}
    )
    assert codec.to_dict()["configuration"] == {"dtype": "float32", "row": 0}
    data = message(2, smooth())
    twin = GribNumcodec(nbytes=COLUMNS * ROWS * 4, dtype="float32")
    assert np.allclose(twin.decode(chunk_of(data)).view(np.float32), witness(data), rtol=1e-6)


@pytest.mark.parametrize("edition,packing", PACKINGS)
def test_cut_and_damaged_chunks_give_errors_of_our_tree(edition: int, packing: str) -> None:
    try:
        chunk = chunk_of(message(edition, holes(smooth(2.0)), packingType=packing))
    except grib_oracle.EccodesError as error:
        pytest.skip(f"ecCodes does not write this: {error}")
    random = np.random.default_rng(0)
    damaged = [chunk[:cut] for cut in range(0, chunk.size, 3)]
    for _ in range(300):
        copy = chunk.copy()
        copy[random.integers(0, chunk.size, 2)] = random.integers(0, 256, 2)
        damaged.append(copy)
    for each in damaged:
        try:
            decoded = Grib().decode(each, COLUMNS * ROWS * 4)
        except (CorruptFileError, UnsupportedFeatureError):
            continue
        assert decoded.size == COLUMNS * ROWS * 4


def test_coordinates_refuse_what_does_not_fit() -> None:
    document = {"kind": "lambert", "points": 10**12, "x": [0, 1, 10**6], "y": [0, 1, 10**6]}
    axes = {"x": [0, 0.1, 10], "y": [0, 0.1, 10]}
    sizes = {"earthMajorAxis": 0.0, "earthMinorAxis": 0.0, "NrInRadiusOfEarthScaled": 6.6}
    flat = {"kind": "space_view", "points": 100, **axes, "parameters": sizes}
    for data in (b"", b"[]", b"{}", json.dumps(document).encode(), json.dumps(flat).encode()):
        with pytest.raises((CorruptFileError, UnsupportedFeatureError)):
            GribCoordinates("latitude").decode(octets(data), 800)
