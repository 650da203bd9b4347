"""Index files that lie beside GRIB files and tell where messages begin.

wgrib2's inventory (`FILE.idx`): lines `number:offset:...`. ECMWF's (`FILE` with its suffix replaced
by `.index`): lines of JSON with `_offset` and `_length`. Only offsets are taken, and only as places
where it may be worth to look: what lies there is read from the file itself.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from virtualizarr.errors import VirtualizeError
from virtualizarr.source.ranges import ByteRange
from virtualizarr.source.reading import Elsewhere, Reading

LARGEST = 64 * 1024 * 1024

_WGRIB2 = re.compile(rb"^\d+(?:\.\d+)?:(\d{1,18}):", re.MULTILINE)
_ECMWF = re.compile(rb'"_offset"\s*:\s*"?(\d{1,18})\b')


def sidecar_urls(url: str) -> list[str]:
    """Return where a sidecar of the file at `url` would be; nowhere for URLs with a query."""
    if "?" in url or "#" in url:
        return []
    folder, _, name = url.rpartition("/")
    stem = name.rpartition(".")[0]
    return [f"{url}.idx", *([f"{folder}/{stem}.index"] if stem else [])]


def ask(urls: Sequence[str]) -> list[Elsewhere]:
    """Return the requests for sidecars."""
    return [Elsewhere(url, _read()) for url in urls]


def starts_in(answers: Sequence[bytes | VirtualizeError]) -> list[int]:
    """Return where messages begin as the first sidecar that is there says; nothing if none is."""
    for answer in answers:
        if isinstance(answer, VirtualizeError):
            continue
        form = _ECMWF if answer.lstrip()[:1] == b"{" else _WGRIB2
        found = {int(offset) for offset in form.findall(answer)}
        if found:
            return sorted(found)
    return []


def _read() -> Reading[bytes]:
    (content,) = yield [ByteRange(0, LARGEST)]
    return bytes(content)
