"""What VirtualiZarr 2.8 and kerchunk 0.2.10 get wrong without saying so: here right, or refused.

One test a line of the list, through the public functions. The values' witness is h5py or numpy.
What they do in Python for each chunk, or quadratically, is in `test_peer_costs.py`.
"""

from __future__ import annotations

import ast
import errno
import json
import os
import tracemalloc
import zlib
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import xarray as xr
import zarr

import virtualizarr
from servers.ranges import RangeServer
from virtualizarr.errors import (
    ChangedSourceError,
    CombineError,
    ForbiddenReferenceError,
    UnsupportedFeatureError,
    VirtualizeError,
)
from virtualizarr.manifests import ChunkManifest
from virtualizarr.plugins import installed_parsers

JOIN: dict[str, Any] = {"data_vars": "minimal", "coords": "minimal", "compat": "override"}


def read(path: Path, name: str) -> Any:
    return zarr.open_group(virtualizarr.open_store(path), mode="r")[name][...]


def concat(*paths: Path) -> xr.Dataset:
    datasets = [virtualizarr.open_virtual_dataset(path, loadable_variables=[]) for path in paths]
    return xr.concat(datasets, "v", join="override", **JOIN)


def test_compact_layout_is_not_fill(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "f.h5", "w") as f:
        properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        properties.set_layout(h5py.h5d.COMPACT)
        space = h5py.h5s.create_simple((200,))
        made = h5py.h5d.create(f.id, b"v", h5py.h5t.NATIVE_DOUBLE, space, properties)
        made.write(h5py.h5s.ALL, h5py.h5s.ALL, np.arange(200.0))
    np.testing.assert_array_equal(read(tmp_path / "f.h5", "v"), np.arange(200.0))


def test_virtual_datasets_are_not_fill(tmp_path: Path) -> None:
    layout = h5py.VirtualLayout(shape=(3, 8), dtype="i4")
    for i in range(3):
        with h5py.File(tmp_path / f"{i}.h5", "w") as f:
            f["v"] = np.arange(8, dtype="i4") + 10 * i
        layout[i] = h5py.VirtualSource(tmp_path / f"{i}.h5", "v", shape=(8,))
    with h5py.File(tmp_path / "vds.h5", "w") as f:
        f.create_virtual_dataset("v", layout)
    found = read(tmp_path / "vds.h5", "v")
    np.testing.assert_array_equal(found, np.arange(8) + 10 * np.arange(3)[:, None])


def test_external_raw_storage_is_not_fill(tmp_path: Path) -> None:
    values = np.arange(20, dtype="f8")
    (tmp_path / "raw.bin").write_bytes(bytes(16) + values.tobytes())
    with h5py.File(tmp_path / "f.h5", "w") as f:
        f.create_dataset("v", (20,), "f8", external=[("raw.bin", 16, 160)])
    np.testing.assert_array_equal(read(tmp_path / "f.h5", "v"), values)


def test_an_external_link_leads_to_the_other_file(tmp_path: Path) -> None:
    for name, value in (("a", 1.0), ("b", 2.0)):
        with h5py.File(tmp_path / f"{name}.h5", "w") as f:
            f["v"] = np.full(5, value)
            if name == "a":
                f["linked"] = h5py.ExternalLink("b.h5", "/v")
    assert read(tmp_path / "a.h5", "linked").tolist() == [2.0] * 5


def test_an_unallocated_dataset_costs_nothing(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "f.h5", "w") as f:
        f.create_dataset("v", (5000, 5000), "f4", chunks=(1, 1), fillvalue=3.0)
    vds = virtualizarr.open_virtual_dataset(tmp_path / "f.h5", loadable_variables=[])
    assert vds["v"].shape == (5000, 5000)
    assert vds.virtualize.nbytes < 10_000
    with vds.virtualize.open() as ds:
        assert ds["v"][4990:, 0].values.tolist() == [3.0] * 10


