"""How SDS are stored, one way after the other; the HDF4 library writes them and is the oracle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

import hdf4_files
from hdf4_files import (
    CHUNKED,
    COMPRESSED,
    DEFLATE,
    NBIT,
    RLE,
    SD,
    SDC,
    SKPHUFF,
    create,
    numbers,
    open_new,
    put,
    set_chunks,
    set_nbit,
)
from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError
from virtualizarr.model import ManifestGroup
from virtualizarr.parsers.hdf4 import HDF4Parser
from virtualizarr.source.cache import CachingSource
from virtualizarr.source.memory import BytesSource
from virtualizarr.source.reading import run
from virtualizarr.testing import parse_file, read_values, same_values


def checked(path: Path, **options: Any) -> ManifestGroup:
    """Return the tree, once all its values are found to be those that the library reads."""
    group = parse_file(HDF4Parser(**options), path)
    expected, unreadable = hdf4_files.values_of(path)
    assert unreadable == 0
    found = read_values(group)
    assert found.keys() == {name for name, _ in expected}
    for name, values in expected:
        assert same_values(found[name], values), name
        assert found[name].dtype == values.dtype
    return group


@pytest.mark.parametrize("kind", hdf4_files.TYPES)
@pytest.mark.parametrize("little", [False, True])
def test_number_types(tmp_path: Path, kind: str, little: bool) -> None:
    path = tmp_path / "a.hdf"
    file = open_new(path)
    values = numbers((6, 5), kind)
    put(create(file, "v", values, little=little), values)
    file.end()
    array = checked(path)["v"]
    assert array.dtype == values.dtype


@pytest.mark.parametrize(
    "coder", [(RLE,), (SKPHUFF, 1), (SKPHUFF, 4), (SKPHUFF, 3), (DEFLATE, 6)], ids=str
)
@pytest.mark.parametrize("kind", ["i4", "f8", "u1"])
def test_coders(tmp_path: Path, kind: str, coder: tuple[int, ...]) -> None:
    path = tmp_path / "a.hdf"
    file = open_new(path)
    values = numbers((40, 30), kind)
    variable = create(file, "v", values)
    variable.setcompress(*coder)
    variable[:] = values
    variable.endaccess()
    file.end()
    checked(path)


@pytest.mark.parametrize("field", [(9, 10), (15, 16), (12, 5), (6, 7), (7, 3), (0, 1)], ids=str)
@pytest.mark.parametrize("sign_ext", [0, 1])
@pytest.mark.parametrize("fill_one", [0, 1])
def test_nbit(tmp_path: Path, field: tuple[int, int], sign_ext: int, fill_one: int) -> None:
    path = tmp_path / "a.hdf"
    file = open_new(path)
    values = np.random.default_rng(0).integers(-(2**15), 2**15, (31, 7)).astype("i2")
    variable = create(file, "v", values)
    set_nbit(variable, *field, sign_ext, fill_one)
    variable[:] = values
    variable.endaccess()
    file.end()
    checked(path)


CHUNKS: dict[str, tuple[int, ...]] = {
    "none": (CHUNKED,),
    "rle": (COMPRESSED, RLE, 0),
    "skphuff": (COMPRESSED, SKPHUFF, 0, 2),
    "deflate": (COMPRESSED, DEFLATE, 0, 5),
    "nbit": (NBIT, 9, 10, 1, 0),
}


@pytest.mark.parametrize("name", CHUNKS)
@pytest.mark.parametrize("shape", [(40, 30), (41, 33)], ids=str)
def test_chunks(tmp_path: Path, name: str, shape: tuple[int, int]) -> None:
    path = tmp_path / "a.hdf"
    file = open_new(path)
    values = numbers(shape, "i2")
    flags, *words = CHUNKS[name]
    whole, partial = create(file, "whole", values), create(file, "partial", values)
    for variable in (whole, partial):
        variable.setfillvalue(-9)
        set_chunks(variable, (10, 15), *words, flags=flags)
    whole[:] = values
    partial[20:30, :15] = values[20:30, :15]
    whole.endaccess()
    partial.endaccess()
    file.end()
    group = checked(path)
    grid = group["whole"].manifest.shape_chunk_grid
    assert grid == (-(-shape[0] // 10), -(-shape[1] // 15))
    assert group["partial"].manifest.nrefs < group["whole"].manifest.nrefs


def test_nothing_written_reads_as_fill(tmp_path: Path) -> None:
    path = tmp_path / "a.hdf"
    file = open_new(path)
    for kind in hdf4_files.TYPES:
        create(file, f"default_{kind}", numbers((4, 3), kind)).endaccess()
        variable = create(file, f"set_{kind}", numbers((4, 3), kind))
        variable.setfillvalue(7)
        variable.endaccess()
    file.end()
    group = checked(path)
    assert all(array.manifest.all_missing for array in group.arrays.values())


def test_partly_written_reads_as_fill_behind(tmp_path: Path) -> None:
    path = tmp_path / "a.hdf"
    file = open_new(path)
    variable = create(file, "v", numbers((9, 5), "i4"))
    variable.setfillvalue(-1)
    variable[:4] = numbers((4, 5), "i4")
    variable.endaccess()
    file.end()
    checked(path)


@pytest.mark.parametrize("rows", [1, 7])
def test_records_in_linked_blocks(tmp_path: Path, rows: int) -> None:
    """Two variables that grow in turn: the library puts what they append in linked blocks."""
    path = tmp_path / "a.hdf"
    file = open_new(path)
    values = numbers((84, 37), "i4")
    names = ("a", "b")
    variables = [create(file, name, values, shape=(SDC.UNLIMITED, 37)) for name in names]
    for at in range(0, 84, rows):
        for i, variable in enumerate(variables):
            variable[at : at + rows] = values[at : at + rows] + i
    for variable in variables:
        variable.endaccess()
    file.end()
    group = checked(path)
    assert group["b"].shape == (84, 37)
    assert group["b"].manifest.nrefs > 1


def test_records_of_different_number_have_dimensions_of_their_own(tmp_path: Path) -> None:
    path = tmp_path / "a.hdf"
    file = open_new(path)
    for name, count in {"a": 5, "b": 3}.items():
        variable = create(file, name, numbers((5, 4), "i2"), shape=(SDC.UNLIMITED, 4))
        for axis, dim in enumerate(("time", "x")):
            variable.dim(axis).setname(dim)
        variable[:count] = numbers((count, 4), "i2")
        variable.endaccess()
    file.end()
    group = checked(path)
    assert group["a"].metadata.dimension_names == ("time", "x")
    assert group["b"].metadata.dimension_names == ("time_b", "x")


def test_external_file(tmp_path: Path) -> None:
    path = tmp_path / "a.hdf"
    file = open_new(path)
    values = numbers((8, 6), "f4")
    variable = create(file, "v", values)
    variable.setexternalfile(str(tmp_path / "data of v.bin"), 24)
    variable[:] = values
    variable.endaccess()
    file.end()
    group = HDF4Parser()(str(path))
    found = zarr.open_group(group, mode="r", zarr_format=3)["v"][...]  # type: ignore[index]
    np.testing.assert_array_equal(found, values)


def test_large_contiguous_data_are_split(tmp_path: Path) -> None:
    path = tmp_path / "a.hdf"
    file = open_new(path)
    values = numbers((60, 50, 20), "f4")
    put(create(file, "v", values), values)
    file.end()
    group = checked(path, chunk_bytes=10_000)
    assert group["v"].manifest.nrefs > 10
    assert checked(path, chunk_bytes=None)["v"].manifest.nrefs == 1


def test_attributes_dimensions_and_scales(tmp_path: Path) -> None:
    path = tmp_path / "a.hdf"
    file = open_new(path)
    file.title = "of the file"
    file.attr("levels").set(SDC.FLOAT32, [1.0, 2.5])
    variable = create(file, "v", numbers((4, 3), "i2"))
    variable[:] = numbers((4, 3), "i2")
    variable.units = "K"
    variable.attr("number").set(SDC.INT16, 7)
    for axis, name in enumerate(("y", "x")):
        variable.dim(axis).setname(name)
    variable.dim(1).setscale(SDC.FLOAT64, [10.0, 20.0, 30.0])
    variable.dim(1).setstrs("label", "metre", "f8.2")
    variable.endaccess()
    file.end()
    group = checked(path)
    assert group.attributes["title"] == "of the file"
    np.testing.assert_array_equal(group.attributes["levels"], [1.0, 2.5])
    assert group["v"].metadata.attributes == {"units": "K", "number": np.int16(7)}
    assert group["v"].metadata.dimension_names == ("y", "x")
    assert group["x"].metadata.attributes["units"] == "metre"
    assert group["x"].metadata.dimension_names == ("x",)


def test_calibration_becomes_cf(tmp_path: Path) -> None:
    path = tmp_path / "a.hdf"
    for claims in (False, True):
        file = open_new(path)
        if claims:
            file.Conventions = "CF-1.6"
        variable = create(file, "v", numbers((4, 3), "i2"))
        variable[:] = numbers((4, 3), "i2")
        variable.setcal(0.5, 0.0, 20.0, 0.0, SDC.FLOAT32)
        variable.endaccess()
        file.end()
        attributes = checked(path)["v"].metadata.attributes
        assert attributes["scale_factor"] == 0.5
        assert attributes["add_offset"] == (20.0 if claims else -10.0)
        assert attributes.get("hdf4_add_offset") == (None if claims else 20.0)


def test_names(tmp_path: Path) -> None:
    path = tmp_path / "a.hdf"
    file = open_new(path)
    for name in ("a/b", "same", "same", "same"):
        variable = create(file, name, numbers((4,), "i2"))
        variable[:] = numbers((4,), "i2")
        variable.endaccess()
    file.end()
    assert [*checked(path).arrays] == ["a_b", "same", "same_2", "same_3"]
    kept = parse_file(HDF4Parser(drop_variables=["same", "same_3"]), path)
    assert [*kept.arrays] == ["a_b", "same_2"]
    with pytest.raises(UnsupportedFeatureError, match="no group"):
        parse_file(HDF4Parser(group="same"), path)


def test_rounds_where_descriptors_are_scattered(tmp_path: Path) -> None:
    """Each session that appends to a file leaves descriptors behind its data."""
    path = tmp_path / "a.hdf"
    open_new(path).end()
    values = numbers((500, 500), "f4")
    for session in range(12):
        file = SD(str(path), SDC.WRITE)
        variable = create(file, f"v{session}", values)
        variable[:] = values
        variable.endaccess()
        file.end()
    source = BytesSource(path.read_bytes(), path.as_uri())
    group = run(HDF4Parser().parse(path.as_uri()), CachingSource(source))
    assert len(group.arrays) == 12
    assert source.rounds <= 4
    assert source.bytes_read < path.stat().st_size // 4


def test_chunk_tables_are_read_as_columns(tmp_path: Path) -> None:
    path = tmp_path / "a.hdf"
    file = open_new(path)
    values = numbers((1000, 800), "i2")
    variable = create(file, "v", values)
    set_chunks(variable, (10, 20), DEFLATE, 0, 1, flags=COMPRESSED)
    variable[:] = values
    variable.endaccess()
    file.end()
    source = BytesSource(path.read_bytes(), path.as_uri())
    group = run(HDF4Parser().parse(path.as_uri()), CachingSource(source))
    assert group["v"].manifest.nrefs == 4000
    assert source.rounds <= 2


def test_circles_and_doubles_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.hdf"
    file = open_new(path)
    variable = create(file, "v", numbers((4,), "i2"))
    variable[:] = numbers((4,), "i2")
    variable.endaccess()
    file.end()
    whole = path.read_bytes()
    circle = whole[:6] + (4).to_bytes(4, "big") + whole[10:]
    twice = whole[:22] + whole[10:22] + whole[34:]
    for content, reason in ((circle, "circle"), (twice, "two data descriptors")):
        with pytest.raises(CorruptFileError, match=reason):
            run(HDF4Parser().parse("memory://a"), BytesSource(content, "memory://a"))
