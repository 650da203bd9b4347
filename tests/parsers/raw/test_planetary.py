"""PDS3, PDS4, VICAR and ISIS labels by hand: against GDAL where it follows the standard."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rasterio")

import gdal_files
import virtualizarr
from raw_headers import counting, opened, write
from virtualizarr.errors import (
    CorruptFileError,
    SourceNotFoundError,
    UnknownFormatError,
    UnsupportedFeatureError,
)
from virtualizarr.parsers import PDS3Parser
from virtualizarr.testing import read_values

START = 512


def pds3(body: str, *, pointer: str = f"{START + 1} <BYTES>", record: int = 64) -> str:
    return (
        "PDS_VERSION_ID = PDS3\r\n/* a comment = 5 */\r\nRECORD_TYPE = FIXED_LENGTH\r\n"
        f"RECORD_BYTES = {record}\r\n^IMAGE = {pointer}\r\n{body}\r\nEND\r\n"
    )


def image(kind: str, bits: int, bands: int = 1, **more: object) -> str:
    lines = {
        "LINES": 3,
        "LINE_SAMPLES": 10,
        "BANDS": bands,
        "SAMPLE_TYPE": kind,
        "SAMPLE_BITS": bits,
        **more,
    }
    inner = "".join(f"  {key} = {value}\r\n" for key, value in lines.items())
    return f"OBJECT = IMAGE\r\n{inner}END_OBJECT = IMAGE\r\n"


def attached(label: str, nbytes: int) -> bytes:
    return label.encode().ljust(START) + counting(nbytes).tobytes()


@pytest.mark.parametrize(
    "body",
    [
        image("UNSIGNED_INTEGER", 8),
        image("MSB_INTEGER", 8),
        image("MSB_INTEGER", 16),
        image("LSB_INTEGER", 16),
        image("MSB_UNSIGNED_INTEGER", 16),
        image("LSB_UNSIGNED_INTEGER", 16),
        image("IEEE_REAL", 32),
        image("PC_REAL", 32),
        image("IEEE_REAL", 64),
        image("UNSIGNED_INTEGER", 8, LINE_PREFIX_BYTES=2),
        image("UNSIGNED_INTEGER", 8, bands=2),
        image("MSB_INTEGER", 16, bands=2, BAND_STORAGE_TYPE="LINE_INTERLEAVED"),
    ],
)
@pytest.mark.parametrize("record", [10, 64])
def test_pds3_as_gdal_reads_it(tmp_path: Path, body: str, record: int) -> None:
    path = write(tmp_path, {"a.img": attached(pds3(body, record=record), 500)})
    found, _ = opened(path)
    expected = gdal_files.read(path)
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)


def pds3_numbers(dtype: str, nbytes: int = 500) -> Any:
    return counting(nbytes)[: 30 * np.dtype(dtype).itemsize].view(dtype).reshape(1, 3, 10)


@pytest.mark.parametrize(
    "kind, bits, dtype",
    [
        ("MSB_INTEGER", 32, ">i4"),
        ("LSB_UNSIGNED_INTEGER", 32, "<u4"),
        ("PC_UNSIGNED_INTEGER", 16, "<u2"),
        ("VAX_INTEGER", 32, "<i4"),
        ("IEEE_COMPLEX", 64, ">c8"),
    ],
)
def test_pds3_as_the_standard_says(tmp_path: Path, kind: str, bits: int, dtype: str) -> None:
    path = write(tmp_path, {"a.img": attached(pds3(image(kind, bits)), 500)})
    np.testing.assert_array_equal(opened(path)[0], pds3_numbers(dtype))


def test_pds3_prefix_and_suffix_of_lines(tmp_path: Path) -> None:
    body = image("UNSIGNED_INTEGER", 8, bands=2, LINE_PREFIX_BYTES=2, LINE_SUFFIX_BYTES=3)
    path = write(tmp_path, {"a.img": attached(pds3(body), 90)})
    expected = counting(90).reshape(2, 3, 15)[:, :, 2:12]
    np.testing.assert_array_equal(opened(path)[0], expected)
    np.testing.assert_array_equal(opened(path, PDS3Parser(chunk_bytes=16))[0], expected)
    body = image("UNSIGNED_INTEGER", 8, bands=2, BAND_STORAGE_TYPE="SAMPLE_INTERLEAVED")
    path = write(tmp_path, {"a.img": attached(pds3(body), 60)})
    expected = counting(60).reshape(3, 10, 2).transpose(2, 0, 1)
    np.testing.assert_array_equal(opened(path)[0], expected)


@pytest.mark.parametrize(
    "pointer, offset",
    [
        ('"A.DAT"', 0),
        ('("a.dat", 3)', 128),
        ('("a.dat", 5 <BYTES>)', 4),
        ('("A.DAT")', 0),
    ],
)
def test_pds3_detached_labels(tmp_path: Path, pointer: str, offset: int) -> None:
    label = pds3(image("UNSIGNED_INTEGER", 8), pointer=pointer)
    path = write(tmp_path, {"a.lbl": label, "a.dat": counting(300)})
    expected = counting(300)[offset : offset + 30].reshape(1, 3, 10)
    group = virtualizarr.parse(path)
    np.testing.assert_array_equal(read_values(group)["band_data"], expected)
    (location,) = group.arrays["band_data"].manifest.locations
    assert location.url == (tmp_path / "a.dat").as_uri()
    np.testing.assert_array_equal(opened(tmp_path / "a.dat")[0], expected)


def test_pds3_what_the_label_says(tmp_path: Path) -> None:
    body = image("MSB_INTEGER", 16, SCALING_FACTOR=0.5, OFFSET=2.0, MISSING_CONSTANT="16#8000#")
    mapping = (
        "OBJECT = IMAGE_MAP_PROJECTION\r\n MAP_PROJECTION_TYPE = SINUSOIDAL\r\n"
        " MAP_SCALE = 0.5 <KM/PIXEL>\r\n SAMPLE_PROJECTION_OFFSET = 5.5\r\n"
        " LINE_PROJECTION_OFFSET = 7.5\r\n A_AXIS_RADIUS = 3396.0 <KM>\r\n"
        ' C_AXIS_RADIUS = 3396.0 <KM>\r\nEND_OBJECT\r\nTARGET_NAME = "MARS"\r\n^TABLE = 9\r\n'
    )
    path = write(tmp_path, {"a.img": attached(pds3(body + mapping), 60)})
    group = virtualizarr.parse(path)
    attributes = group.arrays["band_data"].metadata.attributes
    assert attributes["_FillValue"] == -32768
    assert (attributes["scale_factor"], attributes["add_offset"]) == (0.5, 2.0)
    assert attributes["TARGET_NAME"] == "MARS"
    assert group.attributes["not_read"] == ["TABLE"]
    known = gdal_files.facts(path)
    assert tuple(group.attributes["spatial:transform"]) == known["transform"]
    assert (known["scales"], known["offsets"]) == ((0.5,), (2.0,))


def test_pds3_qubes(tmp_path: Path) -> None:
    for names, order in (
        ("(SAMPLE,LINE,BAND)", (0, 1, 2)),
        ("(SAMPLE,BAND,LINE)", (1, 0, 2)),
        ("(BAND,SAMPLE,LINE)", (2, 0, 1)),
    ):
        body = (
            f"OBJECT = QUBE\r\n AXES = 3\r\n AXIS_NAME = {names}\r\n CORE_ITEMS = (4,3,2)\r\n"
            " CORE_ITEM_BYTES = 2\r\n CORE_ITEM_TYPE = MSB_INTEGER\r\n SUFFIX_ITEMS = (1,0,0)\r\n"
            " SUFFIX_BYTES = 4\r\n CORE_NULL = -5\r\nEND_OBJECT = QUBE\r\n"
        )
        label = pds3(body).replace("^IMAGE", "^QUBE")
        path = write(tmp_path, {"a.qub": attached(label, 72)})
        core = counting(72).reshape(2, 3, 12)[:, :, :8].copy().view(">i2")
        expected = core.transpose(order)
        found, attributes = opened(path)
        np.testing.assert_array_equal(found, expected)
        assert attributes["_FillValue"] == -5


def test_pds3_several_images_are_groups(tmp_path: Path) -> None:
    body = image("UNSIGNED_INTEGER", 8) + image("UNSIGNED_INTEGER", 8).replace("IMAGE", "RED_IMAGE")
    label = pds3(body + f"^RED_IMAGE = {START + 41} <BYTES>\r\n")
    group = virtualizarr.parse(write(tmp_path, {"a.img": attached(label, 100)}))
    values = read_values(group)
    assert set(group.groups) == {"IMAGE", "RED_IMAGE"}
    np.testing.assert_array_equal(values["RED_IMAGE/band_data"].ravel(), counting(100)[40:70])


def vax_f(values: Any) -> bytes:
    """Return numbers in the VAX's F format: IEEE with another bias and swapped words."""
    bits = (np.asarray(values, "f4") * 4).view("u4")
    return bits.astype("<u4").view("<u2").reshape(-1, 2)[:, ::-1].tobytes()


