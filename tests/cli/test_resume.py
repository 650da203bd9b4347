"""`virtualizarr build`: stopped, failed, run again; and what is never printed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from command_line import here, virtualizarr
from servers.s3 import S3Server


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    folder = tmp_path / "archive"
    folder.mkdir()
    for day in range(4):
        ds = xr.Dataset(
            {"t": (("time", "x"), np.arange(8.0).reshape(2, 4) + 8 * day, {"units": "K"})},
            coords={"time": [2 * day, 2 * day + 1], "x": [1, 2, 3, 4]},
        )
        ds.to_netcdf(folder / f"{day}.nc", engine="h5netcdf")
    return folder


def build(archive: Path, out: Path, *more: object) -> tuple[int, dict[str, object]]:
    done = here("build", archive / "*.nc", "-o", out, "--json", *more)
    return done.returncode, json.loads(done.stdout) if done.stdout else {}


def lines(out: Path) -> list[dict[str, object]]:
    ledger = Path(f"{out}.ledger.jsonl")
    return [json.loads(line) for line in ledger.read_text().splitlines()]


def check(out: Path, days: list[int]) -> None:
    with xr.open_dataset(out, engine="virtualizarr") as ds:
        wanted = np.concatenate([np.arange(8.0).reshape(2, 4) + 8 * day for day in days])
        np.testing.assert_array_equal(ds["t"], wanted)
        assert ds["time"].values.tolist() == [2 * d + i for d in days for i in (0, 1)]


@pytest.mark.parametrize("kind", ["json", "parquet", "zarr", "icechunk"])
def test_only_what_failed_is_parsed_again(archive: Path, tmp_path: Path, kind: str) -> None:
    out = tmp_path / f"out.{kind}"
    good = (archive / "2.nc").read_bytes()
    (archive / "2.nc").write_bytes(good[:200])
    code, found = build(archive, out, "--on-error", "skip")
    assert code == 3
    assert (found["parsed"], found["reused"]) == (3, 0)
    assert list(found["failed"]) == [(archive / "2.nc").as_uri()]  # type: ignore[call-overload]
    check(out, [0, 1, 3])
    entries = {str(entry["url"])[-4:]: entry for entry in lines(out)}
    assert [entries[f"{day}.nc"]["ok"] for day in range(4)] == [True, True, False, True]
    assert entries["2.nc"]["reason"]
    assert entries["1.nc"]["size"] == (archive / "1.nc").stat().st_size
    (archive / "2.nc").write_bytes(good)
    code, found = build(archive, out, "--overwrite")
    assert (code, found["parsed"], found["reused"], found["failed"]) == (0, 1, 3, {})
    check(out, [0, 1, 2, 3])
    assert not Path(f"{out}.ledger.jsonl.parsed").exists()


def test_a_file_that_changed_is_parsed_again(archive: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    (archive / "3.nc").write_bytes(b"broken")
    assert build(archive, out)[0] == 1
    (archive / "3.nc").unlink()
    ds = xr.Dataset(
        {"t": (("time", "x"), np.full((2, 4), 7.0))}, {"time": [0, 1], "x": [1, 2, 3, 4]}
    )
    ds.to_netcdf(archive / "0.nc", engine="h5netcdf")
    code, found = build(archive, out)
    assert (code, found["parsed"], found["reused"]) == (0, 1, 2)
    with xr.open_dataset(out, engine="virtualizarr") as opened:
        np.testing.assert_array_equal(opened["t"][:2], np.full((2, 4), 7.0))


def test_warnings_name_what_is_left_out(archive: Path, tmp_path: Path) -> None:
    (archive / "1.nc").write_bytes(b"broken")
    done = here("build", archive / "*.nc", "-o", tmp_path / "a.json", "--on-error", "warn")
    assert done.returncode == 3
    assert "left out" in done.stderr
    assert "1.nc" in done.stderr
    quiet = here(
        "build", archive / "*.nc", "-o", tmp_path / "a.json", "--on-error", "skip", "--overwrite"
    )
    assert (quiet.returncode, quiet.stderr) == (3, "virtualizarr: 1 files were left out\n")
    (archive / "0.nc").unlink()
    (archive / "2.nc").unlink()
    done = here("append", archive / "*.nc", "-o", tmp_path / "b.json", "--on-error", "skip")
    assert done.returncode == 1


KILLED = """
import os, signal
from virtualizarr.cli import ledger
real = ledger.Ledger.succeeded
def kill(self, *arguments):
    real(self, *arguments)
    if self.parsed == KILL_AT:
        with self.path.open("ab") as file:
            file.write(b'{"url": "file:///torn')
        os.kill(os.getpid(), signal.SIGKILL)
