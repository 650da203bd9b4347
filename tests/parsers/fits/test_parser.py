"""FITS images, tables and random groups, against astropy; rounds, names, refusals."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import xarray as xr
from astropy.io import fits

import fits_oracle
import virtualizarr
from virtualizarr.errors import CorruptFileError, UnknownFormatError, UnsupportedFeatureError
from virtualizarr.model import ManifestArray
from virtualizarr.parsers.fits import FITSParser
from virtualizarr.source.cache import CachingSource
from virtualizarr.source.facts import FileFacts
from virtualizarr.source.memory import BytesSource
from virtualizarr.source.reading import run
from virtualizarr.testing import parse_file, read_values, same_values, walk_arrays
from virtualizarr.writers.kerchunk import write

BITPIX = ("u1", "i2", "i4", "i8", "f4", "f8")
PSEUDO = ("i1", "u2", "u4", "u8")


def check(path: Path, parser: FITSParser | None = None) -> dict[str, Any]:
    group = parse_file(parser if parser is not None else FITSParser(), path)
    found = read_values(group)
    assert fits_oracle.differences(group, found, path) == []
    return found


def numbers(shape: tuple[int, ...], dtype: str) -> Any:
    random = np.random.default_rng(7)
    if np.dtype(dtype).kind == "f":
        return random.normal(size=shape).astype(dtype)
    bounds = np.iinfo(dtype)
    values = random.integers(bounds.min, bounds.max, shape, dtype=dtype, endpoint=True)
    values.flat[0], values.flat[-1] = bounds.min, bounds.max
    return values


@pytest.mark.parametrize("dtype", BITPIX + PSEUDO)
@pytest.mark.parametrize("shape", [(11,), (5, 7), (3, 4, 5), (2, 1, 3, 4, 5)])
def test_images(tmp_path: Path, dtype: str, shape: tuple[int, ...]) -> None:
    path = tmp_path / "image.fits"
    values = numbers(shape, dtype)
    fits.HDUList([fits.PrimaryHDU(values), fits.ImageHDU(values, name="SCI")]).writeto(path)
    found = check(path)
    assert found["SCI"].dtype == np.dtype(dtype)
    for chunk_bytes in (1, 16, 100, None):
        check(path, FITSParser(chunk_bytes=chunk_bytes))


def test_large_images_are_cut_into_rows(tmp_path: Path) -> None:
    path = tmp_path / "image.fits"
    fits.PrimaryHDU(numbers((101, 50), "f4")).writeto(path)
    array = parse_file(FITSParser(chunk_bytes=2000), path).arrays["PRIMARY"]
    assert array.chunks == (10, 50)
    assert array.metadata.dimension_names == ("y", "x")
    array = parse_file(FITSParser(chunk_bytes=200 * 101), path).arrays["PRIMARY"]
    assert array.chunks == (101, 50)
    assert [codec["name"] for codec in array.metadata.codecs] == ["bytes"]


def add_cards(path: Path, number: int, **cards: object) -> None:
    """Put cards at the end of a header, in the blanks behind END, as astropy would not."""
    content = path.read_bytes()
    end = b"END".ljust(80)
    at = -1
    for _ in range(number + 1):
        at = content.index(end, at + 1)
    text = b"".join(f"{key:8}= {value!s:>20}".encode().ljust(80) for key, value in cards.items())
    assert content[at + 80 : at + 80 + len(text)].isspace()
    path.write_bytes(content[:at] + text + end + content[at + 80 + len(text) :])


def test_scaled_images_have_cf_attributes(tmp_path: Path) -> None:
    path = tmp_path / "scaled.fits"
    fits.PrimaryHDU(np.arange(-5, 5, dtype="i2")).writeto(path)
    add_cards(path, 0, BSCALE=0.25, BZERO=3.0, BLANK=-5, BUNIT="'K'")
    check(path)
    attributes = parse_file(FITSParser(), path).arrays["PRIMARY"].metadata.attributes
    assert attributes["_FillValue"] == -5
    assert attributes["units"] == "K"
    opened = virtualizarr.open_virtual_dataset(str(path)).virtualize.open()
    expected = fits_oracle.values_of(path)["PRIMARY"]
    assert np.isnan(expected[0])
    np.testing.assert_allclose(opened["PRIMARY"].values, expected)


def test_a_blank_alone_masks(tmp_path: Path) -> None:
    path = tmp_path / "blank.fits"
    fits.PrimaryHDU(np.arange(-5, 5, dtype="i2")).writeto(path)
    add_cards(path, 0, BLANK=2)
    check(path)
    opened = virtualizarr.open_virtual_dataset(str(path)).virtualize.open()
    np.testing.assert_array_equal(opened["PRIMARY"].values, fits_oracle.values_of(path)["PRIMARY"])


def test_columns_without_width(tmp_path: Path) -> None:
    path = tmp_path / "zero.fits"
    columns = [
        fits.Column("a", "J", array=np.arange(3)),
        fits.Column("text", "0J", array=np.zeros((3, 0))),
        fits.Column("b", "2E", array=np.ones((3, 2))),
    ]
    fits.BinTableHDU.from_columns(columns, name="T").writeto(path)
    check(path)
    path.write_bytes(path.read_bytes().replace(b"'0J      '", b"'0A      '"))
    assert parse_file(FITSParser(), path).groups["T"].arrays["text"].dtype.kind == "S"
    check(path)


def test_scaled_columns(tmp_path: Path) -> None:
    path = tmp_path / "scaled.fits"
    columns = [
        fits.Column("I", "I", array=np.arange(9)),
        fits.Column("C", "C", array=np.arange(9) * (1 - 2j)),
        fits.Column("B", "3B", array=np.arange(27).reshape(9, 3)),
    ]
    fits.BinTableHDU.from_columns(columns, name="T").writeto(path)
    add_cards(path, 1, TSCAL1=0.5, TZERO1=-7, TSCAL2=2.0, TZERO2=3.0, TZERO3=-128, TNULL1=99)
    found = check(path)
    np.testing.assert_array_equal(found["T/C"], np.arange(9) * (2 - 4j) + 3)
    assert found["T/B"].dtype == np.dtype("i1")
    attributes = parse_file(FITSParser(), path).groups["T"].arrays["I"].metadata.attributes
    assert (attributes["scale_factor"], attributes["add_offset"]) == (0.5, -7.0)
    assert attributes["_FillValue"] == 99


def table(rows: int) -> fits.BinTableHDU:
    random = np.random.default_rng(1)
    columns = [
        fits.Column(letter, f"{repeat}{letter}", array=random.integers(0, 100, (rows, repeat)))
        for letter, repeat in (("B", 1), ("I", 3), ("J", 1), ("K", 2), ("E", 1), ("D", 4))
    ]
    columns += [
        fits.Column("C", "C", array=random.random(rows) + 1j * random.random(rows)),
        fits.Column("M", "2M", array=random.random((rows, 2)) * 1j),
        fits.Column("L", "L", array=random.random(rows) > 0.5),
        fits.Column("L3", "3L", array=random.random((rows, 3)) > 0.5),
        fits.Column("X", "11X", array=random.random((rows, 11)) > 0.5),
        fits.Column("A", "8A", array=[f"star {i}" for i in range(rows)]),
        fits.Column("cube", "6J", dim="(3,2)", array=random.integers(0, 9, (rows, 2, 3))),
        fits.Column("words", "6A", dim="(3,2)", array=[["ab", "cde"]] * rows),
        fits.Column("u2", "I", bzero=2**15, array=random.integers(0, 2**16, rows, dtype="u2")),
        fits.Column("u8", "K", bzero=2**63, array=random.integers(0, 2**63, rows, dtype="u8") * 2),
        fits.Column("none", "0J", array=np.zeros((rows, 0))),
    ]
    return fits.BinTableHDU.from_columns(columns, name="EVENTS")


@pytest.mark.parametrize("chunk_bytes", [1, 500, 1 << 20, None])
def test_binary_tables(tmp_path: Path, chunk_bytes: int | None) -> None:
    path = tmp_path / "table.fits"
    table(23).writeto(path)
    found = check(path, FITSParser(chunk_bytes=chunk_bytes))
    assert found["EVENTS/u8"].dtype == np.dtype("u8")
    array = parse_file(FITSParser(), path).groups["EVENTS"].arrays["cube"]
    assert array.metadata.dimension_names == ("row", "cube_dim1", "cube_dim2")
    assert array.metadata.attributes["TFORM"] == "6J"


def test_one_wide_column_needs_no_codec(tmp_path: Path) -> None:
    path = tmp_path / "table.fits"
    values = np.random.default_rng(0).random((100, 6)).astype("f4")
    fits.BinTableHDU.from_columns([fits.Column("V", "6E", array=values)], name="T").writeto(path)
    array = parse_file(FITSParser(chunk_bytes=240), path).groups["T"].arrays["V"]
    assert [codec["name"] for codec in array.metadata.codecs] == ["bytes"]
    assert array.chunks == (10, 6)
    check(path, FITSParser(chunk_bytes=240))


def test_columns_of_varying_length(tmp_path: Path) -> None:
    path = tmp_path / "heap.fits"
    random = np.random.default_rng(2)
    lengths = [3, 0, 5, 1, 4]
    columns = []
    for letter, dtype in (("B", "u1"), ("I", "i2"), ("J", "i4"), ("D", "f8"), ("C", "c8")):
        rows = np.empty(5, object)
        rows[:] = [random.integers(0, 99, n).astype(dtype) for n in lengths]
        columns.append(fits.Column(f"P{letter}", f"P{letter}()", array=rows))
        columns.append(fits.Column(f"Q{letter}", f"Q{letter}()", array=rows))
    flags = np.empty(5, object)
    flags[:] = [random.random(n) > 0.5 for n in lengths]
    columns.append(fits.Column("flags", "PL()", array=flags))
    columns.append(fits.Column("names", "PA()", array=["a", "", "much longer", "b c", "d"]))
    fits.BinTableHDU.from_columns(columns, name="EVENTS").writeto(path)
    check(path)
    group = parse_file(FITSParser(), path).groups["EVENTS"]
    assert group.arrays["PD"].manifest.locations != ()  # in order: referred to, not copied
    assert group.arrays["PD_count"].metadata.attributes["sample_dimension"] == "PD_element"


def test_descriptors_out_of_order_are_read_and_kept_inline(tmp_path: Path) -> None:
    path = tmp_path / "heap.fits"
    rows = np.empty(2, object)
    rows[:] = [np.arange(3, dtype="i4"), np.arange(10, 14, dtype="i4")]
    fits.BinTableHDU.from_columns([fits.Column("V", "PJ()", array=rows)], name="T").writeto(path)
    content = bytearray(path.read_bytes())
    with fits.open(path) as hdus:
        at = hdus[1].fileinfo()["datLoc"]
    content[at : at + 16] = content[at + 8 : at + 16] + content[at : at + 8]
    path.write_bytes(content)
    check(path)
    assert parse_file(FITSParser(), path).groups["T"].arrays["V"].manifest.locations == ()


def test_descriptors_outside_the_heap_are_corrupt(tmp_path: Path) -> None:
    path = tmp_path / "heap.fits"
    rows = np.empty(2, object)
    rows[:] = [np.arange(3, dtype="i4"), np.arange(4, dtype="i4")]
    fits.BinTableHDU.from_columns([fits.Column("V", "PJ()", array=rows)], name="T").writeto(path)
    content = bytearray(path.read_bytes())
    with fits.open(path) as hdus:
        at = hdus[1].fileinfo()["datLoc"]
    content[at : at + 4] = b"\x00\xff\x00\x00"
    path.write_bytes(content)
    with pytest.raises(CorruptFileError, match=r"'T'.*row 0 of column V"):
        parse_file(FITSParser(), path)
    assert parse_file(FITSParser(drop_variables=["V"]), path).groups["T"].arrays == {}


def test_ascii_tables(tmp_path: Path) -> None:
    path = tmp_path / "ascii.fits"
    columns = [
        fits.Column("small", "I4", array=[1, -22, 333], ascii=True),
        fits.Column("wide", "I12", array=[1, -2, 12345678901], ascii=True),
        fits.Column("real", "F10.4", array=[1.5, -2.25, 1e3], ascii=True),
        fits.Column("exp", "E15.7", array=[1.5e-30, -2e20, 0], ascii=True),
        fits.Column("double", "D25.17", array=[np.pi, -np.e, 1e300], ascii=True),
        fits.Column("text", "A6", array=["one", "two 2", ""], ascii=True),
    ]
    fits.TableHDU.from_columns(columns, name="CATALOG").writeto(path)
    for chunk_bytes in (None, 60):
        check(path, FITSParser(chunk_bytes=chunk_bytes))


def test_nulls_of_ascii_tables(tmp_path: Path) -> None:
    path = tmp_path / "ascii.fits"
    columns = [
        fits.Column("n", "I6", null="---", array=[1, 2, 3], ascii=True),
        fits.Column("r", "F6.2", null="***", array=[1, 2, 3], ascii=True),
    ]
    fits.TableHDU.from_columns(columns, name="T").writeto(path)
    with fits.open(path) as hdus:
        at, row = hdus[1].fileinfo()["datLoc"], hdus[1].header["NAXIS1"]
    content = bytearray(path.read_bytes())
    content[at + row : at + 2 * row] = b"---".rjust(6) + b"***".rjust(row - 6)
    path.write_bytes(content)
    found = check(path)
    assert found["T/n"].tolist() == [1, 0, 3]
    assert np.isnan(found["T/r"][1])


def test_numbers_as_fortran_reads_them(tmp_path: Path) -> None:
    """Section 7.2.5: points that are not written, exponents without a letter; and blanks within.

    The witness is CFITSIO 4, by fitsio, which read the same file (but for `1.5-3`, which it
    refuses): these are its values. astropy takes no points for given, and refuses the blanks.
    """
    path = tmp_path / "ascii.fits"
    columns = [
        fits.Column("n", "I6", array=[1] * 5, ascii=True),
        fits.Column("f", "F6.2", array=[1] * 5, ascii=True),
        fits.Column("e", "E10.4", array=[1] * 5, ascii=True),
    ]
    fits.TableHDU.from_columns(columns, name="T").writeto(path)
    with fits.open(path) as hdus:
        at, row = hdus[1].fileinfo()["datLoc"], hdus[1].header["NAXIS1"]
        starts = [hdus[1].header[f"TBCOL{i}"] - 1 for i in (1, 2, 3)]
    content = bytearray(path.read_bytes())
    texts = [
        ("- 23", "123456", "2345678901"),
        ("1 2 3", "-5", "1.5-3"),
        ("7", "1.5", "- 12D+2"),
        ("+ 8", "12 . 5", "-1.25E+02"),
        ("", "", "3"),
    ]
    for number, fields in enumerate(texts):
        for start, width, text in zip(starts, (6, 6, 10), fields, strict=True):
            begin = at + number * row + start
            content[begin : begin + width] = text.rjust(width).encode()
    path.write_bytes(content)
    found = read_values(parse_file(FITSParser(), path))
    assert found["T/n"].tolist() == [-23, 123, 7, 8, 0]
    assert found["T/f"].tolist()[:4] == [1234.56, -0.05, 1.5, 12.5]
    assert np.isnan(found["T/f"][4])
    assert found["T/e"].tolist() == [234567.8901, 0.0015, -0.12, -125, 0.0003]


def test_extensions_of_other_types_are_arrays(tmp_path: Path) -> None:
    """Section 3.4.1: any extension's data are an array of NAXISn numbers of BITPIX bits."""
    path = tmp_path / "other.fits"
    values = np.arange(12, dtype=">i2").reshape(3, 4)
    fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(values, name="X")]).writeto(path)
    content = path.read_bytes()
    path.write_bytes(content.replace(b"'IMAGE   '", b"'XZQ-EXTN'"))
    array = parse_file(FITSParser(), path).arrays["X"]
    assert array.metadata.attributes["XTENSION"] == "XZQ-EXTN"
    assert np.array_equal(read_values(parse_file(FITSParser(), path))["X"], values)

    grouped = path.read_bytes().replace(b"GCOUNT  =                    1", b"GCOUNT  = 2".ljust(30))
    path.write_bytes(grouped + bytes(2880))
    with pytest.raises(UnsupportedFeatureError, match=r"node 'X'.*GCOUNT 2"):
        parse_file(FITSParser(), path)


