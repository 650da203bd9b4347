"""Second-order packing and coefficients of spherical harmonics, against ecCodes.

The forms that ecCodes reads but does not write are written here, from the Manual on Codes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import grib_oracle
import virtualizarr
from virtualizarr.codecs.base import octets
from virtualizarr.codecs.grib import Grib
from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError
from virtualizarr.model import ManifestArray
from virtualizarr.parsers.grib import GRIBParser
from virtualizarr.parsers.grib.scan import read_inventory
from virtualizarr.source.memory import BytesSource
from virtualizarr.source.reading import run
from virtualizarr.testing import read_values

pytestmark = pytest.mark.skipif(not grib_oracle.AVAILABLE, reason="ecCodes is not here")

COLUMNS, ROWS = 17, 11
type Array = np.ndarray[Any, Any]


def field(holes: bool = False, rough: float = 1.0) -> Array:
    random = np.random.default_rng(1)
    y, x = np.mgrid[:ROWS, :COLUMNS]
    values = 280 + 20 * np.sin(x / 5) * np.cos(y / 4) + rough * random.random(x.shape)
    if holes:
        values.ravel()[3::7] = np.nan
    return values


def chunk_of(data: bytes) -> Array:
    found = run(read_inventory(), BytesSource(data)).fields[0]
    return octets(data[found.offset : found.offset + found.length])


def decoded(data: bytes, size: int) -> Array:
    return Grib("float64").decode(chunk_of(data), size * 8).view(np.float64)


def same(data: bytes) -> bool:
    expected = grib_oracle.values_of(data)
    return np.allclose(decoded(data, expected.size), expected, rtol=1e-14, atol=0, equal_nan=True)


@pytest.mark.parametrize("holes", [False, True])
@pytest.mark.parametrize("bits", [4, 12, 16, 24])
@pytest.mark.parametrize("form", ["", "_SPD1", "_SPD2", "_SPD3", "_no_SPD", "_boustrophedonic"])
@pytest.mark.parametrize("edition", [1, 2])
def test_the_extended_form(edition: int, form: str, bits: int, holes: bool) -> None:
    keys = {"Ni": COLUMNS, "Nj": ROWS, "bitsPerValue": bits}
    packing = {"packingType": f"grid_second_order{form}"}
    data = grib_oracle.message(f"regular_ll_sfc_grib{edition}", field(holes), keys, packing)
    assert same(data)
    assert variable(data).shape[-2:] == (ROWS, COLUMNS)


def variable(data: bytes) -> ManifestArray:
    """Return the one variable of a message."""
    group = run(GRIBParser(tree=False).parse("memory://x"), BytesSource(data, "memory://x"))
    (array,) = (a for a in group.arrays.values() if "GRIB_paramId" in a.metadata.attributes)
    return array


def bit_string(numbers: Any, widths: Any) -> bytes:
    """Return numbers of given widths as bytes, padded to a whole one."""
    text = "".join(
        f"{number:0{width}b}" for number, width in zip(numbers, widths, strict=True) if width
    )
    size = -(-len(text) // 8)
    return int(text.ljust(size * 8, "0") or "0", 2).to_bytes(size, "big")


def classic(form: str, groups: list[Array], holes: Array | None = None) -> bytes:
    """Return a message of edition 1 whose packed numbers are those of `groups`."""
    values = field()
    keys = {"Ni": COLUMNS, "Nj": ROWS, "bitsPerValue": 8}
    if holes is not None:
        values[holes] = np.nan
    plain = grib_oracle.message("regular_ll_sfc_grib1", values, keys)
    flags = {"row": 0x10, "constant": 0x20, "general": 0x30}[form]
    first = [int(group.min(initial=0)) if group.size else 0 for group in groups]
    rest = [group - start for group, start in zip(groups, first, strict=True)]
    widths = [int(part.max(initial=0)).bit_length() for part in rest]
    if form == "constant":
        widths = [max(widths)] * len(groups)
    numbers = np.concatenate(rest)
    each = np.repeat(widths, [len(part) for part in rest])
    begins = np.concatenate([np.arange(len(group)) == 0 for group in groups]).astype(int)
    head = bytes(widths) if form != "constant" else bytes(widths[:1])
    bitmap = b"" if form == "row" else bit_string(begins, [1] * len(begins))
    head += bitmap
    body = bit_string(first, [12] * len(first)), bit_string(numbers, each)
    n_1 = 21 + len(head) + 1
    n_2 = n_1 + len(body[0])
    counts = (n_1, flags, n_2, len(groups), len(numbers))
    octets_12 = b"".join(
        number.to_bytes(1 if i == 1 else 2, "big") for i, number in enumerate(counts)
    )
    section = section_4_at(plain)
    content = plain[section + 4 : section + 10] + b"\x0c" + octets_12 + b"\0" + head
    content += b"".join(body)
    content += bytes(len(content) % 2)
    length = 4 + len(content)
    total = section + length + 4
    packed = plain[:4] + total.to_bytes(3, "big") + plain[7:section] + length.to_bytes(3, "big")
    return packed + b"\x40" + content + b"7777"


def section_4_at(data: bytes) -> int:
    at = 8
    sections = 1 + bool(data[15] & 0x80) + bool(data[15] & 0x40)
    for _ in range(sections):
        at += int.from_bytes(data[at : at + 3], "big")
    return at


def groups_of(lengths: list[int]) -> list[Array]:
    random = np.random.default_rng(2)
    return [
        random.integers(0, 1 << random.integers(0, 9), length) + random.integers(0, 3000)
        for length in lengths
    ]


@pytest.mark.parametrize("form", ["constant", "general"])
def test_groups_by_a_secondary_bitmap(form: str) -> None:
    lengths = [1, 40, 2, 3, 60, 1, 50, 30]
    data = classic(form, groups_of(lengths))
    assert grib_oracle.keys_of(data, ["packingType"])["packingType"].startswith(
        f"grid_second_order_{form}"
    )
    assert same(data)


@pytest.mark.parametrize("form", ["constant", "general", "row"])
def test_groups_where_values_are_missing(form: str) -> None:
    holes = np.random.default_rng(3).random((ROWS, COLUMNS)) < 0.3
    holes[4] = True
    holes[5] = False
    lengths = (~holes).sum(axis=1).tolist()
    if form != "row":
        lengths = [length for length in lengths if length]
    data = classic(form, groups_of(lengths), holes)
    assert same(data)


def test_groups_by_rows() -> None:
    data = classic("row", groups_of([COLUMNS] * ROWS))
    assert grib_oracle.keys_of(data, ["packingType"])["packingType"].endswith("row_by_row")
    assert same(data)


def test_forms_that_are_not_known_are_refused_when_the_file_is_parsed() -> None:
    data = bytearray(classic("row", groups_of([COLUMNS] * ROWS)))
    for flags in (0x00, 0x08, 0x28, 0x40, 0x50, 0x11, 0x14):
        data[section_4_at(bytes(data)) + 13] = flags
        with pytest.raises(UnsupportedFeatureError, match="second-order"):
            run(GRIBParser().parse("memory://x"), BytesSource(bytes(data), "memory://x"))


@pytest.mark.parametrize("form", ["constant", "general", "row"])
def test_damaged_groups_give_errors_of_our_tree(form: str) -> None:
    chunk = chunk_of(classic(form, groups_of([COLUMNS] * ROWS)))
    random = np.random.default_rng(0)
    for _ in range(400):
        copy = chunk.copy()
        copy[random.integers(60, chunk.size, 3)] = random.integers(0, 256, 3)
        try:
            assert Grib().decode(copy, COLUMNS * ROWS * 4).size == COLUMNS * ROWS * 4
        except (CorruptFileError, UnsupportedFeatureError):
            continue


@pytest.mark.parametrize("holes", [False, True])
def test_boustrophedonic_reduced_grids(holes: bool) -> None:
    """Here ecCodes' own reader goes one place too far (edition 1) or dies as it writes."""
    sample = "reduced_gg_pl_32_grib1"
    plain = grib_oracle.message(sample)
    section = 8 + int.from_bytes(plain[8:11], "big")
    lengths = np.frombuffer(plain, ">u2", 64, section + plain[section + 4] - 1)
    values = np.sin(np.arange(int(lengths.sum())) / 50) * 30
    if holes:
        values[5::9] = np.nan
    rows = np.split(values, np.cumsum(lengths)[:-1])
    turned = np.concatenate([row[::-1] if i % 2 else row for i, row in enumerate(rows)])
    packing = {"packingType": "grid_second_order"}
    data = bytearray(grib_oracle.message(sample, turned, {"bitsPerValue": 16}, packing))
    data[section_4_at(bytes(data)) + 13] |= 0x04
    found = decoded(bytes(data), values.size)
    assert np.allclose(found, values, atol=0.01, equal_nan=True)