def test_chunks_that_skip_a_filter_read_right(tmp_path: Path) -> None:
    values = np.arange(40, dtype="i4")
    with h5py.File(tmp_path / "f.h5", "w") as f:
        made = f.create_dataset("v", (40,), "i4", chunks=(10,), compression=4, shuffle=True)
        made[...] = values
        made.id.write_direct_chunk((10,), values[10:20].tobytes(), filter_mask=0b11)
    np.testing.assert_array_equal(read(tmp_path / "f.h5", "v"), values)


def test_cyclic_links_broken_links_and_latin1_attributes(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "f.h5", "w") as f:
        group = f.create_group("g")
        group["again"] = group
        f["nowhere"] = h5py.SoftLink("/not/there")
        f["v"] = np.arange(3.0)
        f["v"].attrs.create("place", np.bytes_("Malmö".encode("latin-1")))
    vds = virtualizarr.open_virtual_dataset(tmp_path / "f.h5", loadable_variables=[])
    assert vds["v"].attrs["place"] == "Malmö"
    assert list(vds.variables) == ["v"]


def test_renaming_does_not_invent_references_for_missing_chunks(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "f.h5", "w") as f:
        f.create_dataset("v", (40,), "i4", chunks=(10,))[:10] = 1
    vds = virtualizarr.open_virtual_dataset(tmp_path / "f.h5", loadable_variables=[])
    assert vds.virtualize.nrefs() == 1
    renamed = vds.virtualize.rename_paths("s3://bucket/f.h5")
    assert renamed.virtualize.nrefs() == 1
    assert renamed["v"].data.manifest.dict().keys() == {"0"}


@pytest.mark.parametrize(
    ("attribute", "first", "second"),
    [
        ("scale_factor", 0.1, 0.2),
        ("add_offset", 273.15, 0.0),
        ("_FillValue", np.int16(-1), np.int16(-9)),
        ("missing_value", np.int16(-1), np.int16(-9)),
        ("units", "days since 2000-01-01", "days since 2001-01-01"),
        ("calendar", "standard", "noleap"),
    ],
)
def test_the_first_cf_encoding_is_not_taken_for_all(
    tmp_path: Path, attribute: str, first: Any, second: Any
) -> None:
    for name, value in (("a", first), ("b", second)):
        with h5py.File(tmp_path / f"{name}.h5", "w") as f:
            made = f.create_dataset("v", data=np.arange(4, dtype="i2"), chunks=(2,))
            if attribute == "calendar":
                made.attrs["units"] = "days since 2000-01-01"
            made.attrs[attribute] = value
            made.make_scale()
    with pytest.raises(CombineError, match=rf"{attribute}.*"):
        concat(tmp_path / "a.h5", tmp_path / "b.h5")


@pytest.mark.parametrize(
    ("what", "first", "second"),
    [
        ("fill", {"fillvalue": -1}, {"fillvalue": -9}),
        ("dtype|float", {"dtype": "f4"}, {"dtype": "f8"}),
        ("codec|decod|endian|order", {"dtype": ">i4"}, {"dtype": "<i4"}),
        ("codec|decod|shuffle", {"shuffle": True}, {"shuffle": False}),
    ],
)
def test_differing_storage_is_not_joined(
    tmp_path: Path, what: str, first: dict[str, Any], second: dict[str, Any]
) -> None:
    for name, options in (("a", first), ("b", second)):
        with h5py.File(tmp_path / f"{name}.h5", "w") as f:
            given = {"dtype": "i4", "chunks": (2,), "compression": 4, **options}
            f.create_dataset("v", (4,), **given)[...] = 1
            f["v"].make_scale()
    with pytest.raises(CombineError, match=rf"(?i){what}"):
        concat(tmp_path / "a.h5", tmp_path / "b.h5")


def test_another_gzip_level_is_no_difference(tmp_path: Path) -> None:
    for level in (1, 9):
        with h5py.File(tmp_path / f"{level}.h5", "w") as f:
            f.create_dataset("v", data=np.arange(4.0) * level, chunks=(2,), compression=level)
            f["v"].make_scale()
    with concat(tmp_path / "1.h5", tmp_path / "9.h5").virtualize.open() as ds:
        assert ds["v"].values.tolist() == [0, 1, 2, 3, 0, 9, 18, 27]