def test_random_groups(tmp_path: Path) -> None:
    path = tmp_path / "groups.fits"
    data = np.arange(100.0, dtype="f4").reshape(10, 1, 1, 2, 5)
    parameters = [np.arange(10.0), np.arange(10) * 2.0, np.arange(10) + 3.0]
    groups = fits.GroupData(data, bitpix=-32, parnames=["UU", "VV", "BASELINE"], pardata=parameters)
    fits.GroupsHDU(groups).writeto(path)
    for chunk_bytes in (None, 100):
        check(path, FITSParser(chunk_bytes=chunk_bytes))


def test_names(tmp_path: Path) -> None:
    path = tmp_path / "names.fits"
    images = [np.zeros((2, 3)), np.zeros((2, 3)), np.zeros((4, 3)), np.zeros((2, 3)), np.zeros(3)]
    names = [("SCI", 1), ("SCI", 2), ("DQ", 1), ("", 1), ("a/b", 1)]
    hdus = [
        fits.ImageHDU(image, name=name, ver=version)
        for image, (name, version) in zip(images, names, strict=True)
    ]
    empty = fits.ImageHDU(name="EMPTY")
    empty.header["REASON"] = "none"
    fits.HDUList([fits.PrimaryHDU(), *hdus, empty]).writeto(path)
    group = parse_file(FITSParser(), path)
    assert [*group.arrays] == ["SCI_1", "SCI_2", "DQ", "4", "A_B"]
    assert group.groups["EMPTY"].attributes["REASON"] == "none"
    assert group.arrays["DQ"].metadata.dimension_names == ("y_DQ", "x")
    dataset = virtualizarr.open_virtual_dataset(str(path), loadable_variables=[])
    assert dataset.sizes == {"y": 2, "x": 3, "y_DQ": 4}