def test_pds3_vax_numbers(tmp_path: Path) -> None:
    values = np.linspace(-5, 7, 30, dtype="f4")
    raw = pds3(image("VAX_REAL", 32)).encode().ljust(START) + vax_f(values)
    path = write(tmp_path, {"a.img": raw})
    np.testing.assert_array_equal(opened(path)[0].ravel(), values)


@pytest.mark.parametrize(
    "body, error, said",
    [
        (image("MSB_INTEGER", 16, ENCODING_TYPE='"CLEM-JPEG-1"'), UnsupportedFeatureError, "CLEM"),
        (image("UNSIGNED_INTEGER", 16), UnsupportedFeatureError, "byte order"),
        (image("MSB_INTEGER", 12), UnsupportedFeatureError, "12 bits"),
        (image("MSB_INTEGER", 16, bands=99), CorruptFileError, "truncated"),
        (image("MSB_INTEGER", "x"), CorruptFileError, "SAMPLE_BITS is 'x'"),
        ("OBJECT = TABLE\r\nEND_OBJECT", UnsupportedFeatureError, "points to no image"),
        (image("ASCII", 8, INTERCHANGE_FORMAT="ASCII"), UnsupportedFeatureError, "ASCII"),
    ],
)
def test_pds3_refusals(tmp_path: Path, body: str, error: type[Exception], said: str) -> None:
    path = write(tmp_path, {"a.img": attached(pds3(body), 100)})
    with pytest.raises(error, match=said):
        virtualizarr.parse(path)


