"""Networks that fail: the same result, or an error of our tree, after a bounded number of requests.

Each fault happens at each request of a parse, or of the reading of chunks, once or for ever.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import zarr

import virtualizarr
from servers.ranges import RangeServer
from virtualizarr.errors import (
    ChangedSourceError,
    SourceError,
    SourcePermissionError,
    UnknownFormatError,
    VirtualizeError,
)
from virtualizarr.model import ManifestGroup

NAME = "archive/f.h5"
REFERENCES = "archive/references.json"
OPTIONS: dict[str, Any] = {
    "timeout": timedelta(milliseconds=400),
    "retry_config": {"max_retries": 1, "retry_timeout": timedelta(seconds=2)},
}
PASSING = ("500", "502", "503", "429", "cut", "short", "reset", "break", "redirect", "whole")
"""Faults that happen once and are then over, and need not show."""

LASTING = (
    *PASSING,
    *("stall", "drip", "star", "shifted", "total", "page", "expired", "garbage", "loop"),
    *("400", "401", "403", "404", "410", "416", "418"),
)
MOST_REQUESTS = 60
VALUES = np.arange(40_000, dtype="<i4").reshape(200, 200)


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A file of chunks, of which some lie apart, so that it takes several requests."""
    path: Path = tmp_path_factory.mktemp("faults") / "f.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("v", data=VALUES, chunks=(50, 200), compression=1)
        file.create_dataset("w", data=VALUES, chunks=(100, 100))
        file["v"].attrs["units"] = "K"
    return path.read_bytes()


@pytest.fixture
def server(
    range_server: RangeServer, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> Iterator[RangeServer]:
    monkeypatch.setattr("virtualizarr.source.store_client.PAUSES", (0.0, 0.01, 0.01, 0.01))
    range_server.files[NAME] = content
    yield range_server
    assert range_server.counts.requests <= MOST_REQUESTS


def parsed(server: RangeServer) -> ManifestGroup:
    return virtualizarr.parse(f"{server.url}/{NAME}", storage_options=OPTIONS)


def referenced(server: RangeServer) -> ManifestGroup:
    """Return the same chunks as references name them: another client reads such files."""
    refs = virtualizarr.open_virtual_dataset(
        f"{server.url}/{NAME}", storage_options=OPTIONS, loadable_variables=[]
    ).virtualize.to_kerchunk(format="dict")
    server.files[REFERENCES] = json.dumps(refs).encode()
    group = virtualizarr.parse(f"{server.url}/{REFERENCES}", storage_options=OPTIONS)
    array = group.arrays["v"]
    assert array.manifest.locations[0].referrer == f"{server.url}/{REFERENCES}"
    return group


GROUPS = {"named by the reader": parsed, "named by references": referenced}


def values(server: RangeServer, group: ManifestGroup) -> dict[str, Any]:
    store = virtualizarr.open_store(group, storage_options=OPTIONS)
    root = zarr.open_group(store, mode="r")
    return {name: root[name][...] for name in ("v", "w")}


def fails_with(error: VirtualizeError, server: RangeServer) -> None:
    """Check that a failure is told with its place, and without what nobody may see."""
    assert error.url == f"{server.url}/{NAME}"
    assert "canary" not in f"{error} {error!r}"


@pytest.mark.parametrize("fault", PASSING)
def test_a_fault_that_passes_does_not_show(server: RangeServer, fault: str) -> None:
    clean = parsed(server)
    server.faults[NAME] = [fault]
    assert parsed(server) == clean
    assert server.faults[NAME] == []


@pytest.mark.parametrize("how", GROUPS)
@pytest.mark.parametrize("fault", PASSING)
def test_a_fault_that_passes_does_not_show_in_values(
    server: RangeServer, fault: str, how: str
) -> None:
    group = GROUPS[how](server)
    server.reset()
    server.faults[NAME] = [fault]
    for found in values(server, group).values():
        np.testing.assert_array_equal(found, VALUES)
    assert server.faults[NAME] == []


@pytest.mark.parametrize("fault", LASTING)
def test_a_fault_that_lasts_has_a_name_when_parsing(server: RangeServer, fault: str) -> None:
    clean = parsed(server)
    server.faults[NAME] = [f"{fault}!"]
    try:
        found = parsed(server)
    except VirtualizeError as error:
        fails_with(error, server)
        assert fault not in ("redirect", "whole")
    else:
        assert found == clean


@pytest.mark.parametrize("how", GROUPS)
@pytest.mark.parametrize("fault", LASTING)
def test_a_fault_that_lasts_has_a_name_when_reading(
    server: RangeServer, fault: str, how: str
) -> None:
    group = GROUPS[how](server)
    server.reset()
    server.faults[NAME] = [f"{fault}!"]
    try:
        found = values(server, group)
    except VirtualizeError as error:
        fails_with(error, server)
        assert fault not in ("redirect", "whole")
    else:
        for each in found.values():
            np.testing.assert_array_equal(each, VALUES)


@pytest.mark.parametrize("fault", ["page", "shifted", "expired", "404", "total"])
@pytest.mark.parametrize("how", GROUPS)
def test_a_fault_in_the_middle_of_a_reading(server: RangeServer, fault: str, how: str) -> None:
    """The first answers are right, the next ones are not."""
    group = GROUPS[how](server)
    root = zarr.open_group(virtualizarr.open_store(group, storage_options=OPTIONS), mode="r")
    np.testing.assert_array_equal(root["v"][:50], VALUES[:50])
    server.faults[NAME] = [f"{fault}!"]
    with pytest.raises(VirtualizeError):
        root["v"][50:]
    server.faults[NAME] = []
    np.testing.assert_array_equal(root["v"][50:], VALUES[50:])


@pytest.mark.parametrize(
    ("fault", "kind", "message"),
    [
        ("expired", SourcePermissionError, "ExpiredToken"),
        ("401", SourcePermissionError, "401"),
        ("404", FileNotFoundError, "no such object"),
        ("429", SourceError, "429"),
        ("503", SourceError, "503"),
        ("loop", SourceError, "redirect"),
        ("shifted", SourceError, "requested"),
        ("page", UnknownFormatError, "HTML page"),
    ],
)
def test_the_error_says_what_happened(
    server: RangeServer, fault: str, kind: type[Exception], message: str
) -> None:
    server.faults[NAME] = [f"{fault}!"]
    with pytest.raises(kind, match=rf"(?i){message}"):
        parsed(server)


@pytest.mark.parametrize("how", GROUPS)
def test_a_file_that_is_replaced_between_two_requests(
    server: RangeServer, content: bytes, how: str
) -> None:
    group = GROUPS[how](server)
    root = zarr.open_group(virtualizarr.open_store(group, storage_options=OPTIONS), mode="r")
    np.testing.assert_array_equal(root["w"][:100, :100], VALUES[:100, :100])
    server.files[NAME] = content[:-1] + b"\xff"
    with pytest.raises(ChangedSourceError):
        root["w"][100:]