def test_group_and_skipped_variables(tmp_path: Path) -> None:
    path = tmp_path / "both.fits"
    fits.HDUList([fits.PrimaryHDU(np.zeros((3, 4))), table(5)]).writeto(path)
    assert "cube" in parse_file(FITSParser(group="EVENTS"), path).arrays
    with pytest.raises(UnsupportedFeatureError, match="not a group"):
        parse_file(FITSParser(group="PRIMARY"), path)
    with pytest.raises(UnsupportedFeatureError, match="no group 'OTHER'"):
        parse_file(FITSParser(group="OTHER"), path)
    group = parse_file(FITSParser(skip_variables=["PRIMARY", "EVENTS/cube"]), path)
    assert group.arrays == {}
    assert "cube" not in group.groups["EVENTS"].arrays
    tree = virtualizarr.open_virtual_datatree(str(path), loadable_variables=[])
    assert isinstance(tree["EVENTS/cube"].variable._data, ManifestArray)


def test_parser_is_called_as_in_virtualizarr_2(tmp_path: Path) -> None:
    path = tmp_path / "image.fits"
    fits.PrimaryHDU(np.arange(6.0).reshape(2, 3)).writeto(path)
    store = FITSParser(skip_variables=["X"], reader_options={})(str(path))
    found = xr.open_zarr(store, consolidated=False, zarr_format=3)["PRIMARY"]
    np.testing.assert_array_equal(found.values, np.arange(6.0).reshape(2, 3))


