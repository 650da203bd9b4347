"""Every DMR++ document at hand: each variable equals what h5py reads of its file, or is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import zarr

import virtualizarr
from virtualizarr.errors import SourceNotFoundError, VirtualizeError
from virtualizarr.model import ManifestGroup
from virtualizarr.store import ManifestStore
from virtualizarr.testing import same_values

FOLDERS = [above / "shared" / "data" / "dmrpp" for above in Path(__file__).resolve().parents]
FOLDER = next(filter(Path.is_dir, FOLDERS), FOLDERS[0])
DOCUMENTS = sorted(FOLDER.rglob("*.dmrpp"))
REFUSED = {
    "chunked_scalar_string.h5.dmrpp",  # a string in the heap
    "FletcherShuffle.nc4.dmrpp",  # made for another version of the file beside it
    "grid_1_2d_missing.h5.dmrpp",  # two variables without bytes
}
RIGHT_AT_LEAST = 0.95

pytestmark = pytest.mark.skipif(not DOCUMENTS, reason="the shared files are not here")


def hdf5_of(document: Path) -> Path | None:
    """Return the HDF5 file that a document describes; None if it is not there."""
    for path in (document.with_suffix(""), document.with_suffix(".h5")):
        if path != document and path.is_file() and h5py.is_hdf5(path):
            return path
    return None


def expected(file: h5py.File, path: str, attributes: Any) -> Any:
    """Return a variable's values, None if the file has none of that name."""
    parent, _, name = path.rpartition("/")
    full = attributes.get("fullnamepath")
    names = [full] if isinstance(full, str) else []
    for each in (*names, f"{parent}/_nc4_non_coord_{name}", path):
        if isinstance(file.get(each), h5py.Dataset):
            return regular(file[each])
    compound = file.get(parent) if parent else None
    if isinstance(compound, h5py.Dataset) and compound.dtype.names:
        return compound[()][name]
    return None


def regular(dataset: h5py.Dataset) -> Any:
    """Return values; sequences of varying length are filled up with zeros, as Hyrax does."""
    values = dataset[()]
    if h5py.check_vlen_dtype(dataset.dtype) in (None, str, bytes):
        return values
    longest = max(map(len, values.flat))
    filled = [np.pad(each, (0, longest - len(each))) for each in values.flat]
    return np.array(filled).reshape(*values.shape, longest)


def differences(group: ManifestGroup, path: Path) -> tuple[int, list[str]]:
    """Return how many variables were compared, and which differ."""
    root = zarr.open_group(ManifestStore(group), mode="r", zarr_format=3)
    compared, wrong = 0, []
    with h5py.File(path) as file:
        for name, array in group.walk_arrays():
            values = expected(file, name, array.metadata.attributes)
            if values is None:
                continue
            try:
                found = root[name][...]
            except SourceNotFoundError:  # in a file of its own, which is not there
                continue
            compared += 1
            if not same_values(found, values):
                wrong.append(name)
    return compared, wrong


def test_values_of_all_documents(capsys: pytest.CaptureFixture[str]) -> None:
    rows: list[str] = []
    wrong: list[str] = []
    refused: set[str] = set()
    right = checkable = 0
    for document in DOCUMENTS:
        path = hdf5_of(document)
        checkable += path is not None
        name = document.name
        try:
            group = virtualizarr.parse(document)
        except VirtualizeError as error:
            refused.add(name)
            rows.append(f"{name:60} refused: {error.reason[:70]}")
            continue
        if path is None:
            continue
        compared, different = differences(group, path)
        wrong += [f"{name}: {each}" for each in different]
        right += not different
        rows.append(f"{name:60} {compared} right" + (f", wrong: {different}" if different else ""))
    with capsys.disabled():
        counts = f"checkable {checkable}, right {right}, wrong {len(wrong)}"
        print("", *rows, f"{len(DOCUMENTS)} documents, {counts}, refused {refused}", sep="\n")
    assert wrong == []
    assert refused == REFUSED
    assert right >= RIGHT_AT_LEAST * checkable


def test_documents_of_hdf4_files() -> None:
    hdf4_files = pytest.importorskip("hdf4_files")
    compared = 0
    for document in DOCUMENTS:
        path = document.with_suffix("")
        if path.suffix != ".hdf" or not path.is_file():
            continue
        group = virtualizarr.parse(document)
        root = zarr.open_group(ManifestStore(group), mode="r", zarr_format=3)
        values, _ = hdf4_files.values_of(path)
        for name, _ in group.walk_arrays():
            leaf = name.rpartition("/")[2]
            alike = [each for known, each in values if known.partition("_2")[0] == leaf]
            if alike:
                found = root[name][...]
                assert any(same_values(found, each) for each in alike), f"{document.name}: {name}"
                compared += 1
    assert compared >= 6


def test_tables_of_hdf4_files() -> None:
    """The oracle is the HDF4 library's interface for vdatas."""
    pytest.importorskip("pyhdf")
    from pyhdf.HDF import HDF
    from pyhdf.VS import VS  # gives HDF its vstart

    documents = [each for each in DOCUMENTS if each.name.startswith("vdata")]
    assert documents
    assert VS is not None
    for document in documents:
        group = virtualizarr.parse(document)
        root = zarr.open_group(ManifestStore(group), mode="r", zarr_format=3)
        if "Mixed_Data_Vdata" in group.arrays:
            reference = group.arrays["Mixed_Data_Vdata"].metadata.attributes["dmr_vdata_ref"]
            found = root["Mixed_Data_Vdata"][...].tolist()
        else:
            table = group.groups["vgroup"].groups["Test_Vset_Name"]
            reference = table.attributes["dmr_vdata_ref"]
            columns = [root[f"vgroup/Test_Vset_Name/{name}"][...].tolist() for name in table]
            found = [*zip(*columns, strict=True)]
        file = HDF(str(document.with_suffix("")))
        tables = file.vstart()
        records = tables.attach(int(reference)).read(len(found))
        plain = [[[*v.encode()] if isinstance(v, str) else v for v in row] for row in records]
        assert [list(each) for each in found] == plain
        tables.end()
        file.close()
