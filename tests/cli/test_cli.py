"""The command line, run as a person runs it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from command_line import here, virtualizarr


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


@pytest.mark.parametrize("kind", ["json", "parquet", "icechunk", "zarr"])
def test_build_append_verify_convert_and_diff(archive: Path, tmp_path: Path, kind: str) -> None:
    out = tmp_path / f"store.{kind}"
    first = here("build", archive / "0.nc", archive / "1.nc", "-o", out)
    assert first.returncode == 0, first.stderr
    for _ in range(2):
        more = here("append", archive / "2.nc", "-o", out, "--dim", "time")
        assert more.returncode == 0, more.stderr
    assert "nothing to do" in more.stdout
    with xr.open_dataset(out, engine="virtualizarr") as ds:
        np.testing.assert_array_equal(ds["t"], np.arange(24.0).reshape(6, 4))
        assert ds["time"].values.tolist() == list(range(6))

    sound = here("verify", out)
    assert sound.returncode == 0, sound.stdout
    assert "0 problems" in sound.stdout

    copy = tmp_path / "copy.json"
    again = here("convert", out, "-o", copy, "--json")
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["files"] == 3
    same = here("diff", out, copy, "--values")
    if kind != "icechunk":  # which keeps appended coordinates in chunks of their own
        assert same.returncode == 0, same.stdout
    assert "values" not in same.stdout


def test_rename_and_diff(archive: Path, tmp_path: Path) -> None:
    combined, moved = tmp_path / "a.json", tmp_path / "b.json"
    here("build", archive / "*.nc", "-o", combined)
    rename = f"{archive}=s3://bucket/deep"
    done = here("convert", combined, "-o", moved, "--rename", rename)
    assert done.returncode == 0, done.stderr
    text = moved.read_text()
    assert "s3://bucket/deep/0.nc" in text
    assert str(archive) not in text
    differ = here("diff", combined, moved)
    assert differ.returncode == 1
    (line,) = differ.stdout.splitlines()
    assert line.startswith("t: references, in another file (6 of 6 chunks): ")
    listed = json.loads(here("diff", combined, moved, "--json").stdout)
    assert [each["node"] for each in listed] == ["t"]
    nowhere = here("convert", combined, "-o", moved, "--rename", "/no/such=/other")
    assert nowhere.returncode == 1
    assert "no location begins with 'file:///no/such'" in nowhere.stderr
    assert here("convert", combined, "-o", moved, "--rename", "half").returncode == 2

    refused = here("verify", moved)
    assert refused.returncode == 1
    assert "allowed_locations=['s3://bucket/']" in refused.stdout
    assert len(refused.stdout.splitlines()) == 3 + 1


def test_verify_names_each_problem_in_one_line(archive: Path, tmp_path: Path) -> None:
    folder = tmp_path / "archive"
    folder.mkdir()
    for path in archive.glob("*.nc"):
        (folder / path.name).write_bytes(path.read_bytes())
    out = tmp_path / "a.zarr"
    here("build", folder / "*.nc", "-o", out)
    (folder / "1.nc").unlink()
    done = here("verify", out)
    assert done.returncode == 1
    problem, summary = done.stdout.splitlines()
    assert problem.startswith((folder / "1.nc").as_uri())
    assert "1 problems" in summary
    report = json.loads(here("verify", out, "--json", "--sample", "0").stdout)
    assert not report["ok"]
    assert report["decoded"] == 0
    assert [each["url"] for each in report["problems"]] == [(folder / "1.nc").as_uri()]


def test_targets_that_are_taken_or_say_no_format(archive: Path, tmp_path: Path) -> None:
    out = tmp_path / "a.zarr"
    assert here("build", archive / "0.nc", "-o", out).returncode == 0
    taken = here("build", archive / "0.nc", "-o", out)
    assert taken.returncode == 1
    assert "a.zarr" in taken.stderr
    assert here("build", archive / "0.nc", "-o", out, "--overwrite").returncode == 0
    unnamed = here("build", archive / "0.nc", "-o", tmp_path / "out")
    assert unnamed.returncode == 1
    assert ".icechunk" in unnamed.stderr
    named = here("build", archive / "0.nc", "-o", tmp_path / "out", "--to", "json")
    assert named.returncode == 0
    assert json.loads((tmp_path / "out").read_text())["version"] == 1
    assert here("build", archive / "0.nc", "-o", out, "--to", "hdf5").returncode == 1


def test_check_tells_the_odd_file(archive: Path, tmp_path: Path) -> None:
    alike = here("check", archive / "*.nc")
    assert alike.returncode == 0, alike.stdout
    odd = tmp_path / "odd.nc"
    with xr.open_dataset(archive / "0.nc", engine="h5netcdf") as ds:
        ds.astype("f4").to_netcdf(odd, engine="h5netcdf")
    done = here("check", archive / "*.nc", odd)
    assert done.returncode == 1
    assert "odd.nc" in done.stdout
    assert "t: dtype float64 -> float32" in done.stdout
    eras = json.loads(here("check", archive / "*.nc", odd, "--json").stdout)
    assert [len(era["urls"]) for era in eras] == [3, 1]
