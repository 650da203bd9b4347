"""The command line, run as a person runs it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr


def virtualizarr(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "virtualizarr", *map(str, words)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("archive")
    for day in range(3):
        ds = xr.Dataset(
            {"t": (("time", "x"), np.arange(8.0).reshape(2, 4) + 8 * day, {"units": "K"})},
            coords={"time": [2 * day, 2 * day + 1], "x": [1, 2, 3, 4]},
        )
        encoding = {"t": {"zlib": True, "chunksizes": (1, 4)}}
        ds.to_netcdf(folder / f"{day}.nc", engine="h5netcdf", encoding=encoding)
    return folder


def test_inspect_shows_the_variables(archive: Path) -> None:
    done = virtualizarr("inspect", archive / "0.nc")
    assert done.returncode == 0, done.stderr
    assert "t (time: 2, x: 4)" in done.stdout
    assert "float64" in done.stdout
    assert "can be virtualized" in done.stdout


def test_inspect_as_json(archive: Path) -> None:
    done = virtualizarr("inspect", archive / "0.nc", "--json")
    described = json.loads(done.stdout)
    t = described["variables"]["t"]
    assert (t["dtype"], t["shape"], t["chunks"], t["references"]) == ("float64", [2, 4], [1, 4], 2)
    assert t["attributes"]["units"] == "K"
    assert described["groups"] == {}


def test_build_writes_references_that_open(archive: Path, tmp_path: Path) -> None:
    out = tmp_path / "combined.json"
    done = virtualizarr("build", archive / "*.nc", "-o", out, "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["files"] == 3
    assert result["dimensions"] == {"time": 6, "x": 4}
    with xr.open_dataset(out, engine="virtualizarr") as ds:
        np.testing.assert_array_equal(ds["t"], np.arange(24.0).reshape(6, 4))
        assert ds["time"].values.tolist() == list(range(6))


def test_formats_lists_the_parsers() -> None:
    assert "hdf5" in virtualizarr("formats").stdout
    rows = json.loads(virtualizarr("formats", "--json").stdout)
    assert {"hdf5", "netcdf3", "kerchunk"} <= {row["name"] for row in rows}


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("empty.nc", b"", "empty"),
        ("page.nc", b"<!DOCTYPE html><html>404</html>", "HTML"),
        ("text.nc", b"some words\n", "text"),
        ("cut.nc", b"\x89HDF\r\n\x1a\n\x00", ""),
    ],
)
@pytest.mark.parametrize("verb", ["inspect", "build"])
def test_errors_are_one_line_that_names_the_file(
    tmp_path: Path, verb: str, name: str, content: bytes, reason: str
) -> None:
    bad = tmp_path / name
    bad.write_bytes(content)
    output = ["-o", tmp_path / "out.json"] if verb == "build" else []
    done = virtualizarr(verb, bad, *output)
    assert done.returncode == 1
    assert done.stdout == ""
    assert len(done.stderr.strip().splitlines()) == 1
    assert done.stderr.startswith("virtualizarr: ")
    assert name in done.stderr
    assert reason in done.stderr
    assert not (tmp_path / "out.json").exists()


def test_a_missing_file_and_a_wrong_parser(archive: Path) -> None:
    missing = virtualizarr("inspect", archive / "nope.nc")
    assert missing.returncode == 1
    assert "nope.nc" in missing.stderr
    wrong = virtualizarr("inspect", archive / "0.nc", "--parser", "hdf6")
    assert wrong.returncode == 1
    assert "hdf6" in wrong.stderr
    assert "hdf5" in wrong.stderr


def test_help_and_version() -> None:
    assert "inspect" in virtualizarr("--help").stdout
    assert virtualizarr("--version").stdout.strip()
    assert virtualizarr("build").returncode == 2