def test_pds3_labels_do_not_lead_out_of_their_directory(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    write(tmp_path, {"secret.dat": counting(300)})
    for name in ('"../secret.dat"', '"/etc/hostname"', '"..\\secret.dat"'):
        label = pds3(image("UNSIGNED_INTEGER", 8), pointer=name)
        path = write(tmp_path / "inner", {"a.lbl": label})
        with pytest.raises(CorruptFileError, match="outside of its directory"):
            virtualizarr.parse(path)


VICAR = "LBLSIZE={size} FORMAT='{format}' TYPE='IMAGE' EOL=0 RECSIZE={record} ORG='{org}' NL=3 "
VICAR += "NS=4 NB=2 N1=4 N2=3 N3=2 NBB={nbb} NLB={nlb} INTFMT='{int}' REALFMT='{real}' {more}"


def vicar(**fields: object) -> bytes:
    usual = {"size": 400, "format": "HALF", "record": 8, "org": "BSQ", "nbb": 0, "nlb": 0}
    usual |= {"int": "LOW", "real": "RIEEE", "more": ""}
    return VICAR.format(**{**usual, **fields}).encode().ljust(400, b"\0")


@pytest.mark.parametrize(
    "fields, nbytes",
    [
        ({"format": "BYTE"}, 24),
        ({"format": "HALF", "int": "HIGH"}, 48),
        ({"format": "FULL", "org": "BIL"}, 96),
        ({"format": "REAL", "real": "IEEE", "org": "BIP"}, 96),
        ({"format": "COMP"}, 192),
        ({"format": "HALF", "nbb": 5, "record": 13}, 78),
        ({"format": "HALF", "nlb": 2}, 64),
        ({"format": "HALF", "nlb": 1, "nbb": 5, "record": 13}, 91),
    ],
)
def test_vicar_as_gdal_reads_it(tmp_path: Path, fields: dict[str, object], nbytes: int) -> None:
    path = write(tmp_path, {"a.vic": vicar(**fields) + counting(nbytes).tobytes()})
    found, expected = opened(path)[0], gdal_files.read(path)
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("kind, size", [("REAL", 4), ("DOUB", 8)])
def test_vax_numbers_as_gdal_reads_them(tmp_path: Path, kind: str, size: int) -> None:
    raw = np.random.default_rng(5).integers(0, 256, 24 * size, np.uint8)
    raw = raw.reshape(-1, size)
    raw[:, 1] = raw[:, 1] & 0x87 | 0x40  # exponents that are near to nought
    raw[0] = 0
    path = write(tmp_path, {"a.vic": vicar(format=kind, real="VAX") + raw.tobytes()})
    found, expected = opened(path)[0], gdal_files.read(path)
    np.testing.assert_allclose(found, expected, rtol=1e-15 if size == 8 else 0)
    if size == 4:
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    "fields, error, said",
    [
        ({"more": "COMPRESS='OTHER'"}, UnsupportedFeatureError, "COMPRESS 'OTHER'"),
        ({"org": "XYZ"}, UnsupportedFeatureError, "ORG 'XYZ'"),
        ({"format": "XYZ"}, CorruptFileError, "FORMAT is 'XYZ'"),
        ({"int": "MIDDLE"}, UnsupportedFeatureError, "INTFMT 'MIDDLE'"),
        ({"nlb": 99}, CorruptFileError, "truncated"),
        ({"more": "COMPRESS='BASIC2' EOCI1=420"}, CorruptFileError, "do not fit"),
        ({"more": "COMPRESS='BASIC' EOCI1=440"}, CorruptFileError, "compressed record 0"),
    ],
)
def test_vicar_refusals(
    tmp_path: Path, fields: dict[str, object], error: type[Exception], said: str
) -> None:
    path = write(tmp_path, {"a.vic": vicar(**fields) + counting(48).tobytes()})
    with pytest.raises(error, match=said):
        virtualizarr.parse(path)


