"""Vgroups as groups, and the grids and swaths of HDF-EOS2."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyproj
import pytest

import hdf4_tables
import virtualizarr
from hdf4_files import create, numbers, open_new
from hdf4_tables import DFTAG_NDG, DFTAG_VG, DFTAG_VH
from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError
from virtualizarr.model import ManifestGroup
from virtualizarr.parsers.hdf4 import HDF4Parser
from virtualizarr.parsers.hdf4.gctp import MAPPED, grid_mapping, packed_degrees
from virtualizarr.parsers.hdf4.odl import decode_odl
from virtualizarr.testing import parse_file, read_values


def write_fields(path: Path, fields: dict[str, tuple[Any, tuple[str, ...]]], **texts: str) -> Any:
    """Write SDS and attributes of the file; return the reference of each SDS."""
    file = open_new(path)
    for key, text in texts.items():
        setattr(file, key, text)
    refs = {}
    for name, (values, dims) in fields.items():
        variable = create(file, name, values)
        for axis, dim in enumerate(dims):
            variable.dim(axis).setname(dim)
        variable[:] = values
        refs[name] = variable.ref()
        variable.endaccess()
    file.end()
    return refs


def test_vgroups_show_their_members(tmp_path: Path) -> None:
    path = tmp_path / "a.hdf"
    refs = write_fields(
        path,
        {
            "a": (numbers((4, 3), "i2"), ("y", "x")),
            "b": (numbers((5, 3), "f4"), ("time", "x")),
            "alone": (numbers((4,), "i2"), ("y",)),
        },
    )
    table = hdf4_tables.write_table(path, "table", {"row_field": np.arange(7, dtype="i4")})
    inner = hdf4_tables.write_vgroup(path, "inner", [(DFTAG_NDG, refs["b"]), (DFTAG_VH, table)])
    attributes = {"levels": np.array([1, 2], "i2")}
    members = [(DFTAG_NDG, refs["a"]), (DFTAG_VG, inner)]
    hdf4_tables.write_vgroup(path, "outer", members, "of a class", attributes)

    group = parse_file(HDF4Parser(), path)
    assert [*group.arrays] == ["a", "b", "alone"]
    assert [name for name, _ in group.walk()] == ["", "outer", "outer/inner", "outer/inner/table"]
    assert group["outer"].attributes["hdf4_class"] == "of a class"
    np.testing.assert_array_equal(group["outer"].attributes["levels"], [1, 2])
    values = read_values(group)
    np.testing.assert_array_equal(values["outer/a"], values["a"])
    np.testing.assert_array_equal(values["outer/inner/b"], values["b"])
    np.testing.assert_array_equal(values["outer/inner/table/row_field"], range(7))

    moved = parse_file(HDF4Parser(layout="groups"), path)
    assert [*moved.arrays] == ["alone"]
    assert [*moved["outer/inner"].arrays] == ["b"]
    flat = parse_file(HDF4Parser(layout="flat"), path)
    assert [*flat.arrays] == ["a", "b", "alone"]
    assert [*flat.groups] == ["table"]
    assert [*parse_file(HDF4Parser(group="outer/inner"), path).arrays] == ["b"]
    with pytest.raises(UnsupportedFeatureError, match="no group 'outer/none'"):
        parse_file(HDF4Parser(group="outer/none"), path)

    tree = virtualizarr.open_virtual_datatree(str(path))
    assert tree["outer/inner"].dataset["b"].dims == ("time", "x")
    assert [*virtualizarr.open_virtual_dataset(str(path)).data_vars] == ["a", "b", "alone"]


def test_vgroups_in_circles_end(tmp_path: Path) -> None:
    path = tmp_path / "a.hdf"
    open_new(path).end()
    first = hdf4_tables.write_vgroup(path, "first", [])
    second = hdf4_tables.write_vgroup(path, "second", [(DFTAG_VG, first)])
    with hdf4_tables.opened(path, hdf4_tables.WRITE) as (lib, file):
        group = lib.Vattach(file, first, b"w")
        assert lib.Vaddtagref(group, DFTAG_VG, second) > 0
        lib.Vdetach(group)
    paths = [name for name, _ in parse_file(HDF4Parser(), path).walk()]
    assert paths == ["", "first", "first/second"]


def test_vgroups_that_multiply_are_refused(tmp_path: Path) -> None:
    """Each of 30 Vgroups holds the one before it twice, by way of two others: 2 ** 15 groups."""
    path = tmp_path / "a.hdf"
    open_new(path).end()
    below = hdf4_tables.write_vgroup(path, "bottom", [])
    for number in range(15):
        sides = [
            hdf4_tables.write_vgroup(path, f"{side}{number}", [(DFTAG_VG, below)])
            for side in ("left", "right")
        ]
        below = hdf4_tables.write_vgroup(
            path, f"both{number}", [(DFTAG_VG, side) for side in sides]
        )
    with pytest.raises(CorruptFileError, match="10000 groups"):
        parse_file(HDF4Parser(), path)


GRID = """GROUP=SwathStructure
END_GROUP=SwathStructure
GROUP=GridStructure
\tGROUP=GRID_1
\t\tGridName="Tile"
\t\tXDim=8
\t\tYDim=6
\t\tUpperLeftPointMtrs={upper_left}
\t\tLowerRightMtrs={lower_right}
\t\tProjection={projection}
{more}
\t\tGROUP=Dimension
\t\tEND_GROUP=Dimension
\t\tGROUP=DataField
\t\t\tOBJECT=DataField_1
\t\t\t\tDataFieldName="NDVI"
\t\t\t\tDataType=DFNT_INT16
\t\t\t\tDimList=("YDim",
\t\t\t\t\t"XDim")
\t\t\tEND_OBJECT=DataField_1
\t\tEND_GROUP=DataField
\tEND_GROUP=GRID_1
END_GROUP=GridStructure
END
"""


def grid_file(path: Path, **parts: str) -> ManifestGroup:
    said = {"upper_left": "(0,0)", "lower_right": "(1,1)", "projection": "GCTP_GEO", "more": ""}
    ndvi = (numbers((6, 8), "i2"), ("YDim:Tile", "XDim:Tile"))
    structure = {"StructMetadata.0": GRID.format(**{**said, **parts})}
    refs = write_fields(path, {"NDVI": ndvi}, **structure)
    fields = hdf4_tables.write_vgroup(
        path, "Data Fields", [(DFTAG_NDG, refs["NDVI"])], "GRID Vgroup"
    )
    own = hdf4_tables.write_vgroup(path, "Grid Attributes", [], "GRID Vgroup")
    hdf4_tables.write_vgroup(path, "Tile", [(DFTAG_VG, fields), (DFTAG_VG, own)], "GRID")
    return parse_file(HDF4Parser(), path)


def test_a_geographic_grid_has_degrees(tmp_path: Path) -> None:
    """Corners are packed: 10 degrees 30 minutes 36 seconds is 10030036."""
    group = grid_file(
        tmp_path / "a.hdf",
        upper_left="(-10030036.000000,42000000.000000)",
        lower_right="(-2030036.000000,36000000.000000)",
    )
    assert group["NDVI"].metadata.dimension_names == ("YDim:Tile", "XDim:Tile")
    tile = group["Tile"]
    assert [*tile.arrays] == ["NDVI", "XDim", "YDim"]
    assert tile["NDVI"].metadata.dimension_names == ("YDim", "XDim")
    values = read_values(group)
    np.testing.assert_allclose(values["Tile/XDim"], np.arange(8) - 10.51 + 0.5)
    np.testing.assert_allclose(values["Tile/YDim"], 42 - 0.5 - np.arange(6))
    assert tile["YDim"].metadata.attributes["units"] == "degrees_north"
    assert tile.attributes["Projection"] == "GCTP_GEO"
    tree = virtualizarr.open_virtual_datatree(str(tmp_path / "a.hdf"))
    np.testing.assert_allclose(tree["Tile"].dataset.indexes["XDim"], values["Tile/XDim"])


@pytest.mark.parametrize(
    ("origin", "place"), [("UL", (0, 0)), ("UR", (1, 0)), ("LL", (0, 1)), ("LR", (1, 1))]
)
def test_pixels_registered_at_a_corner(tmp_path: Path, origin: str, place: tuple[int, int]) -> None:
    more = f"\t\tGridOrigin=HDFE_GD_{origin}\n\t\tPixelRegistration=HDFE_CORNER"
    corners = {"upper_left": "(0,60)", "lower_right": "(80,0)", "projection": "GCTP_UTM"}
    values = read_values(grid_file(tmp_path / "a.hdf", more=more, **corners))
    np.testing.assert_array_equal(values["Tile/XDim"], 10.0 * (np.arange(8) + place[0]))
    np.testing.assert_array_equal(values["Tile/YDim"], 60 - 10.0 * (np.arange(6) + place[1]))


def test_a_modis_tile_lies_where_modis_says(tmp_path: Path) -> None:
    """Tile h18v04: its upper left corner is 50 degrees north at the meridian of Greenwich."""
    group = grid_file(
        tmp_path / "a.hdf",
        upper_left="(0.000000,5559752.598333)",
        lower_right="(1111950.519667,4447802.078667)",
        projection="GCTP_SNSOID",
        more="\t\tProjParams=(6371007.181000,0,0,0,0,0,0,0,0,0,0,0,0)\n\t\tSphereCode=-1",
    )
    tile = group["Tile"]
    assert tile["NDVI"].metadata.attributes["grid_mapping"] == "spatial_ref"
    crs = pyproj.CRS.from_cf(dict(tile["spatial_ref"].metadata.attributes))
    values = read_values(group)
    x, y = values["Tile/XDim"], values["Tile/YDim"]
    step = x[1] - x[0]
    assert step == pytest.approx(1111950.519667 / 8)
    to_degrees = pyproj.Transformer.from_crs(crs, crs.geodetic_crs, always_xy=True)
    down = y[0] - y[1]
    longitude, latitude = to_degrees.transform(x[0] - step / 2, y[0] + down / 2)
    assert (longitude, latitude) == (pytest.approx(0, abs=1e-9), pytest.approx(50, abs=1e-6))


@pytest.mark.parametrize(
    ("parts", "lacking"),
    [
        ({"upper_left": "DEFAULT"}, "XDim"),
        ({"projection": "GCTP_BCEA"}, "XDim"),
        ({"more": "\t\tXDim=9"}, "XDim"),
        ({"projection": "GCTP_HOM"}, "spatial_ref"),
        ({"projection": "GCTP_SNSOID"}, "spatial_ref"),
    ],
)
def test_grids_of_which_too_little_is_known(
    tmp_path: Path, parts: dict[str, str], lacking: str
) -> None:
    group = grid_file(tmp_path / "a.hdf", **parts)
    assert "NDVI" in group["Tile"].arrays
    assert lacking not in group["Tile"].arrays


PROJ = {
    "GCTP_SNSOID": "+proj=sinu +lon_0=-30.5 +x_0=10 +y_0=20 +R=6370997",
    "GCTP_PS": "+proj=stere +lat_0=90 +lat_ts=70 +lon_0=-30.5 +x_0=10 +y_0=20 +ellps=WGS84",
    "GCTP_LAMAZ": "+proj=laea +lat_0=70 +lon_0=-30.5 +x_0=10 +y_0=20 +R=6370997",
    "GCTP_LAMCC": "+proj=lcc +lat_1=30 +lat_2=60 +lat_0=70 +lon_0=-30.5 +x_0=10 +y_0=20"
    " +ellps=WGS84",
    "GCTP_ALBERS": "+proj=aea +lat_1=30 +lat_2=60 +lat_0=70 +lon_0=-30.5 +x_0=10 +y_0=20"
    " +ellps=WGS84",
    "GCTP_CEA": "+proj=cea +lat_ts=70 +lon_0=-30.5 +x_0=10 +y_0=20 +ellps=WGS84",
    "GCTP_TM": "+proj=tmerc +k=30000000 +lat_0=70 +lon_0=-30.5 +x_0=10 +y_0=20 +ellps=WGS84",
    "GCTP_UTM": "+proj=utm +zone=33 +ellps=WGS84",
}


@pytest.mark.parametrize("projection", MAPPED)
def test_projections_are_those_of_proj(projection: str) -> None:
    params = [0, 0, 30e6, 60e6, -30030000, 70e6, 10, 20, 0, 0, 0, 0, 0]
    crs = pyproj.CRS.from_cf(dict(grid_mapping(projection, params, 12, 33)))
    expected = pyproj.CRS.from_proj4(PROJ[projection])
    points = ([-35.0, -28.0, 3.0], [60.0, 75.0, 81.0])
    if projection == "GCTP_UTM":
        points = ([12.0, 15.0, 18.0], [10.0, 40.0, 60.0])
    for one in (crs, expected):
        assert one.is_projected
    ours, proj = (
        pyproj.Transformer.from_crs(one.geodetic_crs, one, always_xy=True).transform(*points)
        for one in (crs, expected)
    )
    np.testing.assert_allclose(ours, proj, rtol=1e-9)


def test_packed_degrees() -> None:
    packed = np.array([-180000000.0, 30030000.0, -1030036.5, 0.0])
    np.testing.assert_allclose(packed_degrees(packed), [-180, 30.5, -1.5101388888888889, 0])


SWATH = """GROUP=SwathStructure
\tGROUP=SWATH_1
\t\tSwathName="Orbit"
\t\tGROUP=Dimension
\t\tEND_GROUP=Dimension
\t\tGROUP=DimensionMap
\t\t\tOBJECT=DimensionMap_1
\t\t\t\tGeoDimension="GeoTrack"
\t\t\t\tDataDimension="Track"
\t\t\t\tOffset=2
\t\t\t\tIncrement=5
\t\t\tEND_OBJECT=DimensionMap_1
\t\tEND_GROUP=DimensionMap
\t\tGROUP=GeoField
\t\t\tOBJECT=GeoField_1
\t\t\t\tGeoFieldName="Latitude"
\t\t\t\tDimList=("GeoTrack","Cross")
\t\t\tEND_OBJECT=GeoField_1
\t\t\tOBJECT=GeoField_2
\t\t\t\tGeoFieldName="Longitude"
\t\t\t\tDimList=("GeoTrack","Cross")
\t\t\tEND_OBJECT=GeoField_2
\t\t\tOBJECT=GeoField_3
\t\t\t\tGeoFieldName="Time"
\t\t\t\tDimList=("GeoTrack")
\t\t\tEND_OBJECT=GeoField_3
\t\tEND_GROUP=GeoField
\t\tGROUP=DataField
\t\t\tOBJECT=DataField_1
\t\t\t\tDataFieldName="Aerosol"
\t\t\t\tDimList=("GeoTrack","Cross")
\t\t\tEND_OBJECT=DataField_1
\t\tEND_GROUP=DataField
\tEND_GROUP=SWATH_1
END_GROUP=SwathStructure
"""


def test_a_field_of_a_swath_with_a_name_that_is_no_name(tmp_path: Path) -> None:
    path = tmp_path / "a.hdf"
    fields = {"Aerosol": (numbers((6, 4), "f4"), ("GeoTrack:Orbit", "Cross:Orbit"))}
    refs = write_fields(path, fields, **{"StructMetadata.0": SWATH})
    table = hdf4_tables.write_table(path, "a/b", {"a": np.arange(6.0)})
    members = [(DFTAG_NDG, refs["Aerosol"]), (DFTAG_VH, table)]
    part = hdf4_tables.write_vgroup(path, "Data Fields", members, "SWATH Vgroup")
    hdf4_tables.write_vgroup(path, "Orbit", [(DFTAG_VG, part)], "SWATH")
    assert {*parse_file(HDF4Parser(), path)["Orbit"].arrays} == {"Aerosol", "a_b"}


def test_a_swath_has_its_geolocation(tmp_path: Path) -> None:
    path = tmp_path / "a.hdf"
    dims = ("GeoTrack:Orbit", "Cross:Orbit")
    names = ("Latitude", "Longitude", "Aerosol")
    fields = {name: (numbers((6, 4), "f4"), dims) for name in names}
    refs = write_fields(path, fields, **{"StructMetadata.0": SWATH})
    time = hdf4_tables.write_table(path, "Time", {"Time": np.arange(6.0)})
    located = [(DFTAG_NDG, refs[name]) for name in names[:2]]
    parts = [
        hdf4_tables.write_vgroup(path, name, members, "SWATH Vgroup")
        for name, members in {
            "Geolocation Fields": [*located, (DFTAG_VH, time)],
            "Data Fields": [(DFTAG_NDG, refs["Aerosol"])],
        }.items()
    ]
    hdf4_tables.write_vgroup(path, "Orbit", [(DFTAG_VG, part) for part in parts], "SWATH")
    orbit = parse_file(HDF4Parser(), path)["Orbit"]
    assert {*orbit.arrays} == {*names, "Time"}
    assert orbit["Time"].metadata.dimension_names == ("GeoTrack",)
    assert orbit["Aerosol"].metadata.dimension_names == ("GeoTrack", "Cross")
    assert orbit.attributes["DimensionMap"] == ["Track: GeoTrack offset 2 increment 5"]
    dataset = virtualizarr.open_virtual_dataset(str(path), group="Orbit")
    assert {"Latitude", "Longitude"} <= {*dataset.coords}


def test_nonsense_in_place_of_structure_is_left_aside() -> None:
    for text in ("", "END_GROUP=x\nEND_GROUP", "GROUP=a\n" * 100, "x=(1,\n2", "=\n=(", "a=(1,,b)"):
        assert decode_odl(text).under("GridStructure") == []