def test_files_are_joined_along_time(tmp_path: Path) -> None:
    paths = [tmp_path / f"{i}.fits" for i in range(3)]
    for i, path in enumerate(paths):
        fits.PrimaryHDU(np.full((4, 5), i, "u2")).writeto(path)
    joined = virtualizarr.open_virtual_mfdataset(
        [str(path) for path in paths], concat_dim="time", combine="nested", loadable_variables=[]
    )
    joined.virtualize.to_kerchunk(str(tmp_path / "refs.json"), format="json")
    store = virtualizarr.open_store(str(tmp_path / "refs.json"))
    found = xr.open_zarr(store, consolidated=False)["PRIMARY"]
    assert found.dims == ("time", "y", "x")
    np.testing.assert_array_equal(found.values[:, 0, 0], [0, 1, 2])


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_kerchunk_and_back(tmp_path: Path, zarr_format: Literal[2, 3]) -> None:
    path = tmp_path / "all.fits"
    varying = np.empty(5, object)
    varying[:] = [np.arange(n, dtype="i4") for n in (2, 0, 1, 3, 2)]
    heap = [fits.Column("V", "PJ()", array=varying), fits.Column("S", "PA()", array=["a", "bc"])]
    tiles = numbers((20, 30), "f4")
    hdus = [
        fits.PrimaryHDU(numbers((4, 5), "u2")),
        table(5),
        fits.BinTableHDU.from_columns(heap, name="HEAP"),
        fits.CompImageHDU(numbers((20, 30), "i2"), name="INTS", tile_shape=(7, 8)),
        fits.CompImageHDU(tiles, name="FLOATS", tile_shape=(7, 8), quantize_method=1),
    ]
    fits.HDUList(hdus).writeto(path)
    group = parse_file(FITSParser(), path)
    assert fits_oracle.differences(group, read_values(group), path) == []
    write(group, str(tmp_path / "refs.json"), format="json", zarr_format=zarr_format)
    again = virtualizarr.parse(str(tmp_path / "refs.json"))
    found, expected = read_values(again), read_values(group)
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values)
        assert found[name].dtype == values.dtype
    for (name, array), (_, other) in zip(walk_arrays(group), walk_arrays(again), strict=True):
        assert array.metadata.same_decoding(other.metadata), name
        assert array.manifest == other.manifest, name


