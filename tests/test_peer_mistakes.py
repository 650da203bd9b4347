"""What VirtualiZarr 2.8 and kerchunk 0.2.10 get wrong without saying so: here right, or refused.

One test a line of the list, through the public functions. The values' witness is h5py or numpy.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import xarray as xr
import zarr

import virtualizarr
from virtualizarr.errors import CombineError, UnsupportedFeatureError, VirtualizeError
from virtualizarr.manifests import ChunkManifest

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
