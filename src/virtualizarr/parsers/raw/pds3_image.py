"""IMAGE and QUBE objects of PDS3 labels: where their numbers lie and what is said of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from virtualizarr.errors import UnsupportedFeatureError
from virtualizarr.model import Location
from virtualizarr.parsers.georeference import Place, north_up
from virtualizarr.parsers.raw.numbers import integer, real_or_none
from virtualizarr.parsers.raw.pds3_sample import Sample, constant_of, sample_of
from virtualizarr.parsers.raw.planetary import proj_string
from virtualizarr.parsers.raw.pvl import Block, Scalar
from virtualizarr.parsers.raw.raster import BAND, LINE, ORDERS, SAMPLE, interleaved
from virtualizarr.parsers.strided import RawImage

INTERLEAVES = {
    "BAND_SEQUENTIAL": "bsq",
    "LINE_INTERLEAVED": "bil",
    "SAMPLE_INTERLEAVED": "bip",
    "PIXEL_INTERLEAVED": "bip",
}
AXES = {"SAMPLE": SAMPLE, "LINE": LINE, "BAND": BAND}
NULLS = ("MISSING_CONSTANT", "MISSING", "CORE_NULL", "NULL", "INVALID_CONSTANT")
UNCOMPRESSED = ("", "N/A", "NONE", "UNCOMPRESSED")


class Pointer(NamedTuple):
    """Where an object lies: the file's name ("" for the label's own) and the byte in it."""

    file: str
    offset: int


def pointers_of(block: Block, record_bytes: int = 0) -> Iterator[tuple[str, Pointer, Block | None]]:
    """Yield the objects that a label points to: name, place, and description if there is one.

    Files that are objects of the label (FILE, UNCOMPRESSED_FILE) have pointers of their own.
    """
    own = integer(block.text("RECORD_BYTES", "0") or "0", "RECORD_BYTES")
    record = own if own else record_bytes
    for key, spelled in block.spelled.items():
        if key.startswith("^"):
            name = spelled[1:]
            described = _described(block, name.upper())
            yield name, pointer_of(block, key, record), described
    for inner in block.blocks:
        if inner.name.upper().endswith("FILE"):
            yield from pointers_of(inner, record)


def _described(block: Block, name: str) -> Block | None:
    found = block.block(name)
    if found is None and name.endswith("IMAGE"):
        found = next((each for each in block.blocks if each.name.upper().endswith(name)), None)
    return found


def pointer_of(block: Block, key: str, record_bytes: int) -> Pointer:
    """Return where a pointer leads: to a record, counted from 1, or to a byte, in this file or in
    another."""
    value = block.values[key]
    file, place, unit = "", "1", None
    for item in (value,) if isinstance(value, Scalar) else value:
        if item.text.isdecimal():
            place, unit = item.text, item.unit
        elif not file:
            file = item.text
    number = integer(place, f"the pointer {key}")
    step = 1 if unit is not None and unit.upper().startswith("BYTE") else max(record_bytes, 1)
    return Pointer(file, max(number - 1, 0) * step)


def is_image(name: str) -> bool:
    """Say whether an object of that name is an image or a qube."""
    upper = name.upper()
    return upper.endswith(("IMAGE", "QUBE"))


def image_of(described: Block, location: Location, offset: int, byte_order: str | None) -> RawImage:
    """Return where the numbers of an image or qube lie.

    Raises UnsupportedFeatureError by name for encodings and types that are not read.
    """
    encoding = described.text("ENCODING_TYPE").upper()
    if encoding not in UNCOMPRESSED:
        raise UnsupportedFeatureError(f"ENCODING_TYPE {encoding} of {described.name}")
    if described.text("INTERCHANGE_FORMAT").upper() == "ASCII":
        raise UnsupportedFeatureError(f"INTERCHANGE_FORMAT ASCII of {described.name}")
    if described.texts("CORE_ITEMS"):
        return _qube(described, location, offset, byte_order)
    bits = integer(described.text("SAMPLE_BITS"), "SAMPLE_BITS", low=1, high=128)
    sample = sample_of(described.text("SAMPLE_TYPE"), bits, byte_order)
    lines, samples = (integer(described.text(key), key, low=1) for key in ("LINES", "LINE_SAMPLES"))
    bands = integer(described.text("BANDS", "1"), "BANDS", low=1)
    storage = described.text("BAND_STORAGE_TYPE", "BAND_SEQUENTIAL").upper().replace(" ", "_")
    if storage not in INTERLEAVES and bands > 1:
        raise UnsupportedFeatureError(f"BAND_STORAGE_TYPE {storage}")
    interleave = INTERLEAVES.get(storage, "bsq") if bands > 1 else "bsq"
    before, behind = (
        integer(described.text(key, "0"), key) for key in ("LINE_PREFIX_BYTES", "LINE_SUFFIX_BYTES")
    )
    if (before or behind) and interleave == "bil":
        raise UnsupportedFeatureError("LINE_PREFIX_BYTES or LINE_SUFFIX_BYTES of interleaved lines")
    lengths = (bands, lines, samples)
    strides: dict[str, int] = {}
    if before or behind:
        pixels = samples * (bands if interleave == "bip" else 1)
        strides[LINE] = pixels * sample.dtype.itemsize + before + behind
        if interleave == "bsq":
            strides[BAND] = strides[LINE] * lines
    return _placed(location, offset + before, sample, lengths, interleave, strides)


def _placed(
    location: Location,
    offset: int,
    sample: Sample,
    lengths: tuple[int, int, int],
    interleave: str,
    strides: dict[str, int],
) -> RawImage:
    return interleaved(
        location, offset, sample.dtype, lengths, interleave, strides=strides, form=sample.form
    )


def _qube(described: Block, location: Location, offset: int, byte_order: str | None) -> RawImage:
    """Return where the core of a qube lies; AXIS_NAME and CORE_ITEMS have the fastest first."""
    names = [text.upper() for text in described.texts("AXIS_NAME")]
    items = [integer(text, "CORE_ITEMS", low=1) for text in described.texts("CORE_ITEMS")]
    if sorted(names) != sorted(AXES) or len(items) != len(AXES):
        raise UnsupportedFeatureError(f"a qube of axes {', '.join(names)}")
    nbytes = integer(
        described.text("CORE_ITEM_BYTES", described.text("CORE_ITEMS_BYTES")),
        "CORE_ITEM_BYTES",
        low=1,
        high=16,
    )
    sample = sample_of(described.text("CORE_ITEM_TYPE"), nbytes * 8, byte_order)
    suffix_items = [integer(text, "SUFFIX_ITEMS") for text in described.texts("SUFFIX_ITEMS")]
    suffix_items = [*suffix_items, 0, 0, 0][:3]
    suffix = integer(described.text("SUFFIX_BYTES", "4"), "SUFFIX_BYTES")
    first, second, third = (AXES[name] for name in names)
    strides = {first: nbytes}
    strides[second] = items[0] * nbytes + suffix_items[0] * suffix
    backplane = suffix_items[1] * (items[0] + suffix_items[0]) * suffix
    strides[third] = items[1] * strides[second] + backplane
    counts = dict(zip((first, second, third), items, strict=True))
    lengths = (counts[BAND], counts[LINE], counts[SAMPLE])
    interleave = next(
        (key for key, order in ORDERS.items() if order == (third, second, first)), "bsq"
    )
    return _placed(location, offset, sample, lengths, interleave, strides)


def nodata_of(described: Block, image: RawImage) -> float | int | None:
    """Return the constant that stands for missing samples; None where the label has none."""
    for key in NULLS:
        if described.text(key):
            return constant_of(described.text(key), image.dtype)
    return None


def scaling_of(described: Block) -> tuple[float, float]:
    """Return scale and offset: true values are scale times stored ones, plus offset."""
    found = [
        next((v for key in keys if (v := real_or_none(described.text(key))) is not None), default)
        for keys, default in (
            (("SCALING_FACTOR", "CORE_MULTIPLIER"), 1.0),
            (("OFFSET", "CORE_BASE"), 0.0),
        )
    ]
    return found[0], found[1]


def band_names(described: Block, count: int) -> Sequence[str]:
    """Return the names of the bands, if the label has one for each."""
    names = described.texts("BAND_NAME")
    return names if len(names) == count else ()


def place_of(label: Block, described: Block) -> Place:
    """Return where the image lies: its IMAGE_MAP_PROJECTION, in metres."""
    found = _projection(label) or _projection(described)
    if found is None:
        return Place()
    mapping: Block = found

    def number(key: str, default: float = 0.0) -> float:
        value = real_or_none(mapping.text(key))
        return value if value is not None else default

    def metres(key: str) -> float:
        scalar = mapping.scalar(key)
        in_metres = scalar is not None and (scalar.unit or "KM").upper().startswith("M")
        return number(key) * (1.0 if in_metres else 1000.0)

    transform = None
    column, row = (
        real_or_none(mapping.text(f"{axis}_PROJECTION_OFFSET")) for axis in ("SAMPLE", "LINE")
    )
    size = metres("MAP_SCALE")
    if column is not None and row is not None and size > 0:
        transform = north_up(-(column + 0.5) * size, (row + 0.5) * size, size, size)
    crs = proj_string(
        mapping.text("MAP_PROJECTION_TYPE"),
        latitude=number("CENTER_LATITUDE"),
        longitude=number("CENTER_LONGITUDE"),
        semi_major=metres("A_AXIS_RADIUS"),
        semi_minor=metres("C_AXIS_RADIUS"),
        planetographic=mapping.text("COORDINATE_SYSTEM_NAME").upper() == "PLANETOGRAPHIC",
        parallels=(number("FIRST_STANDARD_PARALLEL"), number("SECOND_STANDARD_PARALLEL")),
    )
    return Place(transform, crs)


def _projection(block: Block) -> Block | None:
    for each in block.blocks:
        if each.name.upper().endswith("IMAGE_MAP_PROJECTION"):
            return each
        inner = _projection(each)
        if inner is not None:
            return inner
    return None
