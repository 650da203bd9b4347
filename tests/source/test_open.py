"""URLs, registries, options and patterns: from what people write to the right source."""

from __future__ import annotations

import os
import tracemalloc
from pathlib import Path
from typing import Any

import obstore
import pytest
from obspec_utils.registry import ObjectStoreRegistry
from obstore.store import HTTPStore, LocalStore, MemoryStore

from servers.ranges import RangeServer
from servers.s3 import S3Server
from virtualizarr.errors import SourceError, SourceNotFoundError, UnsupportedFeatureError
from virtualizarr.source.cache import CachingSource
from virtualizarr.source.listing import glob_urls
from virtualizarr.source.local import LocalSource
from virtualizarr.source.object_store import ObjectSource
from virtualizarr.source.open import open_source
from virtualizarr.source.ranges import ByteRange
from virtualizarr.source.stores import memory_store, store_for
from virtualizarr.source.urls import local_path, normalize_url, redact, split_url

HEAD = [ByteRange(0, 100)]


@pytest.mark.parametrize(
    ("given", "canonical"),
    [
        ("/a/b.nc", "file:///a/b.nc"),
        ("/a/b c%20#?.nc", "file:///a/b%20c%2520%23%3F.nc"),
        ("/a/12:00.nc", "file:///a/12:00.nc"),
        ("/a/../b.nc", "file:///b.nc"),
        ("file:///a/b%20c.nc", "file:///a/b%20c.nc"),
        ("file:///a/b c#d?e.nc", "file:///a/b%20c%23d%3Fe.nc"),
        ("file:/a/b.nc", "file:///a/b.nc"),
        ("FILE://localhost/a/b.nc", "file:///a/b.nc"),
        ("s3://Bucket/k/a b.nc", "s3://Bucket/k/a%20b.nc"),
        ("s3://b/k/a%20b.nc", "s3://b/k/a%20b.nc"),
        ("s3://b/100%.nc", "s3://b/100%25.nc"),
        ("s3://b/a?b#c", "s3://b/a%3Fb%23c"),
        ("S3A://b/k", "s3://b/k"),
        ("gcs://b/k", "gs://b/k"),
        ("az://c/k", "az://c/k"),
        ("abfss://c@acc.dfs.core.windows.net/k", "abfss://c@acc.dfs.core.windows.net/k"),
        ("HTTPS://Host.org/a b?x=1#f", "https://host.org/a%20b?x=1"),
        ("http://h/a%2Fb", "http://h/a%2Fb"),
        ("memory:///a", "memory:///a"),
        ("memory://m/ä", "memory://m/%C3%A4"),
    ],
)
@pytest.mark.skipif(os.name == "nt", reason="POSIX paths")
def test_canonical_urls(given: str, canonical: str) -> None:
    assert normalize_url(given) == canonical
    assert normalize_url(canonical) == canonical


def test_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    expected = (tmp_path / "a b.nc").as_uri()
    assert normalize_url(tmp_path / "a b.nc") == expected
    assert normalize_url("a b.nc") == expected
    assert normalize_url("./a b.nc") == expected
    assert normalize_url("~/a b.nc") == expected
    assert local_path(expected) == str(tmp_path / "a b.nc")


@pytest.mark.skipif(os.name == "nt", reason="POSIX names")
def test_names_that_are_not_utf8(tmp_path: Path) -> None:
    name = os.fsencode(tmp_path) + b"/\xff.nc"
    with open(name, "wb") as file:
        file.write(b"content")
    url = normalize_url(os.fsdecode(name))
    assert url.endswith("/%FF.nc")
    assert bytes(open_source(url).read(HEAD)[0]) == b"content"


@pytest.mark.parametrize(
    "url",
    [
        "https://user:password@host/f.nc",
        "s3://key:secret@bucket/f.nc",
        "abfs://c:secret@acc.dfs.core.windows.net/f.nc",
        "https://host/f.nc?X-Amz-Signature=secret",
        "https://host/f.nc?sv=1&sig=secret",
        "https://host/f.nc?token=secret",
    ],
)
def test_urls_with_credentials_are_refused_without_repeating_them(url: str) -> None:
    with pytest.raises(SourceError, match="refused") as caught:
        open_source(url)
    assert "secret" not in str(caught.value)
    assert "password@" not in str(caught.value)


@pytest.mark.parametrize("url", ["", "file://", "file://host/share/f.nc", "s3:///key"])
def test_malformed_urls(url: str) -> None:
    with pytest.raises(SourceError):
        open_source(url)