CUBE = """Object = IsisCube
  # a comment
  Object = Core
    StartByte = 513
    Format = BandSequential
    Group = Dimensions
      Samples = 4
      Lines   = 3
      Bands   = 2
    End_Group
    Group = Pixels
      Type = {type}
      ByteOrder = {order}
      Base = 1.5
      Multiplier = 2.0
    End_Group
  End_Object
  Group = BandBin
    Name = (Red, "Near
      infrared")
  End_Group
End_Object
Object = Table
  Name = Pointing
End_Object
End
"""


@pytest.mark.parametrize("order", ["Lsb", "Msb"])
@pytest.mark.parametrize("kind", ["UnsignedByte", "SignedWord", "UnsignedWord", "Real"])
def test_isis_cubes(tmp_path: Path, kind: str, order: str) -> None:
    label = CUBE.format(type=kind, order=order).encode().ljust(512)
    path = write(tmp_path, {"a.cub": label + counting(96).tobytes()})
    group = virtualizarr.parse(path)
    found, expected = read_values(group)["band_data"], gdal_files.read(path)
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)
    attributes, known = group.arrays["band_data"].metadata.attributes, gdal_files.facts(path)
    assert attributes["_FillValue"] == known["nodata"]
    assert (attributes["scale_factor"], attributes["add_offset"]) == (2.0, 1.5)
    assert known["scales"] == (2.0, 2.0)
    assert attributes["long_name"][0] == "Red"
    assert attributes["not_read"] == ["Table Pointing"]


def pds4(array: str, more: str = "", file: str = "a.dat") -> str:
    return f"""<?xml version="1.0"?>
<Product_Observational xmlns="http://pds.nasa.gov/pds4/pds/v1"
    xmlns:disp="http://pds.nasa.gov/pds4/disp/v1">
  <Identification_Area><title>By hand</title></Identification_Area>
  <Observation_Area><Discipline_Area>{more}</Discipline_Area></Observation_Area>
  <File_Area_Observational><File><file_name>{file}</file_name></File>
    <Header><offset unit="byte">0</offset><name>front</name></Header>{array}
  </File_Area_Observational>
</Product_Observational>"""


def pds4_array(kind: str, axes: dict[str, int], data_type: str, more: str = "") -> str:
    described = "".join(
        f"<Axis_Array><axis_name>{name}</axis_name><elements>{count}</elements>"
        f"<sequence_number>{i}</sequence_number></Axis_Array>"
        for i, (name, count) in enumerate(axes.items(), 1)
    )
    return (
        f"<{kind}><local_identifier>one</local_identifier><offset unit='byte'>16</offset>"
        f"<axes>{len(axes)}</axes><axis_index_order>Last Index Fastest</axis_index_order>"
        f"<Element_Array><data_type>{data_type}</data_type><scaling_factor>0.5</scaling_factor>"
        f"<value_offset>3</value_offset></Element_Array>{described}{more}</{kind}>"
    )