def rounds(content: bytes, *, cached: bool = False) -> int:
    source = BytesSource(content, "memory://file.fits")
    run(FITSParser().parse(source.url), CachingSource(source) if cached else source)
    return source.rounds


def test_rounds(tmp_path: Path) -> None:
    small, far, many = (tmp_path / f"{name}.fits" for name in ("small", "far", "many"))
    fits.HDUList([fits.PrimaryHDU(np.zeros((3, 4))), table(5)]).writeto(small)
    assert rounds(small.read_bytes()) == 1
    image = np.zeros((300, 300), "f4")
    fits.HDUList([fits.PrimaryHDU(image), fits.ImageHDU(image)]).writeto(far)
    assert rounds(far.read_bytes()) == 2
    fits.HDUList([fits.PrimaryHDU(), *[fits.ImageHDU(image) for _ in range(60)]]).writeto(many)
    assert rounds(many.read_bytes()) <= 10
    assert rounds(far.read_bytes(), cached=True) == 1


def test_values_of_files_compressed_as_a_whole_are_inline(tmp_path: Path) -> None:
    plain, path = tmp_path / "image.fits", tmp_path / "image.fits.gz"
    image = np.arange(300 * 200, dtype="i4").reshape(300, 200)
    table = np.array([(1, 2.5, b"ab"), (3, 4.5, b"c")], [("n", "i4"), ("x", "f8"), ("s", "S3")])
    ragged = fits.Column("v", "PJ()", array=np.array([[1, 2], [3]], object))
    hdus = [
        fits.PrimaryHDU(image),
        fits.CompImageHDU(image, compression_type="RICE_1", name="tiles"),
        fits.BinTableHDU(table, name="table"),
        fits.BinTableHDU.from_columns([ragged], name="ragged"),
    ]
    fits.HDUList(hdus).writeto(plain)
    whole = plain.read_bytes()
    path.write_bytes(gzip.compress(whole[:5000]) + gzip.compress(whole[5000:]))
    group, expected = parse_file(FITSParser(), path), parse_file(FITSParser(), plain)
    assert group.locations == ()
    found, wanted = read_values(group), read_values(expected)
    assert found.keys() == wanted.keys()
    assert all(same_values(found[name], wanted[name]) for name in wanted)
    dataset = virtualizarr.open_virtual_dataset(str(path), parser=FITSParser(group="TABLE"))
    assert dataset["n"].shape == (2,)