def references(**more: Any) -> dict[str, Any]:
    array = {
        "zarr_format": 2,
        "shape": [2, 3],
        "chunks": [1, 3],
        "dtype": "<i2",
        "compressor": None,
        "filters": None,
        "fill_value": None,
        "order": "C",
        **more.pop("zarray", {}),
    }
    refs = {
        ".zgroup": '{"zarr_format": 2}',
        "v/.zarray": json.dumps(array),
        "v/.zattrs": '{"_ARRAY_DIMENSIONS": ["y", "x"]}',
    }
    return refs | more


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "table.bin"
    path.write_bytes(np.arange(6, dtype="<i2").tobytes())
    return path


def values(refs: dict[str, Any]) -> list[list[int]]:
    group = virtualizarr.parse(refs)
    return zarr.open_group(virtualizarr.open_store(group), mode="r")["v"][...].tolist()


def test_kerchunk_version_0_is_read(table: Path) -> None:
    refs = references(**{"v/0.0": [str(table), 0, 6], "v/1.0": [str(table), 6, 6]})
    assert values(refs) == [[0, 1, 2], [3, 4, 5]]


def test_kerchunk_templates_and_gen_are_read(table: Path) -> None:
    gen = {"key": "v/{{i}}.0", "url": "{{u}}", "offset": "{{i * 6}}", "length": "6"}
    gen["dimensions"] = {"i": {"stop": 2}}
    refs = {"version": 1, "templates": {"u": str(table)}, "gen": [gen], "refs": references()}
    assert values(refs) == [[0, 1, 2], [3, 4, 5]]


def test_kerchunk_order_f_is_kept(table: Path) -> None:
    whole = {"zarray": {"order": "F", "chunks": [2, 3]}}
    assert values(references(**whole, **{"v/0.0": [str(table), 0, 12]})) == [[0, 2, 4], [1, 3, 5]]


def test_kerchunk_slash_keys_are_read(table: Path) -> None:
    slashed = {"zarray": {"dimension_separator": "/"}}
    refs = references(**slashed, **{"v/0/0": [str(table), 0, 6], "v/1/0": [str(table), 6, 6]})
    assert values(refs) == [[0, 1, 2], [3, 4, 5]]


def test_kerchunk_nested_groups_are_kept(table: Path) -> None:
    inner = references(**{"v/0.0": [str(table), 0, 6], "v/1.0": [str(table), 6, 6]})
    nested = {f"g/{key}": value for key, value in inner.items()}
    group = virtualizarr.parse({".zgroup": '{"zarr_format": 2}', **nested})
    assert list(group.groups["g"].arrays) == ["v"]


def test_templates_run_no_code() -> None:
    hostile = "{{ ''.__class__.__mro__[1].__subclasses__() }}"
    gen = {"key": "v/{{i}}.0", "url": hostile, "dimensions": {"i": [0, 1]}}
    for refs in (
        {"version": 1, "gen": [gen], "refs": references()},
        {
            "version": 1,
            "templates": {"u": hostile},
            "refs": references(**{"v/0.0": ["{{u}}", 0, 6]}),
        },
    ):
        with pytest.raises(VirtualizeError):
            virtualizarr.parse(refs)


def test_sharded_arrays_keep_their_codec_or_are_refused(tmp_path: Path) -> None:
    document = {
        "zarr_format": 3,
        "node_type": "array",
        "shape": [8],
        "data_type": "int16",
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [4]}},
        "chunk_key_encoding": {"name": "default"},
        "fill_value": 0,
        "codecs": [
            {
                "name": "sharding_indexed",
                "configuration": {
                    "chunk_shape": [2],
                    "codecs": [{"name": "bytes", "configuration": {"endian": "little"}}],
                    "index_codecs": [{"name": "bytes", "configuration": {"endian": "little"}}],
                },
            }
        ],
        "attributes": {},
    }
    array = virtualizarr.model.ManifestArray(document, ChunkManifest({}, shape=(2,)))
    group = virtualizarr.model.ManifestGroup(arrays={"v": array})
    vds = virtualizarr.open_virtual_dataset(group, loadable_variables=[])
    with pytest.raises(UnsupportedFeatureError, match="shard"):
        vds.virtualize.to_kerchunk(format="dict")
    again = virtualizarr.parse(vds.virtualize.to_kerchunk(format="dict", zarr_format=3))
    assert again["v"].metadata.codecs[0]["name"] == "sharding_indexed"


