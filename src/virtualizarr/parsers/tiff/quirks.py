"""What some writers get wrong in their tags, set right before the tags are believed.

Philips DP and ISS Vista write an ImageDepth for what is no volume; Zeiss LSM 510 a Predictor for
samples that are not compressed, and more BitsPerSample than samples; Indica Labs leave out the
SampleFormat of floats.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from virtualizarr.parsers.tiff.layout import Ifd, Tag, Values

NO_VOLUMES = ("Philips DP", "ISS Vista")
INDICA = "IndicaLabsImageWriter"
FLOAT_BITS, FLOAT_FORMAT = 32, 3


def corrected(ifds: Sequence[Ifd]) -> list[Ifd]:
    """Return the IFDs with the tags that their writer, named by the first IFD, meant."""
    if not ifds:
        return []
    first = ifds[0]
    software = first.text(Tag.SOFTWARE) or ""
    if software.startswith(NO_VOLUMES):
        return [_without(ifd, Tag.IMAGE_DEPTH, Tag.TILE_DEPTH) for ifd in ifds]
    if Tag.CZ_LSMINFO in first.values:
        return [_without(ifd, Tag.PREDICTOR) if _is_plain(ifd) else ifd for ifd in ifds]
    if software.startswith(INDICA):
        return [_as_floats(ifd) for ifd in ifds]
    return list(ifds)


def _is_plain(ifd: Ifd) -> bool:
    return ifd.number(Tag.COMPRESSION, 1) == 1


def _without(ifd: Ifd, *tags: Tag) -> Ifd:
    kept: dict[int, Values] = {tag: value for tag, value in ifd.values.items() if tag not in tags}
    return replace(ifd, values=kept)


def _as_floats(ifd: Ifd) -> Ifd:
    if Tag.SAMPLE_FORMAT in ifd.values or ifd.number(Tag.BITS_PER_SAMPLE, 1) != FLOAT_BITS:
        return ifd
    format_ = np.array([FLOAT_FORMAT], np.uint16)
    return replace(ifd, values={**ifd.values, Tag.SAMPLE_FORMAT: format_})
