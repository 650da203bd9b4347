"""Servers that references name, and that send their reader on: never into his own network."""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import zarr

import virtualizarr
from servers.ranges import RangeServer
from virtualizarr.errors import ForbiddenReferenceError, SourceError, UnsupportedFeatureError

VALUES = np.arange(6, dtype="<i4")
SECRET = b"a secret of the internal network"


@pytest.fixture
def inside() -> Iterator[RangeServer]:
    """A server of the reader's own network."""
    with RangeServer() as server:
        server.files["latest/meta-data"] = SECRET
        server.files["data.bin"] = VALUES.tobytes()
        yield server


def read(server: RangeServer, **options: Any) -> Any:
    """Read an array whose one chunk lies in `data.bin` of the server, by references on it."""
    array = {
        "zarr_format": 2,
        "shape": [6],
        "chunks": [6],
        "dtype": "<i4",
        "fill_value": 0,
        "order": "C",
        "compressor": None,
        "filters": None,
    }
    refs = {
        ".zgroup": '{"zarr_format": 2}',
        "v/.zarray": json.dumps(array),
        "v/0": [f"{server.url}/data.bin", 0, 24],
    }
    server.files["refs.json"] = json.dumps({"version": 1, "refs": refs}).encode()
    store = virtualizarr.open_store(f"{server.url}/refs.json", **options)
    return zarr.open_group(store, mode="r")["v"][...]


def sends_to(server: RangeServer, location: str, status: str = "302 Found") -> None:
    server.redirects["data.bin"] = (status, location)


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See", "307 Temp", "308 Perm"])
def test_into_the_network_is_refused(
    range_server: RangeServer, inside: RangeServer, status: str
) -> None:
    sends_to(range_server, f"{inside.url}/latest/meta-data", status)
    with pytest.raises(ForbiddenReferenceError, match=r"the server redirects to it") as caught:
        read(range_server)
    assert caught.value.url == f"{inside.url}/latest/meta-data"
    assert inside.counts.requests == 0


def spellings(server: RangeServer) -> list[str]:
    port = server.url.rpartition(":")[2]
    return [
        f"//127.0.0.1:{port}/latest/meta-data",
        f"http://127.1:{port}/latest/meta-data",
        f"http://2130706433:{port}/latest/meta-data",
        f"http://[::ffff:127.0.0.1]:{port}/latest/meta-data",
        f"http://localhost:{port}/latest/meta-data",
        f"HTTP://127.0.0.1:{port}\\@example.org/latest/meta-data",
        f"http://example.org@127.0.0.1:{port}/latest/meta-data",
        f"http://127.0.0.1:{port}#@example.org/latest/meta-data",
        "http://169.254.169.254/latest/meta-data",
        "http://metadata.google.internal/computeMetadata/v1/",
    ]


@pytest.mark.parametrize("number", range(10))
def test_in_every_spelling(range_server: RangeServer, inside: RangeServer, number: int) -> None:
    sends_to(range_server, spellings(inside)[number])
    with pytest.raises(ForbiddenReferenceError):
        read(range_server)
    assert inside.counts.requests == 0


def test_after_a_redirect_that_is_allowed(range_server: RangeServer, inside: RangeServer) -> None:
    sends_to(range_server, "/elsewhere.bin")
    range_server.redirects["elsewhere.bin"] = ("302 Found", f"{inside.url}/latest/meta-data")
    with pytest.raises(ForbiddenReferenceError):
        read(range_server)
    assert inside.counts.requests == 0


@pytest.mark.parametrize("location", ["file:///etc/passwd", "ftp://example.org/x", "http://[", ""])
def test_out_of_the_web_is_refused(range_server: RangeServer, location: str) -> None:
    sends_to(range_server, location)
    with pytest.raises(SourceError, match="redirect"):
        read(range_server)


def test_on_the_same_server_is_followed(range_server: RangeServer) -> None:
    range_server.files["elsewhere.bin"] = VALUES.tobytes()
    sends_to(range_server, "elsewhere.bin?a=b")
    np.testing.assert_array_equal(read(range_server), VALUES)


def test_where_the_reader_said_so_it_is_followed(
    range_server: RangeServer, inside: RangeServer
) -> None:
    sends_to(range_server, f"{inside.url}/data.bin")
    for allowed in (f"{inside.url}/", "all"):
        np.testing.assert_array_equal(read(range_server, allowed_locations=allowed), VALUES)


def test_to_other_servers_without_credentials(
    range_server: RangeServer, inside: RangeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("virtualizarr.source.policy.leads_inside", lambda authority: False)
    sends_to(range_server, f"{inside.url}/data.bin")
    headers = {"Authorization": "Bearer canary5d41402abc", "X-Kind": "kept"}
    options = {"client_options": {"default_headers": headers}}
    np.testing.assert_array_equal(read(range_server, storage_options=options), VALUES)
    assert "canary5d41402abc" in range_server.heads[-1]
    assert "canary5d41402abc" not in inside.heads[-1]
    assert "X-Kind: kept" in inside.heads[-1]


def test_a_loop_ends(range_server: RangeServer) -> None:
    sends_to(range_server, "/data.bin")
    with pytest.raises(SourceError, match="more than 10 redirects"):
        read(range_server)


def test_options_that_the_client_has_not(range_server: RangeServer) -> None:
    with pytest.raises(UnsupportedFeatureError, match="pool_max_idle_per_host"):
        read(range_server, storage_options={"pool_max_idle_per_host": "2"})


def test_what_a_file_names_can_be_sent_to_workers(range_server: RangeServer) -> None:
    range_server.files["data.bin"] = VALUES.tobytes()
    read(range_server)
    store = virtualizarr.open_store(f"{range_server.url}/refs.json")
    again = pickle.loads(pickle.dumps(store))
    np.testing.assert_array_equal(zarr.open_group(again, mode="r")["v"][...], VALUES)
