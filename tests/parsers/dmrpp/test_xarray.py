"""DMR++ documents in xarray: combined along time, written, and read back, also without us."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import h5py
import netCDF4
import numpy as np
import pytest
import xarray as xr
import zarr
from obspec_utils.registry import ObjectStoreRegistry
from obstore.store import LocalStore

import dmrpp_documents
import virtualizarr
from virtualizarr.errors import CombineError
from virtualizarr.parsers import DMRPPParser

DAYS = 3


def write_day(path: Path, day: int, *, offset: float = 5.0) -> Path:
    """Write a netCDF-4 file and its document; return the document."""
    random = np.random.default_rng(day)
    with netCDF4.Dataset(path, "w") as nc:
        for name, size in {"time": None, "y": 7, "x": 9}.items():
            nc.createDimension(name, size)
        time = nc.createVariable("time", "f8", ("time",))
        time.units = "days since 2000-01-01"
        time[:] = [day, day + 0.5]
        nc.createVariable("y", "f4", ("y",))[:] = np.arange(7) / 2
        nc.createVariable("x", ">f4", ("x",), endian="big")[:] = np.arange(9)
        packed = nc.createVariable(
            "packed",
            "i2",
            ("time", "y", "x"),
            fill_value=-9,
            zlib=True,
            shuffle=True,
            fletcher32=True,
            chunksizes=(1, 4, 5),
        )
        packed.scale_factor, packed.add_offset = 0.5, offset
        packed[:] = random.integers(0, 100, (2, 7, 9)) / 2 + offset
        packed[0, 0, 0] = np.ma.masked
        nc.createVariable("big", ">f8", ("time", "x"), endian="big")[:] = random.random((2, 9))
        nc.title = "a day"
    with h5py.File(path, "a") as file:
        file["packed"].attrs["long_name"] = "a packed variable"
    return dmrpp_documents.write_document(path)


@pytest.fixture
def documents(tmp_path: Path) -> list[str]:
    return [str(write_day(tmp_path / f"{day}.nc", day)) for day in range(DAYS)]


def expected(documents: Sequence[str]) -> xr.Dataset:
    files = [path.removesuffix(".dmrpp") for path in documents]
    return xr.open_mfdataset(files, combine="by_coords").load()


def combined(documents: Sequence[str]) -> xr.Dataset:
    return xr.open_mfdataset(documents, engine="virtualizarr", combine="by_coords")


def test_a_document_opens_as_its_file_does(documents: list[str]) -> None:
    with (
        xr.open_dataset(documents[0], engine="virtualizarr", virtual=False) as found,
        xr.open_dataset(documents[0].removesuffix(".dmrpp")) as file,
    ):
        xr.testing.assert_equal(found.load(), file.load())
        assert found.attrs["title"] == "a day"
        assert found.packed.attrs["long_name"] == "a packed variable"


@pytest.mark.parametrize("name", ["refs.json", "refs.parquet"])
def test_combined_along_time_and_read_back_from_kerchunk(
    tmp_path: Path, documents: list[str], name: str
) -> None:
    target = tmp_path / name
    combined(documents).virtualize.to_kerchunk(str(target), format=name.partition(".")[2])
    with xr.open_dataset(target, engine="virtualizarr") as found:
        xr.testing.assert_equal(found.load(), expected(documents))


def test_read_at_once_without_writing(documents: list[str]) -> None:
    xr.testing.assert_equal(combined(documents).vz.open().load(), expected(documents))


def test_references_are_to_the_data_files(documents: list[str]) -> None:
    vds = virtualizarr.open_virtual_dataset(documents[0], loadable_variables=[])
    (location,) = {place.url for place in vds.packed.data.locations}
    assert location == Path(documents[0]).with_suffix("").as_uri()


def test_other_packing_is_not_concatenated(tmp_path: Path) -> None:
    paths = [str(write_day(tmp_path / f"{d}.nc", d, offset=float(d))) for d in range(2)]
    with pytest.raises(CombineError, match="add_offset"):
        combined(paths)


def test_virtualizarr_2_calls_it_so(documents: list[str]) -> None:
    store = DMRPPParser(group=None, skip_variables=["big"])(documents[0])
    assert "packed" in store.group.arrays
    assert "big" not in store.group.arrays


def test_on_an_event_loop(tmp_path: Path) -> None:
    raw = np.arange(12, dtype="<i4").tobytes()
    (tmp_path / "a.h5").write_bytes(raw[30:] + b"gap" + raw[:30])
    blocks = '<dmrpp:block offset="21" nBytes="30"/><dmrpp:block offset="0" nBytes="18"/>'
    body = f'<Int32 name="v"><Dim size="12"/><dmrpp:chunks>{blocks}</dmrpp:chunks></Int32>'
    document = tmp_path / "x.dmrpp"
    document.write_text(dmrpp_documents.document(body, href="data/a.h5"))
    group = asyncio.run(virtualizarr.parse_async(document))
    assert group == virtualizarr.parse(document)
    assert group.arrays["v"].manifest.inline == raw


def test_with_a_registry(documents: list[str]) -> None:
    registry = ObjectStoreRegistry({"file://": LocalStore()})
    store = DMRPPParser()(Path(documents[0]).as_uri(), registry)
    found = zarr.open_group(store, mode="r")["packed"][...]
    with netCDF4.Dataset(documents[0].removesuffix(".dmrpp")) as nc:
        nc.set_auto_maskandscale(False)
        np.testing.assert_array_equal(found, nc["packed"][...])


PROGRAM = """
import sys, warnings
import numpy as np
import zarr

warnings.simplefilter("ignore")
store = zarr.storage.FsspecStore.from_url(
    "reference://",
    storage_options={"fo": sys.argv[1], "remote_protocol": "file", "asynchronous": True},
    read_only=True,
)
root = zarr.open_group(store, mode="r", zarr_format=2)
np.savez(sys.argv[2], **{name: root[name][...] for name in root.array_keys()})
assert not any(name.startswith("virtualizarr.parsers") for name in sys.modules)
"""


def test_a_process_that_only_imports_zarr_decodes_it(tmp_path: Path) -> None:
    path = tmp_path / "records.h5"
    aligned = np.dtype([("a", "<f8"), ("b", "<i2"), ("c", "<f4", (2,))], align=True)
    values = np.zeros(6, aligned)
    values["a"], values["b"], values["c"] = np.arange(6), 7, np.arange(12).reshape(6, 2)
    with h5py.File(path, "w") as file:
        file.create_dataset("s", data=values, chunks=(4,), shuffle=True, compression=5)
    document = dmrpp_documents.write_document(path)
    vds = virtualizarr.open_virtual_dataset(document, group="s", loadable_variables=[])
    vds.virtualize.to_kerchunk(str(tmp_path / "refs.json"), format="json")
    arguments = [str(tmp_path / "refs.json"), str(tmp_path / "found.npz")]
    subprocess.run([sys.executable, "-c", PROGRAM, *arguments], check=True, timeout=100)
    with np.load(tmp_path / "found.npz") as found:
        for name in aligned.names or ():
            np.testing.assert_array_equal(found[name], values[name])
