"""Where a document's data file is looked for, and where a document may not lead."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import zarr

import dmrpp_documents
import virtualizarr
from parsers.dmrpp.made import parse
from virtualizarr.errors import (
    CorruptFileError,
    ForbiddenReferenceError,
    UnsupportedFeatureError,
    VirtualizeError,
)
from virtualizarr.parsers.dmrpp import DMRPPParser
from virtualizarr.parsers.driver import Sources, parse_with
from virtualizarr.source.memory import BytesSource
from virtualizarr.store import ManifestStore

BODY = '<Int32 name="v"><Dim size="4"/><dmrpp:chunk offset="0" nBytes="16"{}/></Int32>'
VALUES = np.arange(4, dtype="<i4")


def location(href: str | None, url: str, more: str = "", parser: DMRPPParser | None = None) -> str:
    parser = parser if parser is not None else DMRPPParser()
    group = parse(BODY.format(more), href=href, url=url, parser=parser, name="named.h5")
    (found,) = group.arrays["v"].manifest.locations
    return found.url


@pytest.mark.parametrize(
    ("href", "url", "expected"),
    [
        ("OPeNDAP_DMRpp_DATA_ACCESS_URL", "s3://b/d/a.nc.dmrpp", "s3://b/d/a.nc"),
        ("OPeNDAP_DMRpp_SC_DATA_ACCESS_URL", "s3://b/d/a.nc.dmrpp", "s3://b/d/a.nc_mvs.h5"),
        (None, "https://h/d/a.nc.DMRPP?x=1", "https://h/d/a.nc?x=1"),
        (None, "file:///d/a.xml", "file:///d/named.h5"),
        ("a.nc", "s3://b/d/other.xml", "s3://b/d/a.nc"),
        ("data/a b.nc", "s3://b/d/other.dmrpp", "s3://b/d/a%20b.nc"),
        ("/data/a.nc", "file:///d/other.dmrpp", "file:///d/a.nc"),
        ("../data/a.nc", "file:///d/e/other.dmrpp", "file:///d/e/a.nc"),
        ("s3://c/k/a.nc", "s3://b/d/other.dmrpp", "s3://c/k/a.nc"),
        ("https://h/a.nc", "file:///d/other.dmrpp", "https://h/a.nc"),
        ("file:///x/a.nc", "file:///d/other.dmrpp", "file:///x/a.nc"),
    ],
)
def test_the_data_file(href: str | None, url: str, expected: str) -> None:
    assert location(href, url) == expected


def test_an_href_of_a_chunk_counts_before_the_document_s() -> None:
    assert location("a.nc", "s3://b/d/x.dmrpp", ' href="s3://c/b.nc"') == "s3://c/b.nc"
    assert location("a.nc", "s3://b/d/x.dmrpp", ' href=""') == "s3://b/d/a.nc"


@pytest.mark.parametrize("suffix", ["_mvs.h5", ".missing"])
def test_values_that_hyrax_worked_out_lie_in_a_file_beside(tmp_path: Path, suffix: str) -> None:
    (tmp_path / f"a.h5{suffix}").write_bytes(VALUES.tobytes())
    document = tmp_path / "x.dmrpp"
    body = BODY.format(' href="OPeNDAP_DMRpp_MISSING_DATA_ACCESS_URL"')
    document.write_text(dmrpp_documents.document(body, href="a.h5"))
    root = zarr.open_group(virtualizarr.open_store(document), mode="r")
    np.testing.assert_array_equal(root["v"][...], VALUES)


def test_the_caller_may_say_where_the_data_file_is() -> None:
    parser = DMRPPParser(data_url="s3://mine/a.nc")
    assert location("a.nc", "s3://b/d/x.dmrpp", parser=parser) == "s3://mine/a.nc"
    assert location(None, "s3://b/d/x", parser=parser) == "s3://mine/a.nc"
    assert location("a.nc", "s3://b/d/x.dmrpp", ' href="b.nc"', parser) == "s3://b/d/b.nc"


@pytest.mark.parametrize("href", ["../../../../etc/passwd", "data/../../../x"])
def test_paths_that_climb_out_are_corrupt(href: str) -> None:
    with pytest.raises(CorruptFileError, match="climbs"):
        location(href, "s3://b/d/x.dmrpp")


@pytest.mark.parametrize("href", ["data/", "https://user:word@h/a.nc", "https://h/a?token=1"])
def test_hrefs_that_cannot_be_followed(href: str) -> None:
    with pytest.raises(CorruptFileError):
        location(href, "s3://b/d/x.dmrpp")


def test_a_document_that_names_nothing() -> None:
    with pytest.raises(UnsupportedFeatureError, match="data_url"):
        parse(BODY.format(""), href=None, url="s3://b/d/x", name="")


@pytest.mark.parametrize(("below", "href"), [("data", "data/a.h5"), (".", "elsewhere/a.h5")])
def test_a_path_is_looked_for_below_the_document_and_beside_it(
    tmp_path: Path, below: str, href: str
) -> None:
    (tmp_path / below).mkdir(exist_ok=True)
    (tmp_path / below / "a.h5").write_bytes(VALUES.tobytes())
    document = tmp_path / "x.dmrpp"
    document.write_text(dmrpp_documents.document(BODY.format(""), href=href))
    root = zarr.open_group(virtualizarr.open_store(document), mode="r")
    np.testing.assert_array_equal(root["v"][...], VALUES)


def test_chunks_in_several_files(tmp_path: Path) -> None:
    rows = ""
    for at in range(4):
        (tmp_path / f"{at % 2}.bin").write_bytes(VALUES.tobytes())
        own = "" if at % 2 else ' href="1.bin"'
        rows += (
            f'<dmrpp:chunk offset="{4 * at}" nBytes="4" chunkPositionInArray="[{3 - at}]"{own}/>'
        )
    sizes = "<dmrpp:chunkDimensionSizes>1</dmrpp:chunkDimensionSizes>"
    body = f'<Int32 name="v"><Dim size="4"/><dmrpp:chunks>{sizes}{rows}</dmrpp:chunks></Int32>'
    document = tmp_path / "x.dmrpp"
    document.write_text(dmrpp_documents.document(body, href="0.bin"))
    group = virtualizarr.parse(document)
    names = [place.url.rpartition("/")[2] for place in group.arrays["v"].manifest.locations]
    assert sorted(names) == ["0.bin", "1.bin"]
    root = zarr.open_group(ManifestStore(group), mode="r")
    np.testing.assert_array_equal(root["v"][...], VALUES[::-1])


@pytest.mark.parametrize(
    "href",
    [
        "http://169.254.169.254/latest/meta-data",
        "http://localhost:1/x",
        "https://example.org/a.nc",
        "s3://other/a.nc",
    ],
)
def test_a_local_document_leads_nowhere_else(tmp_path: Path, href: str) -> None:
    document = tmp_path / "x.dmrpp"
    document.write_text(dmrpp_documents.document(BODY.format(""), href=href))
    root = zarr.open_group(virtualizarr.open_store(document), mode="r")
    with pytest.raises(ForbiddenReferenceError):
        root["v"][...]
    blocks = '<dmrpp:block offset="0" nBytes="7"/><dmrpp:block offset="9" nBytes="9"/>'
    inner = f'<Int32 name="v"><Dim size="4"/><dmrpp:chunks>{blocks}</dmrpp:chunks></Int32>'
    document.write_text(dmrpp_documents.document(inner, href=href))
    with pytest.raises(ForbiddenReferenceError):
        virtualizarr.parse(document)


def test_a_remote_document_does_not_lead_to_local_files(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(VALUES.tobytes())
    blocks = '<dmrpp:block offset="0" nBytes="7"/><dmrpp:block offset="9" nBytes="7"/>'
    inner = f'<Int32 name="v"><Dim size="3"/><dmrpp:chunks>{blocks}</dmrpp:chunks></Int32>'
    text = dmrpp_documents.document(inner, href=(tmp_path / "secret").as_uri())
    url = "https://example.org/x.dmrpp"
    sources = Sources(lambda asked: BytesSource(text.encode(), asked))
    with pytest.raises(VirtualizeError, match="leads here"):
        parse_with(DMRPPParser(), url, sources)


def test_a_chunk_beyond_the_end_of_the_data_file(tmp_path: Path) -> None:
    (tmp_path / "a.h5").write_bytes(bytes(8))
    document = tmp_path / "x.dmrpp"
    document.write_text(dmrpp_documents.document(BODY.format(""), href="data/a.h5"))
    with pytest.raises(CorruptFileError, match="ends at byte 16"):
        virtualizarr.parse(document)


def test_the_file_s_state_is_remembered(tmp_path: Path) -> None:
    (tmp_path / "a.h5").write_bytes(VALUES.tobytes())
    document = tmp_path / "x.dmrpp"
    document.write_text(dmrpp_documents.document(BODY.format(""), href="data/a.h5"))
    (found,) = virtualizarr.parse(document).locations
    assert found.size == 16
    assert found.referrer == document.as_uri()
