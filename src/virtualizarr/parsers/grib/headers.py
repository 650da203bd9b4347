"""Headers of fields parted into what they are and when they are, so that each is parsed once.

A *header* is the bytes that tell what a field is, with all times set to zero; a *moment* those that
tell its reference time and step. A file of a thousand hours has one header and a thousand moments.

- Edition 1: section 1; of its octets 13 to 21 and 25 a moment is made.
- Edition 2: discipline, octets 6 to 11 and 20 to 21 of section 1, the MARS class of section 2
  (ECMWF's) after an octet that says whether it is there, section 4. A moment is octets 13 to 19 of
  section 1, the number of the template, and of section 4 the unit and the forecast time, and what
  begins with the end of the interval.

The first octet of a moment is the edition.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from virtualizarr.parsers.grib.concepts import Template
from virtualizarr.parsers.grib.varying import template_in

type Octets = npt.NDArray[np.uint8]

FIXED_2 = 12
"""Octets of a header of edition 2 before section 4."""

TIMES_1 = (*range(12, 21), 24)
"""Which octets of section 1 of edition 1, from 0, a moment is made of."""

ZEROED_1 = (*range(12, 20), *range(21, 25))
"""Which are set to zero in a header: the kind of range, octet 21, belongs to both."""

NO_TEMPLATE = b"\xff\xff"


def part_1(sections: Octets) -> tuple[Octets, Octets]:
    """Return the headers and the moments of sections 1 of edition 1, a row each."""
    headers = sections.copy()
    headers[:, ZEROED_1] = 0
    moments = np.empty((len(sections), 1 + len(TIMES_1)), np.uint8)
    moments[:, 0] = 1
    moments[:, 1:] = sections[:, TIMES_1]
    return headers, moments


def part_2(
    disciplines: Octets, sections_1: Octets, mars: Octets, sections_4: Octets
) -> tuple[Octets, Octets]:
    """Return the headers and the moments of fields of edition 2, a row each.

    All have section 4 of one length and one template, moved by lists of one length. `disciplines`
    and `mars` have a row of 1 and of 3 octets for each field, `sections_1` at least 21 octets.
    """
    steady = sections_4.copy()
    template = template_in(sections_4[0].tobytes())
    reference = sections_1[:, 12:19]
    edition = np.full((len(steady), 1), 2, np.uint8)
    if template is None or steady.shape[1] < template.octets:
        unknown = np.broadcast_to(np.frombuffer(NO_TEMPLATE, np.uint8), (len(steady), 2))
        moments = np.concatenate((edition, reference, unknown), axis=1)
    else:
        steps = _steps(template, steady)
        moments = np.concatenate((edition, reference, sections_4[:, 7:9], *steps), axis=1)
    first = (disciplines, sections_1[:, 5:11], sections_1[:, 19:21], mars)
    return np.concatenate((*first, steady), axis=1), moments


def _steps(template: Template, sections: Octets) -> list[Octets]:
    """Return what tells the steps in sections 4, and set the times in them to zero."""
    found: list[Octets] = []
    at, end = template.forecast_time, template.interval_end
    if at is not None:
        size = template.time_octets
        step = np.zeros((len(sections), 5), np.uint8)
        step[:, 0], step[:, 5 - size :] = sections[:, at - 1], sections[:, at : at + size]
        found.append(step)
        if end is not None:
            found.append(sections[:, end:].copy())
        sections[:, at : at + size] = 0
    if end is not None:
        sections[:, end : end + 7] = 0
    return found


def mars_of(section_2: bytes) -> bytes:
    """Return the MARS class of a section 2 as a header has it; b"" is a section that is not there.

    What section 2 of other centres says at that place counts only where the centre is ECMWF.
    """
    octets = section_2[7:9]
    return b"\1" + octets if len(octets) == 2 else bytes(3)


def header_1(section_1: bytes) -> tuple[bytes, bytes]:
    """Return the header and the moment of one field of edition 1."""
    header = b"".join((section_1[:12], bytes(8), section_1[20:21], bytes(4), section_1[25:]))
    return header, b"".join((b"\1", section_1[12:21], section_1[24:25]))


def header_2(
    discipline: int, section_1: bytes, section_2: bytes, section_4: bytes
) -> tuple[bytes, bytes]:
    """Return the header and the moment of one field of edition 2."""
    first = (bytes([discipline]), section_1[5:11], section_1[19:21], mars_of(section_2))
    number = section_4[7:9]
    template = template_in(section_4)
    start = b"".join((b"\2", section_1[12:19]))
    if template is None or len(section_4) < template.octets:
        return b"".join((*first, section_4)), start + NO_TEMPLATE
    steady, step, tail = section_4, b"", b""
    at, end = template.forecast_time, template.interval_end
    if at is not None:
        size = template.time_octets
        step = b"".join((section_4[at - 1 : at], bytes(4 - size), section_4[at : at + size]))
        tail = section_4[end:] if end is not None else b""
        steady = b"".join((steady[:at], bytes(size), steady[at + size :]))
    if end is not None:
        steady = b"".join((steady[:end], bytes(7), steady[end + 7 :]))
    return b"".join((*first, steady)), b"".join((start, number, step, tail))


def numbered(rows: Octets, known: dict[bytes, int]) -> list[int]:
    """Return the number of each row among the `known` ones, to which new ones are added."""
    width, text = rows.shape[1], rows.tobytes()
    number = known.setdefault
    return [number(text[at : at + width], len(known)) for at in range(0, len(text), width)]