@pytest.mark.parametrize("url", ["simplecache::s3://b/k", "ftp://host/f.nc"])
def test_unsupported_urls(url: str) -> None:
    with pytest.raises(UnsupportedFeatureError):
        open_source(url)


def test_redaction_and_parts() -> None:
    text = 'GET https://u:p@h/a?sig=1 failed, then "http://h/b?x" and s3://b/k'
    assert redact(text) == 'GET https://h/a failed, then "http://h/b" and s3://b/k'
    assert split_url("s3://b/a%20b") == ("s3", "b", "a b", "")
    with pytest.raises(SourceError, match="UTF-8"):
        split_url("s3://b/%FF")
    with pytest.raises(SourceError, match="not a URL"):
        split_url("nothing")


def test_local_files_are_read_directly(tmp_path: Path) -> None:
    path = tmp_path / "a b.nc"
    path.write_bytes(b"content")
    for given in (path, str(path), path.as_uri()):
        source = open_source(given)
        assert isinstance(source, LocalSource)
        assert source.url == path.as_uri()
        assert bytes(source.read(HEAD)[0]) == b"content"
    path.write_bytes(bytes(5_000_000))
    for registry in (None, ObjectStoreRegistry({"file://": LocalStore()})):
        source = open_source(path, registry, cache=False)
        tracemalloc.start()
        source.read(HEAD)
        assert tracemalloc.get_traced_memory()[1] < 100_000
        tracemalloc.stop()


def test_memory_and_cache() -> None:
    obstore.put(memory_store("m"), "x/f.nc", b"content")
    source = open_source("memory://m/x/f.nc")
    assert isinstance(source, CachingSource)
    assert bytes(source.read(HEAD)[0]) == b"content"
    assert isinstance(open_source("memory://m/x/f.nc", cache=False), ObjectSource)


def test_one_store_serves_a_bucket(monkeypatch: pytest.MonkeyPatch) -> None:
    def store(url: str, **options: Any) -> Any:
        return store_for(split_url(url), options)[0]

    first = store("s3://b/k", region="eu-west-1")
    assert store("s3://b/other", region="eu-west-1") is first
    assert store("s3://b/k", region="us-east-1") is not first
    assert store("s3://c/k", region="eu-west-1") is not first
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "new")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "new")
    assert store("s3://b/k", region="eu-west-1") is not first


def test_options_are_sorted_and_unknown_ones_named() -> None:
    store, path = store_for(
        split_url("s3://b/a/k"), {"anon": True, "timeout": "3s", "endpoint": "http://127.0.0.1:9"}
    )
    assert path == "a/k"
    assert store.config["skip_signature"] in (True, "true")
    assert store.client_options["timeout"] is not None
    assert store.client_options["allow_http"] in (True, "true")
    assert store_for(split_url("gs://b/k"), {"skip_signature": True})[1] == "k"
    assert store_for(split_url("abfss://c@acc.dfs.core.windows.net/k"), {})[1] == "k"
    with pytest.raises(SourceError, match="nonsense"):
        open_source("s3://b/k", storage_options={"nonsense": 1})
    with pytest.raises(SourceError, match="set up"):
        open_source("https://h/k", storage_options={"nonsense": 1})


def test_registry(tmp_path: Path, range_server: RangeServer) -> None:
    range_server.files["x/a b;c.nc"] = b"remote"
    store = MemoryStore()
    obstore.put(store, "k/f g.nc", b"memory")
    (tmp_path / "d e").mkdir()
    (tmp_path / "d e" / "f.nc").write_bytes(b"local")
    registry: Any = ObjectStoreRegistry(
        {
            "s3://bucket": store,
            f"file://{tmp_path}/d e": LocalStore(tmp_path / "d e"),
            range_server.url: HTTPStore(range_server.url, client_options={"allow_http": True}),
        }
    )
    local = open_source(tmp_path / "d e" / "f.nc", registry)
    assert isinstance(local, LocalSource)
    for url, content in [
        ("s3://bucket/k/f g.nc", b"memory"),
        ("s3://bucket/k/f%20g.nc", b"memory"),
        (str(tmp_path / "d e" / "f.nc"), b"local"),
        (f"{range_server.url}/x/a%20b;c.nc", b"remote"),
    ]:
        assert bytes(open_source(url, registry).read(HEAD)[0]) == content
    with pytest.raises(SourceError, match="s3://bucket") as caught:
        open_source("s3://other/f.nc", registry)
    assert caught.value.url == "s3://other/f.nc"
    with pytest.raises(SourceError, match="no store is registered"):
        open_source(tmp_path / "elsewhere.nc", registry)
    with pytest.raises(SourceError, match="registry"):
        open_source("s3://bucket/k", registry, {"region": "x"})
    whole: Any = ObjectStoreRegistry({"file://": LocalStore()})
    assert bytes(open_source(tmp_path / "d e" / "f.nc", whole).read(HEAD)[0]) == b"local"


