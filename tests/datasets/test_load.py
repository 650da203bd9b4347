"""Loading variables: which, and with what values; the witness is xarray's own decoding."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import numcodecs
import numpy as np
import pytest
import xarray as xr

from virtual_groups import FileOfArrays, no_source
from virtualizarr.datasets.fetch import inlined
from virtualizarr.datasets.load import names_to_load
from virtualizarr.datasets.quick import quick_values
from virtualizarr.datasets.to_xarray import walk
from virtualizarr.datasets.virtual import Wanted, virtual_datasets
from virtualizarr.errors import ChangedSourceError, CorruptFileError
from virtualizarr.model import (
    ChunkManifest,
    Location,
    ManifestArray,
    ManifestGroup,
)

ZLIB = {"name": "numcodecs.zlib", "configuration": {"level": 1}}
SHUFFLE4 = {"name": "numcodecs.shuffle", "configuration": {"elementsize": 4}}


@pytest.fixture
def file(tmp_path: Path) -> FileOfArrays:
    return FileOfArrays(tmp_path / "bytes.bin")


def load(group: ManifestGroup, opener: Any, **wanted: Any) -> xr.Dataset:
    return virtual_datasets({"/": group}, opener, Wanted(**wanted))["/"]


def loaded(dataset: xr.Dataset) -> set[str]:
    return {
        str(name)
        for name, variable in dataset.variables.items()
        if not isinstance(variable._data, ManifestArray)
    }


def test_dimension_coordinates_are_decoded_as_xarray_decodes_them(file: FileOfArrays) -> None:
    days = np.array([1, 2, -9], "<i2")
    packed = {"scale_factor": np.float32(0.1), "add_offset": np.float32(5)}
    group = ManifestGroup(
        {
            "time": file.add(
                [0, 1, 2], ("time",), (2,), units="days since 2001-01-01", calendar="standard"
            ),
            "x": file.add(days, ("x",), _FillValue=np.int16(-9), **packed),
            "leap": file.add([59], ("leap",), units="days since 2001-01-01", calendar="noleap"),
            "a": file.add(np.zeros((3, 3)), ("time", "x")),
        }
    )
    stored = xr.Dataset(
        {"a": (("time", "x"), np.zeros((3, 3)))},
        coords={
            "time": (
                "time",
                [0, 1, 2],
                {"units": "days since 2001-01-01", "calendar": "standard"},
            ),
            "x": ("x", days, {"_FillValue": np.int16(-9), **packed}),
            "leap": ("leap", [59], {"units": "days since 2001-01-01", "calendar": "noleap"}),
        },
    )
    expected = xr.decode_cf(stored)

    found = load(group, file.source)

    assert loaded(found) == {"time", "x", "leap"}
    for name in ("time", "x", "leap"):
        xr.testing.assert_identical(found[name], expected[name])
        assert found[name].dtype == expected[name].dtype
        assert name in found.indexes
        for key in ("units", "calendar", "scale_factor", "_FillValue", "dtype"):
            assert found[name].encoding.get(key) == expected[name].encoding.get(key)


def test_everything_is_fetched_in_one_opening_and_nothing_if_nothing_is_loaded(
    file: FileOfArrays,
) -> None:
    group = ManifestGroup(
        {name: file.add([1, 2, 3], (name,), (1,)) for name in "xyz"},
        {"g": ManifestGroup({"w": file.add([1], ("w",))})},
    )
    nodes = virtual_datasets(walk(group), file.source, Wanted())
    assert loaded(nodes["/"]) == {"x", "y", "z"}
    assert loaded(nodes["/g"]) == {"w"}
    assert len(file.opened) == 1
    assert loaded(load(group, no_source, loadable_variables=[])) == set()


@pytest.mark.parametrize("names", [["a"], ("a",), {"a"}, {"a": 1}.keys(), "a", ["/a", "absent"]])
def test_any_collection_of_names_will_do(file: FileOfArrays, names: Any) -> None:
    group = ManifestGroup({"x": file.add([1, 2], ("x",)), "a": file.add([3, 4], ("x",))})
    found = load(group, file.source, loadable_variables=names)
    assert loaded(found) == {"a"}
    assert found.a.values.tolist() == [3, 4]
    assert not found.xindexes


def test_names_and_paths_choose_in_trees(file: FileOfArrays) -> None:
    def leaf() -> ManifestGroup:
        return ManifestGroup({"a": file.add([1], ("x",)), "b": file.add([1], ("x",))})

    group = ManifestGroup({}, {"g": leaf(), "h": leaf()})
    chosen = {
        path: names_to_load(node, ["/g/a", "b"], node=path) for path, node in walk(group).items()
    }
    assert chosen == {"/": [], "/g": ["a", "b"], "/h": ["b"]}


def test_decode_times_may_be_off(file: FileOfArrays) -> None:
    group = ManifestGroup({"time": file.add([0, 1], ("time",), units="days since 2001-01-01")})
    found = load(group, file.source, decoding={"decode_times": False})
    assert found.time.dtype == np.int64
    assert found.time.attrs == {"units": "days since 2001-01-01"}


def test_bad_times_say_how_to_go_on(file: FileOfArrays) -> None:
    group = ManifestGroup({"time": file.add([0, 1], ("time",), units="days since last summer")})
    with pytest.raises(CorruptFileError, match="decode_times=False"):
        load(group, file.source)


def test_loaded_bounds_are_decoded_with_the_units_of_a_virtual_time(file: FileOfArrays) -> None:
    group = ManifestGroup(
        {
            "time": file.add([1], ("time",), units="days since 2001-01-01", bounds="time_bnds"),
            "time_bnds": file.add([[0, 1]], ("time", "nv")),
        }
    )
    found = load(group, file.source, loadable_variables=["time_bnds"])
    assert found.time_bnds.values.astype("M8[D]").tolist() == [
        [np.datetime64("2001-01-01").item(), np.datetime64("2001-01-02").item()]
    ]


def shuffled(data: bytes) -> bytes:
    return zlib.compress(numcodecs.Shuffle(4).encode(data).tobytes())


CASES = {
    "plain": {},
    "chunked": {"chunk_shape": (2, 3)},
    "zlib": {"chunk_shape": (2, 3), "encode": zlib.compress, "codecs": [ZLIB]},
    "shuffled": {"chunk_shape": (3, 4), "encode": shuffled, "codecs": [SHUFFLE4, ZLIB]},
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
@pytest.mark.parametrize("dtype", ["<f4", ">i4", "<u4", "S4"])
def test_quick_values_are_those_of_zarr(
    file: FileOfArrays, case: dict[str, Any], dtype: str
) -> None:
    values = np.arange(35).reshape(5, 7).astype(dtype)
    array = inlined({"a": file.add(values, ("y", "x"), **case)}, file.source)["a"]
    found = quick_values(array)
    assert found is not None
    assert found.dtype == values.dtype.newbyteorder("=")
    np.testing.assert_array_equal(found, values)


def test_missing_chunks_are_filled(file: FileOfArrays) -> None:
    array = file.add(np.arange(6, dtype="<i4"), ("x",), (2,), fill_value=-7)
    manifest = array.manifest
    present = np.array([True, False, True])
    sparse = ChunkManifest.single_file(
        file.location, np.asarray(manifest.offset), np.asarray(manifest.length), present
    )
    inline = inlined({"a": ManifestArray(array.metadata, sparse)}, file.source)["a"]
    found = quick_values(inline)
    assert found is not None
    assert found.tolist() == [0, 1, -7, -7, 4, 5]


@pytest.mark.parametrize("shape", [(0,), (0, 3)])
def test_arrays_without_elements(file: FileOfArrays, shape: tuple[int, ...]) -> None:
    array = file.add(np.zeros(shape, "<f4"), ("x", "y")[: len(shape)], (2, 2)[: len(shape)])
    found = load(ManifestGroup({"x": array}), file.source, loadable_variables=["x"])
    assert found.x.values.shape == shape
    assert file.opened == []


def test_checksums_are_seen_to_on_the_way(file: FileOfArrays) -> None:
    values = np.array([3, 5, 9], "<i4")
    array = file.add(
        values,
        ("x",),
        encode=lambda data: bytes(numcodecs.Fletcher32().encode(data)),
        codecs=[{"name": "numcodecs.fletcher32", "configuration": {}}],
    )
    quick = quick_values(inlined({"x": array}, file.source)["x"])
    assert quick is not None
    assert quick.tolist() == [3, 5, 9]
    found = load(ManifestGroup({"x": array}), file.source)
    assert found.x.values.tolist() == [3, 5, 9]


def test_unusual_codecs_are_left_to_zarr(file: FileOfArrays) -> None:
    values = np.array([3, 5, 9], "<i4")
    array = file.add(
        values,
        ("x",),
        encode=lambda data: np.frombuffer(data, "u1").reshape(-1, 4).T.tobytes(),
        codecs=[{"name": "virtualizarr.shuffle", "configuration": {"elementsize": 4}}],
    )
    assert quick_values(inlined({"x": array}, file.source)["x"]) is None
    found = load(ManifestGroup({"x": array}), file.source)
    assert found.x.values.tolist() == [3, 5, 9]


def test_strings_are_loaded(file: FileOfArrays) -> None:
    texts = numcodecs.VLenUTF8().encode(np.array(["a", "", "é"], object))
    template = file.add(np.array(["", "", ""], np.dtypes.StringDType()).astype("U1"), ("x",))
    metadata = template.metadata.replace(
        data_type="string", codecs=({"name": "vlen-utf8"},), fill_value=""
    )
    array = ManifestArray(metadata, ChunkManifest.inlined(bytes(texts)).reshape_grid((1,)))
    found = load(ManifestGroup({"x": array}), no_source)
    assert found.x.values.tolist() == ["a", "", "é"]
    assert found.x.dtype == object


def test_a_file_that_ends_too_early_is_an_error_with_the_place(file: FileOfArrays) -> None:
    array = file.add(np.arange(100), ("x",), (10,))
    file.path.write_bytes(file.path.read_bytes()[:-5])
    with pytest.raises(CorruptFileError, match="ends inside a chunk") as caught:
        load(ManifestGroup({"x": array}), file.source)
    assert caught.value.url == file.location.url
    assert caught.value.at == 4 + 90 * 8


def test_a_changed_file_is_not_read(file: FileOfArrays) -> None:
    array = file.add(np.arange(10), ("x",))
    parsed = Location(file.location.url, size=file.path.stat().st_size + 1)
    moved = ChunkManifest.single_file(
        parsed, np.asarray(array.manifest.offset), np.asarray(array.manifest.length)
    )
    group = ManifestGroup({"x": ManifestArray(array.metadata, moved)})
    with pytest.raises(ChangedSourceError, match="size"):
        load(group, file.source)


def test_a_bomb_does_not_explode(file: FileOfArrays) -> None:
    bomb = zlib.compress(bytes(50_000_000))
    array = file.add(np.zeros(4, "<i4"), ("x",), encode=lambda _: bomb, codecs=[ZLIB])
    with pytest.raises(CorruptFileError, match="more than"):
        load(ManifestGroup({"x": array}), file.source)