def test_what_is_compressed_as_a_whole_and_large_or_broken_is_refused_by_name(
    tmp_path: Path,
) -> None:
    path = tmp_path / "image.fits.gz"
    fits.PrimaryHDU(np.zeros((1500, 1500), "f8")).writeto(path)
    with pytest.raises(UnsupportedFeatureError, match="gunzip"):
        parse_file(FITSParser(), path)
    fits.PrimaryHDU(np.arange(3000)).writeto(path, overwrite=True)
    whole = path.read_bytes()
    for damaged in (whole[:-100], whole[:50] + b"\xff" * 50 + whole[100:], b"\x1f\x8b" + bytes(9)):
        path.write_bytes(damaged)
        with pytest.raises(CorruptFileError, match="gzip"):
            parse_file(FITSParser(), path)
    path.write_bytes(gzip.compress(b"no FITS file"))
    with pytest.raises(UnknownFormatError):
        parse_file(FITSParser(), path)
    path.write_bytes(whole + b"else")
    with pytest.raises(CorruptFileError, match="belong to none"):
        parse_file(FITSParser(), path)
    path.write_bytes(whole + bytes(700))
    assert read_values(parse_file(FITSParser(), path))


def test_a_large_gzip_file_of_unknown_size_is_called_large_not_broken() -> None:
    noise = np.random.default_rng(0).bytes(17 << 20)
    header = fits.PrimaryHDU(np.frombuffer(noise, "u1")).header.tostring().encode()
    data = gzip.compress(header + noise, compresslevel=0)
    source = BytesSource(data, facts=FileFacts())
    with pytest.raises(UnsupportedFeatureError, match="gunzip"):
        run(FITSParser().parse("memory://image.fits.gz"), source)


