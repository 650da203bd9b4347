"""`virtualizarr serve`: plain Zarr over HTTP, for this machine alone."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
import zarr
from obstore.store import HTTPStore

import virtualizarr
from virtualizarr.cli.zarr_server import ZarrServer, bounds
from virtualizarr.store.plain import PlainStore

pytestmark = pytest.mark.filterwarnings("ignore::zarr.errors.ZarrUserWarning")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    ds = xr.Dataset({"t": (("time", "x"), np.arange(24.0).reshape(6, 4))}, attrs={"title": "days"})
    encoding = {"t": {"zlib": True, "chunksizes": (2, 4)}}
    ds.to_netcdf(tmp_path / "0.nc", engine="h5netcdf", encoding=encoding)
    return tmp_path / "0.nc"


@pytest.fixture
def server(path: Path) -> Iterator[ZarrServer]:
    with ZarrServer(PlainStore(virtualizarr.parse(path)), 0) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def ask(
    server: ZarrServer, method: str, key: str, **headers: str
) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
    connection.request(method, f"/{key}", headers=headers)
    answer = connection.getresponse()
    found = answer.status, dict(answer.getheaders()), answer.read()
    connection.close()
    return found


def test_zarr_reads_it(server: ZarrServer) -> None:
    store = zarr.storage.ObjectStore(
        HTTPStore(server.url, client_options={"allow_http": True}), read_only=True
    )
    root = zarr.open_group(store, mode="r", zarr_format=3)
    assert root.attrs["title"] == "days"
    np.testing.assert_array_equal(root["t"][...], np.arange(24.0).reshape(6, 4))
    by_url = zarr.open_group(server.url, mode="r")
    np.testing.assert_array_equal(by_url["t"][3:5], np.arange(24.0).reshape(6, 4)[3:5])
    codecs = [codec["name"] for codec in json.loads(ask(server, "GET", "t/zarr.json")[2])["codecs"]]
    assert not any("bounded" in name for name in codecs)


def test_get_and_head_with_ranges(server: ZarrServer, path: Path) -> None:
    status, headers, whole = ask(server, "GET", "t/c/0/0")
    assert (status, headers["Content-Length"]) == (200, str(len(whole)))
    status, headers, body = ask(server, "HEAD", "t/c/0/0")
    assert (status, headers["Content-Length"], body) == (200, str(len(whole)), b"")
    size = len(whole)
    for asked, part in {
        "bytes=2-5": whole[2:6],
        "bytes=4-": whole[4:],
        "bytes=-3": whole[-3:],
        f"bytes=1-{size * 9}": whole[1:],
    }.items():
        status, headers, body = ask(server, "GET", "t/c/0/0", Range=asked)
        assert (status, body) == (206, part)
        start = whole.index(part) if asked != "bytes=-3" else size - 3
        assert headers["Content-Range"] == f"bytes {start}-{start + len(part) - 1}/{size}"
    status, headers, _ = ask(server, "GET", "t/c/0/0", Range=f"bytes={size}-")
    assert (status, headers["Content-Range"]) == (416, f"bytes */{size}")
    for ignored in ("bytes=0-1,3-4", "lines=0-1", "bytes=-", f"bytes={'9' * 5000}-"):
        assert ask(server, "GET", "t/c/0/0", Range=ignored)[0] == 200


@pytest.mark.parametrize(
    "key",
    ["t/c/9/9", "nothing", "t/c/0/0/0", "../0.nc", "%2e%2e/0.nc", "t/c/-1/0", "", "t/.zarray"],
)
def test_what_is_no_key_is_not_found(server: ZarrServer, key: str) -> None:
    assert ask(server, "GET", key)[0] == 404
    assert ask(server, "HEAD", key)[0] == 404


@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE", "PATCH", "OPTIONS"])
def test_nothing_can_be_changed(server: ZarrServer, method: str) -> None:
    assert ask(server, method, "t/zarr.json")[0] == 501


def test_only_this_machine_is_answered(server: ZarrServer) -> None:
    """A web page whose name was made to lead to the loopback address gets nothing."""
    assert server.server_address[0] == "127.0.0.1"
    assert ask(server, "GET", "zarr.json", Host=f"evil.example:{server.server_port}")[0] == 403
    assert ask(server, "GET", "zarr.json", Host=f"localhost:{server.server_port}")[0] == 200


def test_a_file_that_changed_is_not_served(server: ZarrServer, path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\0")
    status, _, body = ask(server, "GET", "t/c/0/0")
    assert status == 502
    assert b"changed since it was parsed" in body


def test_where_references_may_not_lead(tmp_path: Path, path: Path) -> None:
    refs: Any = virtualizarr.open_virtual_dataset(path).vz.to_kerchunk(format="dict")
    text = json.dumps(refs).replace(path.as_uri(), "http://169.254.169.254/latest")
    (tmp_path / "a.json").write_text(text)
    with ZarrServer(PlainStore(virtualizarr.parse(tmp_path / "a.json")), 0) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        assert ask(running, "GET", "t/c/0/0")[0] == 403
        running.shutdown()
        thread.join()


def test_ranges() -> None:
    assert bounds("bytes=0-0", 5) == (0, 1)
    assert bounds("bytes=-9", 5) == (0, 5)
    assert bounds("bytes=-0", 5) is None
    assert bounds("bytes=5-", 5) is None
    assert bounds("bytes=3-2", 5) is None
    assert bounds("bytes=0-", 0) is None


def test_the_verb(path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "virtualizarr", "serve", str(path), "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    url = process.stdout.readline().split()[-1]
    try:
        np.testing.assert_array_equal(zarr.open_group(url, mode="r")["t"][0], np.arange(4.0))
    finally:
        process.terminate()
        process.communicate(timeout=10)