def test_scalars_are_found_by_other_readers(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "f.h5", "w") as f:
        f["scalar"] = np.float32(2.5)
    vds = virtualizarr.open_virtual_dataset(tmp_path / "f.h5", loadable_variables=[])
    vds.virtualize.to_kerchunk(tmp_path / "f.json", format="json")
    with xr.open_dataset(str(tmp_path / "f.json"), engine="kerchunk") as ds:
        assert ds["scalar"].item() == 2.5


def test_a_sparse_dataset_is_not_lost_when_it_is_concatenated(tmp_path: Path) -> None:
    for name in ("a", "b"):
        with h5py.File(tmp_path / f"{name}.h5", "w") as f:
            made = f.create_dataset("v", (100, 50), "f4", chunks=(10, 50), fillvalue=3.0)
            if name == "b":
                made[20:30] = 7.0
            for axis, dimension in enumerate(("y", "x")):
                f[dimension] = np.arange(made.shape[axis])
                f[dimension].make_scale()
                made.dims[axis].attach_scale(f[dimension])
    opened = [
        virtualizarr.open_virtual_dataset(tmp_path / f"{name}.h5", loadable_variables=[])
        for name in ("a", "b")
    ]
    joined = xr.concat([vds.drop_vars(["x", "y"]) for vds in opened], "y", **JOIN)
    assert joined["v"].data.manifest.nrefs == 1
    with joined.virtualize.open() as ds:
        expected = np.full((200, 50), 3.0, "f4")
        expected[120:130] = 7.0
        np.testing.assert_array_equal(ds["v"].values, expected)


def day(path: Path, number: int, chunk: int = 2) -> xr.Dataset:
    """Write four time steps, chunked by `chunk`, and open them as references."""
    with h5py.File(path, "w") as f:
        values = np.arange(12.0).reshape(4, 3) + 100 * number
        made = f.create_dataset("v", data=values, chunks=(chunk, 3), maxshape=(None, 3))
        f["time"] = np.arange(4) + 4 * number
        f["time"].make_scale()
        made.dims[0].attach_scale(f["time"])
    return virtualizarr.open_virtual_dataset(path, loadable_variables=["time"])


def values_in(target: Path) -> list[float]:
    with xr.open_dataset(target, engine="virtualizarr") as ds:
        return ds["v"].values[:, 0].tolist()


def test_an_icechunk_append_onto_a_partial_chunk_is_right_or_refused(tmp_path: Path) -> None:
    """Chunks of three in a day of four: the last one is partial, and cannot be filled up."""
    target = tmp_path / "repo"
    day(tmp_path / "0.h5", 0, chunk=3).vz.to_icechunk(target)
    before = values_in(target)
    try:
        day(tmp_path / "1.h5", 1, chunk=3).vz.to_icechunk(target, append_dim="time")
    except (CombineError, UnsupportedFeatureError):
        assert values_in(target) == before
    else:
        assert values_in(target) == [*before, *(value + 100 for value in before)]


def test_an_icechunk_append_that_is_run_twice_adds_nothing(tmp_path: Path) -> None:
    target = tmp_path / "repo"
    first, second = day(tmp_path / "0.h5", 0), day(tmp_path / "1.h5", 1)
    first.vz.to_icechunk(target)
    second.vz.to_icechunk(target, append_dim="time")
    once = values_in(target)
    with pytest.warns(UserWarning, match="nothing to do"):
        second.vz.to_icechunk(target, append_dim="time")
    assert values_in(target) == once == [*(0, 3, 6, 9), *(100, 103, 106, 109)]