def test_truncated_data_are_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "image.fits"
    image = np.zeros((300, 300), "f4")
    fits.HDUList([fits.PrimaryHDU(image), fits.ImageHDU(image, name="LAST")]).writeto(path)
    path.write_bytes(path.read_bytes()[:500_000])
    with pytest.raises(CorruptFileError, match=r"'LAST'.*truncated"):
        parse_file(FITSParser(), path)
    assert [*parse_file(FITSParser(drop_variables=["LAST"]), path).arrays] == ["PRIMARY"]


class UnsizedSource(BytesSource):
    """A file whose size nobody says."""

    def facts(self) -> FileFacts:
        return FileFacts()


def test_files_of_unknown_size(tmp_path: Path) -> None:
    path = tmp_path / "image.fits"
    image = np.zeros((300, 300), "f4")
    fits.HDUList([fits.PrimaryHDU(image), fits.ImageHDU(image, name="LAST")]).writeto(path)
    content = path.read_bytes()
    whole = run(FITSParser().parse("memory://a"), UnsizedSource(content, "memory://a"))
    assert [*whole.arrays] == ["PRIMARY", "LAST"]
    with pytest.raises(CorruptFileError, match=r"'LAST'.*truncated"):
        run(FITSParser().parse("memory://a"), UnsizedSource(content[:500_000], "memory://a"))