def test_a_registered_local_mirror_cannot_be_left(tmp_path: Path) -> None:
    (tmp_path / "mirror").mkdir()
    (tmp_path / "secret").write_bytes(b"secret")
    registry: Any = ObjectStoreRegistry({"s3://bucket": LocalStore(tmp_path / "mirror")})
    (tmp_path / "mirror" / "f.nc").write_bytes(b"content")
    source = open_source("s3://bucket/f.nc", registry)
    assert source.url == "s3://bucket/f.nc"
    assert bytes(source.read(HEAD)[0]) == b"content"
    for url in ("s3://bucket/../secret", "s3://bucket/%2E%2E/secret"):
        with pytest.raises(SourceError, match="leaves"):
            open_source(url, registry)


NAMES = [
    "a.nc",
    "b.nc",
    "c.txt",
    "x/d.nc",
    "x/y/e.nc",
    "x/z/e f.nc",
    "[odd].nc",
]
PATTERNS = {
    "*.nc": ["[odd].nc", "a.nc", "b.nc"],
    "[ab].nc": ["a.nc", "b.nc"],
    "[!a].nc": ["b.nc"],
    "?.txt": ["c.txt"],
    "x/*.nc": ["x/d.nc"],
    "x/*/e*.nc": ["x/y/e.nc", "x/z/e f.nc"],
    "**/e*.nc": ["x/y/e.nc", "x/z/e f.nc"],
    "x/**/*.nc": ["x/d.nc", "x/y/e.nc", "x/z/e f.nc"],
    "**/[[]odd].nc": ["[odd].nc"],
}


@pytest.fixture(scope="module")
def everywhere(
    tmp_path_factory: pytest.TempPathFactory, s3_server: S3Server
) -> dict[str, tuple[str, Any, Any]]:
    """The same names in each kind of store: base URL, registry, storage options."""
    root = tmp_path_factory.mktemp("names")
    bucket = s3_server.store("names")
    for name in NAMES:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")
        obstore.put(bucket, f"deep/{name}", b"x")
        obstore.put(memory_store("names"), name, b"x")
    mirror: Any = ObjectStoreRegistry({"s3://mirror": LocalStore(root)})
    within: Any = ObjectStoreRegistry({f"file://{root}": LocalStore(root)})
    return {
        "path": (str(root), None, None),
        "file URL": (root.as_uri(), None, None),
        "s3": ("s3://names/deep", None, s3_server.options),
        "memory": ("memory://names", None, None),
        "mirror": ("s3://mirror", mirror, None),
        "registered": (str(root), within, None),
    }


@pytest.mark.parametrize("where", ["path", "file URL", "s3", "memory", "mirror", "registered"])
@pytest.mark.parametrize("pattern", PATTERNS)
def test_patterns(everywhere: dict[str, tuple[str, Any, Any]], where: str, pattern: str) -> None:
    base, registry, options = everywhere[where]
    found = glob_urls(f"{base}/{pattern}", registry, options)
    assert found == [normalize_url(f"{base}/{name}") for name in PATTERNS[pattern]]
    for url in found:
        assert bytes(open_source(url, registry, options).read(HEAD)[0]) == b"x"


def test_patterns_that_match_nothing_and_literals(
    everywhere: dict[str, tuple[str, Any, Any]], tmp_path: Path
) -> None:
    for base, registry, options in everywhere.values():
        with pytest.raises(SourceNotFoundError, match=r"no\*\.nc"):
            glob_urls(f"{base}/no*.nc", registry, options)
    assert glob_urls("s3://b/literal.nc") == ["s3://b/literal.nc"]
    assert glob_urls(tmp_path / "literal.nc") == [(tmp_path / "literal.nc").as_uri()]
    assert glob_urls("https://h/f.nc?x=1") == ["https://h/f.nc?x=1"]
    (tmp_path / "a[1].nc").touch()
    assert glob_urls(str(tmp_path / "a[1].nc")) == [normalize_url(tmp_path / "a[1].nc")]
    with pytest.raises(UnsupportedFeatureError, match="list"):
        glob_urls("https://h/*.nc")


def test_listing_a_missing_bucket(s3_server: S3Server) -> None:
    with pytest.raises(SourceNotFoundError):
        glob_urls("s3://no-such-bucket/*.nc", storage_options=s3_server.options)