DMRPP = """<?xml version="1.0" encoding="ISO-8859-1"?>
<Dataset xmlns="http://xml.opendap.org/ns/DAP/4.0#"
    xmlns:dmrpp="http://xml.opendap.org/dap/dmrpp/1.0.0#" dapVersion="4.0" dmrVersion="1.0"
    name="data.bin" dmrpp:href="data.bin" dmrpp:version="3.20.9">
  <Dimension name="x" size="4"/>
  <Int32 name="v"><Dim name="/x"/>
    <dmrpp:chunks {attributes}>
      <dmrpp:chunkDimensionSizes>4</dmrpp:chunkDimensionSizes>
      <dmrpp:chunk offset="8" nBytes="16" chunkPositionInArray="[0]"/>
    </dmrpp:chunks>
  </Int32>
</Dataset>
"""


@pytest.mark.skipif(
    "dmrpp" not in {parser.name for parser in installed_parsers()}, reason="no parser of DMR++"
)
def test_dmrpp_byte_order_and_filters_are_obeyed_or_refused(tmp_path: Path) -> None:
    (tmp_path / "data.bin").write_bytes(bytes(8) + np.arange(4, dtype=">i4").tobytes())
    path = tmp_path / "data.bin.dmrpp"
    path.write_text(DMRPP.format(attributes='byteOrder="BE"'))
    assert read(path, "v").tolist() == [0, 1, 2, 3]
    path.write_text(DMRPP.format(attributes='compressionType="unheard_of" byteOrder="BE"'))
    with pytest.raises(VirtualizeError, match="unheard_of"):
        virtualizarr.parse(path)


def test_the_size_that_is_told_is_the_size_that_is_used(tmp_path: Path) -> None:
    """`nbytes` is the memory of the references: what the process allocates for them, and little."""
    chunks = 50_000
    refs = references(zarray={"shape": [chunks, 3]})
    refs |= {f"v/{i}.0": ["s3://bucket/f", 6 * i + i % 3, 6] for i in range(chunks)}
    tracemalloc.start()
    manifest = virtualizarr.parse(refs)["v"].manifest
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert manifest.nbytes <= 16 * chunks + 10_000
    assert used <= manifest.nbytes + 500_000


def test_a_file_changed_between_parse_and_write_is_not_read(tmp_path: Path) -> None:
    """The time that is kept is the file's own when it was parsed, not that of the writing."""
    for name in ("refs.json", "store.zarr", "repo.icechunk"):
        path = tmp_path / f"{name}.h5"
        vds = day(path, 0)
        old = path.stat().st_mtime_ns
        day(path, 5)
        os.utime(path, ns=(old + 10**10, old + 10**10))
        target = tmp_path / name
        if name == "refs.json":
            vds.vz.to_kerchunk(target)
        elif name == "store.zarr":
            vds.vz.to_zarr(target)
        else:
            vds.vz.to_icechunk(target)
        if name == "refs.json":  # kerchunk has no place for it; the dataset at hand has
            with pytest.raises(ChangedSourceError):
                vds.vz.open()["v"].load()
        else:
            with pytest.raises(ChangedSourceError):
                values_in(target)


def test_kerchunk_filter_mask_skips_one_filter_and_keeps_the_other(tmp_path: Path) -> None:
    """[shuffle, zlib] with mask 0b01: not shuffled, but compressed."""
    values = np.arange(40, dtype="i4")
    with h5py.File(tmp_path / "f.h5", "w") as f:
        made = f.create_dataset("v", (40,), "i4", chunks=(20,), compression=4, shuffle=True)
        made[:] = values
        made.id.write_direct_chunk((20,), zlib.compress(values[20:].tobytes()), filter_mask=0b01)
    np.testing.assert_array_equal(read(tmp_path / "f.h5", "v"), values)


def test_bscale_multiplies(tmp_path: Path) -> None:
    """5 stored with BSCALE 0.01 is 0.05, not 500. The witness is astropy."""
    from astropy.io import fits

    header = fits.Header([("BSCALE", 0.01), ("BZERO", 2.0)])
    stored = fits.PrimaryHDU(np.full((2, 3), 5, "i2"))
    stored.header.update(header)
    stored.writeto(tmp_path / "f.fits")
    with (
        fits.open(tmp_path / "f.fits") as hdus,
        xr.open_dataset(tmp_path / "f.fits", engine="virtualizarr", virtual=False) as ds,
    ):
        (name,) = ds.data_vars
        np.testing.assert_allclose(ds[name].values, hdus[0].data)
        np.testing.assert_allclose(ds[name].values, 2.05)