ledger.Ledger.succeeded = kill
from virtualizarr.cli.app import main
main()
"""


@pytest.mark.parametrize("after", [1, 3])
def test_a_build_that_was_killed_goes_on(archive: Path, tmp_path: Path, after: int) -> None:
    out = tmp_path / "out.zarr"
    script = KILLED.replace("KILL_AT", str(after))
    done = subprocess.run(
        [sys.executable, "-c", script, "build", str(archive / "*.nc"), "-o", str(out)],
        capture_output=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL
    assert not out.exists()
    code, found = build(archive, out)
    assert (code, found["parsed"], found["reused"]) == (0, 4 - after, after)
    check(out, [0, 1, 2, 3])


def test_the_ledger_lies_where_it_is_told(archive: Path, tmp_path: Path) -> None:
    code, found = build(archive, tmp_path / "a.json", "--ledger", tmp_path / "other.jsonl")
    assert (code, found["ledger"]) == (0, str(tmp_path / "other.jsonl"))
    assert sorted(os.listdir(tmp_path)) == ["a.json", "archive", "other.jsonl"]


def test_storage_options_reach_every_verb(
    s3_server: S3Server, archive: Path, tmp_path: Path
) -> None:
    for day in range(2):
        s3_server.put("cli", f"{day}.nc", (archive / f"{day}.nc").read_bytes())
    options = [
        word
        for key, value in s3_server.options.items()
        for word in ("--storage-option", f"{key}={value}")
    ]
    out = "s3://cli/out.json"

    def run(*words: object) -> dict[str, object]:
        done = here(*words, *options, "--json")
        assert done.returncode == 0, done.stderr
        assert "test-secret" not in done.stdout + done.stderr
        found: dict[str, object] = json.loads(done.stdout)
        return found

    assert run("inspect", "s3://cli/0.nc")["url"] == "s3://cli/0.nc"
    assert len(run("check", "s3://cli/*.nc")) == 1
    built = run("build", "s3://cli/0.nc", "-o", out, "--ledger", tmp_path / "ledger.jsonl")
    assert built["files"] == 1
    assert "appended" in str(run("append", "s3://cli/1.nc", "-o", out)["note"])
    assert "nothing to do" in str(run("append", "s3://cli/1.nc", "-o", out)["note"])
    assert run("verify", out)["ok"] is True
    assert run("convert", out, "-o", tmp_path / "a.zarr")["files"] == 2
    assert run("diff", out, out) == []
    kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"test-secret" not in kept


def test_secrets_are_not_echoed() -> None:
    done = virtualizarr("inspect", "s3://b/a.nc", "--storage-option", "CANARY-without-equals")
    assert done.returncode == 2
    assert "KEY=VALUE" in done.stderr
    assert "CANARY" not in done.stdout + done.stderr
    for option in ("secret_access_key=CANARY", "nonsense_token=CANARY", "region=CANARY"):
        done = here(
            *("inspect", "s3://b/a.nc", "--storage-option", option),
            *("--storage-option", "endpoint=http://127.0.0.1:9"),
            *("--storage-option", "access_key_id=x"),
        )
        assert done.returncode == 1
        assert option.startswith("region") or "CANARY" not in done.stdout + done.stderr
