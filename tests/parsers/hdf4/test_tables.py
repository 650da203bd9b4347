"""Vdatas as groups of columns; pyhdf writes them and is the oracle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hdf4_tables
from hdf4_files import create, numbers, open_new
from virtualizarr.errors import CorruptFileError
from virtualizarr.model import INLINE, ManifestGroup
from virtualizarr.parsers.hdf4 import HDF4Parser
from virtualizarr.source.cache import CachingSource
from virtualizarr.source.memory import BytesSource
from virtualizarr.source.reading import run
from virtualizarr.testing import parse_file, read_values, same_values


def fields(count: int) -> dict[str, Any]:
    rows = np.arange(count)
    return {
        "i1": (rows % 100).astype("i1"),
        "u2": rows.astype("u2"),
        "i4": (rows * -7).astype("i4"),
        "f4": (rows / 3).astype("f4"),
        "f8": rows / 7,
        "three": np.stack([rows, rows + 1, rows + 2], axis=1).astype("i2"),
        "text": np.array([f"row {row}" for row in rows], "S9"),
        "letter": np.array([chr(65 + row % 26) for row in rows], "S1"),
    }


def checked(path: Path, **options: Any) -> ManifestGroup:
    """Return the tree, once all tables are found to be those that pyhdf reads."""
    group = parse_file(HDF4Parser(layout="flat", **options), path)
    found = read_values(group)
    for name, expected in zip(group.groups, hdf4_tables.table_values(path), strict=True):
        for field, values in (expected or {}).items():
            assert same_values(found[f"{name}/{field}"], values), field
            assert found[f"{name}/{field}"].dtype == values.dtype
    return group


@pytest.mark.parametrize("count", [1, 7, 1000])
@pytest.mark.parametrize("interlace", [hdf4_tables.FULL_INTERLACE, hdf4_tables.NO_INTERLACE])
def test_fields_of_all_types(tmp_path: Path, count: int, interlace: int) -> None:
    path = tmp_path / "a.hdf"
    hdf4_tables.write_table(path, "table", fields(count), interlace=interlace)
    group = checked(path)
    assert group["table/three"].shape == (count, 3)
    assert group["table/text"].metadata.dimension_names == ("row",)
    assert group["table/f8"].manifest.nrefs == 1


def test_one_field_needs_no_codec(tmp_path: Path) -> None:
    path = tmp_path / "a.hdf"
    hdf4_tables.write_table(path, "table", {"f8": fields(50)["f8"]})
    assert [codec["name"] for codec in checked(path)["table/f8"].metadata.codecs] == ["bytes"]


def test_large_tables_are_blocks_of_rows(tmp_path: Path) -> None:
    path = tmp_path / "a.hdf"
    hdf4_tables.write_table(path, "table", fields(1200))
    assert checked(path, chunk_bytes=4000)["table/three"].manifest.nrefs > 5


def test_rows_appended_later_are_in_linked_blocks(tmp_path: Path) -> None:
    """Rows across two blocks are kept inline, the others are referred to."""
    path = tmp_path / "a.hdf"
    table = hdf4_tables.write_table(path, "table", fields(900))
    hdf4_tables.write_table(path, "other", fields(900))
    hdf4_tables.append_rows(path, table, fields(900))
    group = checked(path)
    assert group["table/i4"].shape == (1800,)
    location = group["table/i4"].manifest.location
    assert np.count_nonzero(location == 0) > np.count_nonzero(location == INLINE)


def test_tables_beside_data_sets(tmp_path: Path) -> None:
    path = tmp_path / "a.hdf"
    file = open_new(path)
    values = numbers((4, 3), "i2")
    variable = create(file, "same", values)
    variable[:] = values
    variable.endaccess()
    file.end()
    hdf4_tables.write_table(path, "same", fields(5))
    group = checked(path)
    assert [*group.arrays] == ["same"]
    assert [*group.groups] == ["same_2"]
    assert "same_2" not in parse_file(HDF4Parser(drop_variables=["same"]), path).groups
    assert [*parse_file(HDF4Parser(group="/same_2/"), path).arrays] == [*fields(1)]


def test_rows_that_are_not_there_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.hdf"
    hdf4_tables.write_table(path, "table", fields(500))
    whole = path.read_bytes()
    at = whole.index((500).to_bytes(4, "big"))
    more = whole[:at] + (501).to_bytes(4, "big") + whole[at + 4 :]
    with pytest.raises(CorruptFileError, match="table"):
        run(HDF4Parser().parse("memory://a"), BytesSource(more, "memory://a"))


def test_rounds(tmp_path: Path) -> None:
    path = tmp_path / "a.hdf"
    for number in range(20):
        hdf4_tables.write_table(path, f"table{number}", fields(3000))
    source = BytesSource(path.read_bytes(), path.as_uri())
    assert len(run(HDF4Parser().parse(path.as_uri()), CachingSource(source)).groups) == 20
    assert source.rounds <= 4


def test_attributes_of_tables_and_fields(tmp_path: Path) -> None:
    path = tmp_path / "a.hdf"
    table = hdf4_tables.write_table(path, "table", fields(5))
    hdf4_tables.set_table_attribute(path, table, -1, "version", np.array([3], "i4"))
    hdf4_tables.set_table_attribute(path, table, 4, "range", np.array([0.5, 2], "f8"))
    group = checked(path)
    assert group["table"].attributes == {"version": np.int32(3)}
    np.testing.assert_array_equal(group["table/f8"].metadata.attributes["range"], [0.5, 2])