@pytest.mark.parametrize(
    "axes",
    [
        {"Line": 3, "Sample": 4},
        {"Sample": 4, "Line": 3},
        {"Band": 2, "Line": 3, "Sample": 4},
        {"Line": 3, "Sample": 4, "Band": 2},
        {"Line": 3, "Band": 2, "Sample": 4},
    ],
)
@pytest.mark.parametrize("vertical", ["Top to Bottom", "Bottom to Top"])
@pytest.mark.parametrize("horizontal", ["Left to Right", "Right to Left"])
def test_pds4_as_gdal_reads_it(
    tmp_path: Path, axes: dict[str, int], vertical: str, horizontal: str
) -> None:
    shown = f"""<disp:Display_Settings><Local_Internal_Reference>
  <local_identifier_reference>one</local_identifier_reference>
  <local_reference_type>display_settings_to_array</local_reference_type></Local_Internal_Reference>
  <disp:Display_Direction>
  <disp:horizontal_display_axis>Sample</disp:horizontal_display_axis>
  <disp:horizontal_display_direction>{horizontal}</disp:horizontal_display_direction>
  <disp:vertical_display_axis>Line</disp:vertical_display_axis>
  <disp:vertical_display_direction>{vertical}</disp:vertical_display_direction>
  </disp:Display_Direction></disp:Display_Settings>"""
    kind = f"Array_{len(axes)}D_Image"
    label = pds4(pds4_array(kind, axes, "SignedMSB2"), shown)
    path = write(tmp_path, {"a.xml": label, "a.dat": counting(64)})
    group = virtualizarr.parse(path)
    np.testing.assert_array_equal(read_values(group)["band_data"], gdal_files.read(path))
    assert group.attributes["not_read"] == ["Header front"]
    assert group.attributes["title"] == "By hand"
    assert group == virtualizarr.parse(tmp_path / "a.dat")
    parser = virtualizarr.parsers.PDS4Parser(chunk_bytes=8)
    np.testing.assert_array_equal(opened(path, parser)[0], gdal_files.read(path))


def test_pds4_other_arrays_and_constants(tmp_path: Path) -> None:
    constants = (
        "<Special_Constants><missing_constant>0xFF7FFFFB</missing_constant>"
        "<saturated_constant>1e30</saturated_constant></Special_Constants>"
    )
    time = pds4_array("Array", {"Time": 5, "Detector": 2}, "IEEE754MSBSingle", constants)
    second = time.replace(">one<", ">the other<").replace(">5<", ">3<")
    path = write(tmp_path, {"a.xml": pds4(time + second), "a.dat": counting(80)})
    group = virtualizarr.parse(path)
    assert set(group.groups) == {"one", "the_other"}
    array = group.groups["one"].arrays["data"]
    assert array.metadata.dimension_names == ("time", "detector")
    assert array.metadata.attributes["_FillValue"] == np.float32(-3.4028226550889045e38)
    expected = counting(80)[16:56].view(">f4").reshape(5, 2)
    np.testing.assert_array_equal(read_values(group)["one/data"], expected)


def plane(data_type: str = "SignedByte", samples: int = 4) -> str:
    return pds4_array("Array_2D", {"Line": 3, "Sample": samples}, data_type)


DOCTYPE = '<!DOCTYPE a [<!ENTITY b "c">]>' + pds4(plane())[21:]
AXES = pds4(plane().replace("<axes>2<", "<axes>3<"))


@pytest.mark.parametrize(
    "label, error, said",
    [
        (pds4(plane("Odd")), UnsupportedFeatureError, "Odd"),
        (pds4(plane(samples=99)), CorruptFileError, "truncated"),
        (pds4(""), UnsupportedFeatureError, "no arrays, but: Header"),
        (pds4(plane(), file="b.dat"), SourceNotFoundError, "'b.dat', which is no file"),
        (pds4(plane(), file="../a.dat"), CorruptFileError, "outside"),
        (AXES, CorruptFileError, "3 axes"),
        (DOCTYPE, UnsupportedFeatureError, "document type"),
    ],
)
def test_pds4_refusals(tmp_path: Path, label: str, error: type[Exception], said: str) -> None:
    path = write(tmp_path, {"a.xml": label, "a.dat": counting(64)})
    with pytest.raises(error, match=said):
        virtualizarr.parse(path, parser="pds4")


def test_data_files_of_other_labels_are_not_taken(tmp_path: Path) -> None:
    label = pds4(pds4_array("Array_2D", {"Line": 3, "Sample": 4}, "SignedByte"), file="b.dat")
    write(tmp_path, {"a.dat": counting(64), "b.dat": counting(64), "a.xml": label})
    with pytest.raises(UnknownFormatError, match=r"that of b\.dat"):
        virtualizarr.parse(tmp_path / "a.dat")


@pytest.mark.parametrize("ending", ["int", "amp", "cor", "unw", "hgt", "msk", "dem", "flg"])
def test_roi_pac_as_gdal_reads_it(tmp_path: Path, ending: str) -> None:
    rsc = "WIDTH 5\nFILE_LENGTH 4\nX_FIRST 10\nX_STEP 0.5\nY_FIRST 20\nY_STEP -0.25\n"
    path = write(tmp_path, {f"a.{ending}": counting(160), f"a.{ending}.rsc": rsc})
    found, expected = opened(path)[0], gdal_files.read(path)
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)
    transform = virtualizarr.parse(path).attributes["spatial:transform"]
    assert tuple(transform) == gdal_files.facts(path)["transform"]
