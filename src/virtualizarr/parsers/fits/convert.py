"""From HDUs to the tree: images are variables of the root, tables are groups."""

from __future__ import annotations

from collections.abc import Sequence

from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError, VirtualizeError
from virtualizarr.model import ManifestArray, ManifestGroup
from virtualizarr.parsers.fits.chunking import contiguous_array
from virtualizarr.parsers.fits.layout import ASCII_TABLE, BINARY_TABLES, HDU
from virtualizarr.parsers.fits.names import hdu_names, image_dims
from virtualizarr.parsers.fits.scaling import scaling_of, unit_attributes
from virtualizarr.parsers.fits.tables import (
    Conversion,
    ascii_table,
    binary_table,
    random_groups,
)
from virtualizarr.parsers.fits.tile_table import image_of
from virtualizarr.parsers.fits.tiles import is_tiled, tiled_array
from virtualizarr.source.ranges import ByteRange
from virtualizarr.source.reading import Reading, together

type Node = ManifestArray | ManifestGroup


def read_tree(
    hdus: Sequence[HDU], conversion: Conversion, only: str | None
) -> Reading[ManifestGroup]:
    """Return the tree, or the group `only`; the HDUs are converted together, round by round.

    Errors name the HDU; UnsupportedFeatureError if there is no such group.
    """
    names = hdu_names(hdus)
    wanted = [
        (name, hdu)
        for name, hdu in zip(names, hdus, strict=True)
        if conversion.has(name) and only in (None, name)
    ]
    if only is not None and not wanted:
        raise UnsupportedFeatureError(f"there is no group {only!r}; there are {names}")
    nodes = yield from together([_converted(name, hdu, conversion) for name, hdu in wanted])
    found: dict[str, Node] = {
        name: node for (name, _), node in zip(wanted, nodes, strict=True) if node is not None
    }
    if only is not None:
        group = found.get(only)
        if not isinstance(group, ManifestGroup):
            raise UnsupportedFeatureError("is an image or empty, not a group", node=only)
        return group
    arrays = {name: node for name, node in found.items() if isinstance(node, ManifestArray)}
    groups = {name: node for name, node in found.items() if isinstance(node, ManifestGroup)}
    return ManifestGroup(arrays, groups, hdus[0].cards)


def _converted(name: str, hdu: HDU, conversion: Conversion) -> Reading[Node | None]:
    try:
        yield from _check_present(hdu, conversion.location.size)
        return (yield from _node(name, hdu, conversion))
    except VirtualizeError as error:
        raise error.located(node=name, at=hdu.header_at) from error.__cause__


def _check_present(hdu: HDU, size: int | None) -> Reading[None]:
    """Raise CorruptFileError unless the file holds all data.

    Where its size is not known, the last byte is asked for.
    """
    end = hdu.data_at + hdu.data_size
    if size is None and hdu.data_size > 0:
        (last,) = yield [ByteRange(end - 1, end)]
        size = end if len(last) else None
    if hdu.data_size > 0 and (size is None or end > size):
        ends = f"the file at {size:,}" if size is not None else "the file before that"
        raise CorruptFileError(
            f"the file is truncated: the data end at byte {end:,}, {ends}; leaving this HDU out "
            "with drop_variables opens the rest",
            at=size,
        )


def _node(name: str, hdu: HDU, conversion: Conversion) -> Reading[Node | None]:
    """Return an HDU as an image or a group; None for a primary HDU without data."""
    if hdu.random_groups:
        return random_groups(name, hdu, conversion)
    if hdu.kind in BINARY_TABLES and is_tiled(hdu):
        image = image_of(_table(hdu))
        dims = image_dims(name, image.shape, conversion.lengths)
        return (
            yield from tiled_array(
                hdu, image, conversion.location, dims, inline_tiles=conversion.inline_tiles
            )
        )
    if hdu.kind in BINARY_TABLES:
        return (yield from binary_table(name, _table(hdu), conversion))
    if hdu.kind == ASCII_TABLE:
        return ascii_table(name, _table(hdu), conversion)
    if not hdu.axes or (hdu.data_size == 0 and hdu.index == 0 and 0 in hdu.axes):
        return None if hdu.index == 0 else ManifestGroup(attributes=hdu.cards)
    return _image(name, hdu, conversion)


def _table(hdu: HDU) -> HDU:
    if len(hdu.axes) != 2 or hdu.bitpix != 8 or hdu.gcount != 1:
        raise hdu.corrupt(f"a table with NAXISn {hdu.axes}, BITPIX {hdu.bitpix}")
    return hdu


def _image(name: str, hdu: HDU, conversion: Conversion) -> ManifestArray:
    """Return the array of an image, or of an extension of another type, which is laid out so."""
    if hdu.pcount or hdu.gcount != 1:
        raise UnsupportedFeatureError(
            f"the data of {hdu.kind!r} are no plain array (PCOUNT {hdu.pcount}, "
            f"GCOUNT {hdu.gcount}); leave it out with drop_variables"
        )
    scaling = scaling_of(
        hdu.dtype, hdu.real("BSCALE", 1), hdu.real("BZERO", 0), hdu.cards.get("BLANK")
    )
    return contiguous_array(
        conversion.location,
        hdu.data_at,
        hdu.shape,
        scaling.dtype,
        flip=scaling.flip,
        chunk_bytes=conversion.chunk_bytes,
        attributes={**hdu.cards, **scaling.attributes, **unit_attributes(hdu.text("BUNIT"))},
        dims=image_dims(name, hdu.shape, conversion.lengths),
    )
