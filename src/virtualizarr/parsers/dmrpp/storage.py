"""The elements of DMR++ within a variable."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast, get_args

from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError
from virtualizarr.parsers.dmrpp.layout import ByteOrder, FixedStrings, Pad, Storage, Text
from virtualizarr.parsers.dmrpp.pieces import decode_pieces, naturals
from virtualizarr.parsers.dmrpp.xml import Element, Row, Rows

CHUNKS, CHUNK, BLOCK = "chunks", "chunk", "block"
TEXTS = ("compact", "missingdata", "specialstructuredata")
VLSA, FIXED_STRINGS = "vlsa", "FixedLengthStringArray"
KNOWN = frozenset({CHUNKS, VLSA, FIXED_STRINGS, *TEXTS})
OLD_ORDER = ("shuffle", "deflate", "fletcher32")
"""The order of filters in documents without a version, whatever they say (Hyrax: DmrppCommon)."""


def decode_storage(element: Element, rank: int, versioned: bool) -> Storage:
    """Return what the elements of DMR++ in a variable with `rank` axes say.

    `versioned` is whether the document has a `dmrpp:version`. Raises UnsupportedFeatureError naming
    an element that is not known, CorruptFileError for what contradicts itself.
    """
    for child in element.children:
        if child.extension and child.name not in KNOWN:
            raise UnsupportedFeatureError(
                f"has an element dmrpp:{child.name}, which is not known", at=child.at
            )
    chunks = element.find(CHUNKS)
    direct, blocks = Rows(), Rows()
    for parent in (element, chunks):
        if parent is not None:
            direct.extend(parent.rows.get(CHUNK, Rows()))
            blocks.extend(parent.rows.get(BLOCK, Rows()))
    found = {name: element.find(name) for name in TEXTS}
    texts = {name: child.text for name, child in found.items() if child is not None}
    vlsa = element.find(VLSA)
    fixed = element.find(FIXED_STRINGS)
    kinds = [*texts, *([VLSA] if vlsa is not None else [])]
    kinds += [name for name, rows in ((CHUNK, direct), (BLOCK, blocks)) if rows]
    if len(kinds) > 1:
        raise element.corrupt(f"its bytes are given twice, as {' and as '.join(kinds)}")
    given: Mapping[str, str] = chunks.attributes if chunks is not None else {}
    return Storage(
        given=bool(kinds) or chunks is not None,
        filters=_filters(given.get("compressionType", ""), versioned),
        ordered=versioned,
        deflate_levels=_list(given.get("deflateLevel", given.get("deflate_level")), "deflateLevel"),
        fill_value=given.get("fillValue"),
        byte_order=_byte_order(given.get("byteOrder", "LE")),
        struct_offsets=_offsets(given.get("structOffset")),
        chunk_shape=_chunk_shape(chunks, rank) if chunks is not None else None,
        chunks=decode_pieces(direct, rank) if direct else None,
        blocks=decode_pieces(blocks, rank) if blocks else None,
        fixed_strings=_fixed_strings(fixed) if fixed is not None else None,
        vlsa=tuple(map(_text, vlsa.values)) if vlsa is not None else None,
        **texts,
    )


def _filters(text: str, versioned: bool) -> tuple[str, ...]:
    names = text.split()
    if not versioned and set(names) <= set(OLD_ORDER):
        names.sort(key=OLD_ORDER.index)
    return tuple(names)


def _list(text: str | None, what: str) -> tuple[int, ...]:
    return tuple(naturals(text.split(), what).tolist()) if text else ()


def _offsets(text: str | None) -> tuple[int, ...] | None:
    return _list(text, "structOffset") if text else None


def _byte_order(text: str) -> ByteOrder:
    if text not in ("LE", "BE", ""):
        raise CorruptFileError(f"byteOrder is {text[:20]!r}, not LE or BE")
    return "BE" if text == "BE" else "LE"


def _chunk_shape(chunks: Element, rank: int) -> tuple[int, ...] | None:
    sizes = {child.text for child in chunks.children if child.name == "chunkDimensionSizes"}
    if not sizes:
        return None
    if len(sizes) > 1:
        raise chunks.corrupt(f"{len(sizes)} different chunkDimensionSizes")
    shape = tuple(naturals(sizes.pop().replace(",", " ").split(), "chunkDimensionSizes").tolist())
    if len(shape) != rank or not all(shape):
        raise chunks.corrupt(f"chunks of shape {shape} of a variable with {rank} axes")
    return shape


def _fixed_strings(element: Element) -> FixedStrings:
    (length,) = naturals([element.required("string_length")], "string_length").tolist()
    pad = element.attributes.get("pad", "not_set")
    if pad not in get_args(Pad.__value__):
        raise element.corrupt(f"pad is {pad[:20]!r}")
    return FixedStrings(length, cast("Pad", pad))


def _text(value: tuple[Row, str]) -> Text:
    row, text = value
    attributes = {
        key.rpartition(":")[2]: each for key, each in zip(row[::2], row[1::2], strict=True)
    }
    (count,) = naturals([attributes.get("c", "1")], "the repetition of a text").tolist()
    size = (
        naturals([attributes["s"]], "the size of a text").tolist() if "s" in attributes else [None]
    )
    return Text(text, count, size[0])