def spectrum(highest: int) -> Array:
    order, degree = np.triu_indices(highest + 1)
    random = np.random.default_rng(5)
    values = random.normal(size=(order.size, 2)) / (1.0 + degree[:, None]) ** 2 * 100
    values[order == 0, 1] = 0
    return values.ravel()


@pytest.mark.parametrize("packing", ["spectral_simple", "spectral_complex"])
@pytest.mark.parametrize(
    "edition,bits", [(1, 16), (1, 11), (2, 12), (2, 24), (2, 14), (2, 25), (2, 1)]
)
def test_coefficients(edition: int, bits: int, packing: str) -> None:
    highest = 63
    keys = {"bitsPerValue": bits, **dict.fromkeys(("J", "K", "M"), highest)}
    after = {"packingType": packing}
    data = grib_oracle.message(f"sh_ml_grib{edition}", spectrum(highest), keys, after)
    expected = grib_oracle.values_of(data)
    found = decoded(data, expected.size)
    assert np.allclose(found, expected, rtol=1e-10, atol=1e-14 * np.abs(expected).max())
    array = variable(data)
    assert array.metadata.dimension_names is not None
    assert array.metadata.dimension_names[-1] == "values"
    assert array.shape[-1] == (highest + 1) * (highest + 2)
    assert array.metadata.attributes["GRIB_gridType"] == "sh"


def test_coefficients_through_zarr(tmp_path: Path) -> None:
    for sample in ("sh_sfc_grib1", "sh_sfc_grib2", "sh_pl_grib1", "sh_pl_grib2"):
        path = tmp_path / sample
        path.write_bytes(grib_oracle.message(sample))
        expected = grib_oracle.values_of(path.read_bytes())
        group = virtualizarr.parse(str(path), parser=GRIBParser(tree=False, dtype="float64"))
        values = read_values(group)
        (found,) = (values[name] for name in group.arrays if values[name].size == expected.size)
        scale = np.abs(expected).max()
        assert np.allclose(found.ravel(), expected, rtol=1e-10, atol=1e-14 * scale)
