"""Data files that are recognised by the header beside them, and what that costs other files."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest

import virtualizarr
from raw_headers import counting, write
from servers.ranges import RangeServer
from virtualizarr import plugins
from virtualizarr.errors import UnknownFormatError
from virtualizarr.parsers import EHdrParser, ENVIParser
from virtualizarr.parsers.base import SidecarParser
from virtualizarr.source.memory import BytesSource
from virtualizarr.source.reading import run
from virtualizarr.testing import read_values

ESRI = "NROWS 2\nNCOLS 5\nNBITS 8\n"
ENVI = "ENVI\nsamples = 5\nlines = 2\nbands = 1\ndata type = 1\ninterleave = bsq\n"


@pytest.mark.parametrize("header, kind", [(ESRI, EHdrParser), (ENVI, ENVIParser)])
def test_the_header_decides(tmp_path: Path, header: str, kind: type) -> None:
    path = write(tmp_path, {"a.bil": counting(10), "a.hdr": header})
    assert virtualizarr.parse(path) == virtualizarr.parse(path, parser=kind)
    found = asyncio.run(virtualizarr.parse_async(path))
    assert found == virtualizarr.parse(path)


def test_headers_are_asked_for_in_one_round_and_only_then(tmp_path: Path) -> None:
    asked: list[str] = []

    def opener(url: str) -> BytesSource:
        asked.append(url)
        return BytesSource(b"", url)

    url = (tmp_path / "a.bil").as_uri()
    source = BytesSource(b"\x01\x02\xff\xfe", url)
    assert run(plugins.detecting_beside(b"\x01\x02\xff\xfe", url), source, opener) is None
    assert 0 < len(asked) == len(set(asked)) <= 8
    asked.clear()
    page = b"<!DOCTYPE html><html>a listing</html>"
    assert run(plugins.detecting_beside(page, url), source, opener) is None
    assert not asked


def test_headers_and_data_on_a_web_server(range_server: RangeServer) -> None:
    raw = counting(10).tobytes()
    range_server.files |= {"d/a.img": raw, "d/a.hdr": ENVI.encode()}
    data = f"{range_server.url}/d/a.img"
    groups = [virtualizarr.parse(data), virtualizarr.parse(f"{range_server.url}/d/a.hdr")]
    for group in groups:
        (location,) = group.arrays["band_data"].manifest.locations
        assert (location.url, location.size) == (data, 10)
        values = read_values(group)["band_data"]
        np.testing.assert_array_equal(values.ravel(), counting(10))


def test_data_that_look_like_text_or_zeros_are_found_too(tmp_path: Path) -> None:
    for content in (b"0123456789", bytes(10)):
        path = write(tmp_path, {"a.bil": content, "a.hdr": ESRI})
        assert virtualizarr.parse(path).arrays["band_data"].shape == (1, 2, 5)


def test_a_header_of_no_known_format_changes_nothing(tmp_path: Path) -> None:
    path = write(tmp_path, {"a.bil": counting(10), "a.hdr": "just some text\n"})
    with pytest.raises(UnknownFormatError, match="first bytes are"):
        virtualizarr.parse(path)


def test_parsers_with_headers() -> None:
    parsers = {each.name for each in plugins.installed_parsers() if isinstance(each, SidecarParser)}
    assert parsers == {"envi", "ehdr", "isis3", "pds3", "pds4", "roipac", "nifti"}