@pytest.mark.parametrize(
    "change",
    [
        lambda content, end: content[:end],
        lambda content, end: content[: end + 7],
        lambda content, _: content + b"\0" * 2880,
        lambda content, _: content + b"a file name and a date, as tape archives add them",
        lambda content, _: content + b"x" * 2880,
    ],
    ids=["no padding", "part of it", "an empty block", "less than a block", "a special record"],
)
def test_ends_of_files_that_the_standard_does_not_have(tmp_path: Path, change: Any) -> None:
    """What follows the last HDU is no HDU (section 3.5); nothing is wrong with the data before."""
    path, image = tmp_path / "image.fits", numbers((40, 50), "i2")
    fits.PrimaryHDU(image).writeto(path)
    content = path.read_bytes()
    path.write_bytes(change(content, content.index(b"END   ") // 2880 * 2880 + 2880 + image.nbytes))
    found = read_values(parse_file(FITSParser(), path))
    assert found.keys() == {"PRIMARY"}
    np.testing.assert_array_equal(found["PRIMARY"], image)


def test_every_kind_of_keyword_is_an_attribute(tmp_path: Path) -> None:
    path = tmp_path / "image.fits"
    hdu = fits.PrimaryHDU(numbers((4, 5), "i2"))
    hdu.header["HIERARCH ESO DET NAME"] = "chip"
    hdu.header["LONG"] = "words " * 40
    hdu.header["UNDEF"] = None
    hdu.header["CPLX"] = 1 + 2j
    hdu.header["CTYPE1"], hdu.header["CRVAL1"] = "RA---TAN", 83.5
    hdu.header.add_history("first")
    hdu.header.add_history("second")
    later = fits.ImageHDU(numbers((4, 5), "i2"), name="SCI")
    later.header["INHERIT"] = True
    fits.HDUList([hdu, later]).writeto(path, checksum=True)
    group = parse_file(FITSParser(), path)
    attributes = group["PRIMARY"].metadata.attributes
    assert attributes["ESO DET NAME"] == "chip"
    assert attributes["LONG"] == ("words " * 40).rstrip()
    assert attributes["UNDEF"] is None
    assert attributes["CPLX"] == 1 + 2j
    assert (attributes["CTYPE1"], attributes["CRVAL1"]) == ("RA---TAN", 83.5)
    assert attributes["HISTORY"] == "first\nsecond"
    assert {"CHECKSUM", "DATASUM"} <= attributes.keys()
    assert group["SCI"].metadata.attributes["INHERIT"] is True
    check(path)


def test_compressed_tables_are_shown_as_stored(tmp_path: Path) -> None:
    path = tmp_path / "table.fits"
    rows = np.array([np.arange(5, dtype="u1"), np.arange(3, dtype="u1")], dtype=object)
    table = fits.BinTableHDU.from_columns([fits.Column("C", "1PB()", array=rows)], name="Z")
    table.header["ZTABLE"] = True
    table.header["ZNAXIS1"], table.header["ZNAXIS2"], table.header["ZFORM1"] = 8, 10, "D"
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(path)
    assert check(path).keys() == {"Z/C", "Z/C_count"}
    assert parse_file(FITSParser(), path)["Z"].attributes["ZTABLE"] is True
