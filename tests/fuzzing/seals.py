"""Checksums of a file put right after damage, so that a parser looks past them.

HDF5's newer structures end with a lookup3 checksum. A parser that verifies it refuses every mutant
at once, which proves little about what comes after.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from numcodecs.jenkins import jenkins_lookup3

SEALED = re.compile(
    rb"\x89HDF\r\n\x1a\n[\x02\x03]|OHDR|OCHK|BTHD|BTIN|BTLF|FRHP|FHIB|FHDB|FSHD|FSSE"
    rb"|FAHD|FADB|EAHD|EAIB|EASB|EADB|SMTB|SMLI"
)
LONGEST = 8192
CHECKSUM = 4

type Span = tuple[int, int]


def sealed_spans(whole: bytes) -> list[Span]:
    """Return where structures with a right checksum lie; `stop` is that of the checksum."""
    spans: list[Span] = []
    for match in SEALED.finditer(whole):
        start = match.start()
        for stop in range(start + 8, min(len(whole), start + LONGEST) - CHECKSUM + 1):
            stored = int.from_bytes(whole[stop : stop + CHECKSUM], "little")
            if stored and stored == jenkins_lookup3(whole[start:stop]):
                spans.append((start, stop + CHECKSUM))
                break
    return spans


def resealed(data: bytes, spans: Sequence[Span]) -> bytes:
    """Return the data with the checksum of every span made right again."""
    mended = bytearray(data)
    for start, stop in spans:
        if stop <= len(mended):
            checksum = jenkins_lookup3(bytes(mended[start : stop - CHECKSUM]))
            mended[stop - CHECKSUM : stop] = checksum.to_bytes(CHECKSUM, "little")
    return bytes(mended)