def test_every_message_and_field_of_a_grib_file_is_found(tmp_path: Path) -> None:
    """GRIB1 messages by their own length; all fields of a GRIB2 message of several."""
    eccodes = pytest.importorskip("eccodes")
    for edition in (1, 2):
        path = tmp_path / f"{edition}.grib"
        multi = eccodes.codes_grib_multi_new()
        with path.open("wb") as file:
            for level in (1000, 850, 500, 300):
                handle = eccodes.codes_grib_new_from_samples(f"regular_ll_pl_grib{edition}")
                eccodes.codes_set(handle, "level", level)
                eccodes.codes_set(handle, "bitsPerValue", 16)
                eccodes.codes_set_values(handle, np.linspace(level, level + 10, 16 * 31))
                if edition == 1:
                    eccodes.codes_write(handle, file)
                else:
                    eccodes.codes_grib_multi_append(handle, 4, multi)
                eccodes.codes_release(handle)
            if edition == 2:
                eccodes.codes_grib_multi_write(multi, file)
        eccodes.codes_grib_multi_release(multi)
        assert path.read_bytes().count(b"7777") == (4 if edition == 1 else 1)
        fields = [array for _, array in virtualizarr.parse(path).walk_arrays() if array.ndim > 3]
        assert sum(field.manifest.nrefs for field in fields) == 4
        with xr.open_datatree(path, engine="virtualizarr", virtual=False) as tree:
            (node,) = [node for node in tree.subtree if "isobaricInhPa" in node.dims]
            variable = next(v for v in node.data_vars.values() if "isobaricInhPa" in v.dims)
            found = variable.isel({d: 0 for d in variable.dims if d in ("latitude", "longitude")})
            np.testing.assert_allclose(
                found.values.ravel(), node["isobaricInhPa"].values.ravel(), atol=1e-2
            )


def test_no_bug_becomes_a_warning() -> None:
    """Nothing in the package catches every exception and goes on."""
    for path in Path(virtualizarr.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ExceptHandler):
                caught = ast.unparse(node.type) if node.type is not None else "everything"
                ends = [type(each) for each in ast.walk(node)]
                greedy = caught in ("everything", "Exception", "BaseException")
                assert not greedy or ast.Raise in ends, f"{path}:{node.lineno}"


def test_a_hostile_reference_file_reads_nothing_of_this_machine(
    tmp_path: Path, range_server: RangeServer
) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret")
    range_server.files["internal"] = b"secret"
    array = {"shape": [6], "chunks": [6], "dtype": "|u1"}
    for target in (secret.as_uri(), f"{range_server.url}/internal"):
        refs = references(zarray=array, **{"v/.zattrs": "{}", "v/0": [target, 0, 6]})
        for place in ("refs.json", None):
            if place is None and target.startswith("file:"):
                continue  # references in hand may name local files
            if target.startswith("http"):
                (tmp_path / "refs.json").write_text(json.dumps(refs))
                given: Any = tmp_path / "refs.json" if place is not None else refs
            else:
                range_server.files["refs.json"] = json.dumps(refs).encode()
                given = f"{range_server.url}/refs.json"
            with (
                pytest.raises(ForbiddenReferenceError),
                xr.open_dataset(given, engine="virtualizarr", virtual=False) as ds,
            ):
                ds["v"].load()


def test_overwriting_references_and_failing_keeps_the_old_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also killed at any point: `tests/writers/test_kerchunk_killed.py`."""
    target = tmp_path / "refs.json"
    day(tmp_path / "0.h5", 0).vz.to_kerchunk(target)
    before = target.read_bytes()

    def fails(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "disk full")

    second = day(tmp_path / "1.h5", 1)
    for step in ("replace", "fsync"):
        with monkeypatch.context() as patched:
            patched.setattr(os, step, fails)
            with pytest.raises(OSError, match="disk full"):
                second.vz.to_kerchunk(target)
        assert target.read_bytes() == before
    assert [path.name for path in tmp_path.glob("*refs*")] == ["refs.json"]
