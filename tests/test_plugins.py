"""Finding the parser: by content, by name, and what is said where there is none."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import virtualizarr
from virtualizarr import plugins
from virtualizarr.errors import MissingDependencyError, UnknownFormatError
from virtualizarr.parsers import HDFParser, KerchunkJSONParser, NetCDF3Parser, registry

URL = "https://host/data.bin?version=2"
HDF5 = b"\x89HDF\r\n\x1a\n" + bytes(100)


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (HDF5, HDFParser),
        (bytes(512) + HDF5, HDFParser),
        (bytes(4096) + HDF5, HDFParser),
        (b"CDF\x01" + bytes(50), NetCDF3Parser),
        (b"CDF\x02" + bytes(50), NetCDF3Parser),
        (b"CDF\x05" + bytes(50), NetCDF3Parser),
        (b'{"version": 1, "refs": {".zgroup": "{}"}}', KerchunkJSONParser),
        (memoryview(HDF5), HDFParser),
    ],
)
def test_content_decides(head: bytes, kind: type) -> None:
    assert isinstance(plugins.detect(head, URL), kind)


@pytest.mark.parametrize(
    ("head", "said"),
    [
        (b"", "empty"),
        (b"\n <!DOCTYPE HTML><html>", "HTML page"),
        (b"<?xml version='1.0'?><Error><Code>NoSuchKey</Code></Error>", "error message"),
        (b"<?xml version='1.0'?><other/>", "XML"),
        (b"version https://git-lfs.github.com/spec/v1\noid", "git LFS pointer"),
        (gzip.compress(HDF5, mtime=0), "gzip"),
        (bz2.compress(HDF5), "bzip2"),
        (lzma.compress(HDF5), "xz"),
        (b"PK\x03\x04rest", "zip"),
        (bytes(1000), "begins with zeros"),
        ("Température, 3 °C\n".encode() * 600, "text that begins 'Température"),
        (b"\x01\x02\xff\xfe" * 9, "first bytes are 01 02 ff fe"),
        (HDF5[1:], "first bytes are 48 44 46"),
    ],
)
@pytest.mark.parametrize("url", [URL, "file:///data.nc"])
def test_strangers_are_described(head: bytes, said: str, url: str) -> None:
    with pytest.raises(UnknownFormatError, match=said) as caught:
        plugins.detect(head, url)
    assert caught.value.url == url
    assert "installed parsers: " in str(caught.value)
    installed = str(caught.value).partition("installed parsers: ")[2]
    assert {"hdf5", "kerchunk", "netcdf3"} <= set(installed.split(", "))


def test_names() -> None:
    assert plugins.parser_named("netcdf3") == NetCDF3Parser()
    assert {parser.name for parser in plugins.installed_parsers()} >= {"hdf5", "kerchunk"}
    with pytest.raises(UnknownFormatError, match=r"'hfd5'; did you mean 'hdf5'\?; installed"):
        plugins.parser_named("hfd5")


@dataclass(frozen=True)
class SuffixParser:
    """A parser whose format has no magic number."""

    name: str = "raw"
    suffixes: tuple[str, ...] = (".raw",)

    def sniff(self, head: bytes, url: str) -> bool:
        return False

    def parse(self, url: str) -> Any:
        raise NotImplementedError


@pytest.fixture
def with_others(monkeypatch: pytest.MonkeyPatch) -> None:
    points = {
        "raw": EntryPoint("raw", "test_plugins:SuffixParser", plugins.GROUP),
        "broken": EntryPoint("broken", "no_such_package:Parser", plugins.GROUP),
        "odd": EntryPoint("odd", "builtins:len", plugins.GROUP),
    }
    monkeypatch.setattr(registry, "installed", lambda: points)
    monkeypatch.setattr(EntryPoint, "load", _load)
    plugins.parser_named.cache_clear()
    yield
    plugins.parser_named.cache_clear()


def _load(point: EntryPoint) -> Any:
    if point.name == "broken":
        raise ModuleNotFoundError("No module named 'no_such_package'")
    return {"raw": SuffixParser, "odd": len}[point.name]


@pytest.mark.usefixtures("with_others")
def test_the_suffix_decides_where_content_cannot() -> None:
    binary = bytes(range(1, 255))
    assert plugins.detect(binary, "file:///a.RAW") == SuffixParser()
    assert plugins.detect(binary, "https://host/a.raw?x=y.nc") == SuffixParser()
    with pytest.raises(UnknownFormatError, match="HTML"):
        plugins.detect(b"<html></html>", "file:///a.raw")


@pytest.mark.usefixtures("with_others")
def test_parsers_that_cannot_be_had_are_named() -> None:
    with pytest.raises(MissingDependencyError, match="no_such_package"):
        plugins.parser_named("broken")
    with pytest.raises(UnknownFormatError, match="lacks name, suffixes, sniff or parse"):
        plugins.parser_named("odd")
    assert plugins.installed_parsers() == (SuffixParser(),)
    with pytest.raises(UnknownFormatError, match="no_such_package"):
        plugins.detect(bytes(range(1, 255)), "file:///a.bin")


def test_a_certain_format_imports_its_own_parser_alone() -> None:
    code = (
        "import sys; from virtualizarr import plugins;"
        "plugins.detect(b'CDF\\x01' + bytes(50), 'file:///a.nc');"
        "assert 'virtualizarr.parsers.netcdf3' in sys.modules;"
        "assert 'virtualizarr.parsers.hdf5' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("target", "name", "expected"),
    [
        ("a.json", None, "kerchunk"),
        ("s3://b/A.PARQUET/", None, "kerchunk_parquet"),
        ("a.parq", None, "kerchunk_parquet"),
        ("a.icechunk", None, "icechunk"),
        ("a.zarr", None, "zarr"),
        ("a.zarr", "json", "kerchunk"),
        ("anything", "parquet", "kerchunk_parquet"),
        ("anything", "icechunk", "icechunk"),
    ],
)
def test_writers_by_name_and_by_ending(target: str, name: str | None, expected: str) -> None:
    assert plugins.writer_for(target, name).name == expected


def test_writers_that_do_not_exist() -> None:
    with pytest.raises(UnknownFormatError, match=r"\.icechunk"):
        plugins.writer_for("a.nc")
    with pytest.raises(UnknownFormatError, match=r"'hdf5'.*icechunk"):
        plugins.writer_for("a.zarr", "hdf5")
    assert set(plugins.WRITERS) <= {parser.name for parser in plugins.installed_parsers()}


@pytest.mark.parametrize("block", [512, 1 << 16, 1 << 17, 1 << 18, 1 << 19])
def test_a_local_hdf5_file_behind_a_user_block_that_looks_like_another_format(
    tmp_path: Path, block: int
) -> None:
    path = tmp_path / "a.bin"
    with h5py.File(path, "w", userblock_size=block) as file:
        file["v"] = np.arange(3)
    data = bytearray(path.read_bytes())
    data[:8] = b"II*\0\x08\0\0\0"
    path.write_bytes(data)
    assert [*virtualizarr.parse(path).arrays] == ["v"]


@pytest.mark.parametrize("start", ["", "\n\n", "\ufeff"])
def test_a_local_document_that_says_late_what_it_is(tmp_path: Path, start: str) -> None:
    path = tmp_path / "a.bin"
    templates = {f"t{i}": "x" * 1000 for i in range(200)}
    document = {"version": 1, "templates": templates, "refs": {".zgroup": '{"zarr_format": 2}'}}
    path.write_text(start + json.dumps(document))
    assert not virtualizarr.parse(path).arrays
