"""Every format of references through the public functions: written, read back, appended to."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import icechunk
import numpy as np
import orjson
import pytest
import xarray as xr

import virtualizarr
from virtualizarr.errors import CombineError, UnsupportedFeatureError
from virtualizarr.source import sink_tree

pytestmark = pytest.mark.filterwarnings("ignore::zarr.errors.ZarrUserWarning")

FORMATS: dict[str, Callable[..., Any]] = {
    "store.json": lambda ds, path, **more: ds.vz.to_kerchunk(path, format="json", **more),
    "store.parquet": lambda ds, path, **more: ds.vz.to_kerchunk(path, format="parquet", **more),
    "store.icechunk": lambda ds, path, **more: ds.vz.to_icechunk(path, **more),
    "store.zarr": lambda ds, path, **more: ds.vz.to_zarr(path, **more),
}
JOIN: dict[str, Any] = {"data_vars": "minimal", "coords": "minimal", "compat": "override"}
JOIN["join"] = "outer"


def one_day(day: int) -> xr.Dataset:
    values = np.arange(24.0).reshape(6, 4) + 100 * day
    time = np.datetime64("2024-02-28", "ns") + np.timedelta64(day, "D")
    return xr.Dataset(
        {"t": (("time", "x"), values, {"units": "K"}), "height": ("x", np.arange(4.0))},
        coords={"time": time + np.arange(6) * np.timedelta64(4, "h"), "x": [10, 20, 30, 40]},
        attrs={"title": "days"},
    )


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("days")
    paths = [folder / f"{day}.nc" for day in range(3)]
    for day, path in enumerate(paths):
        encoding: dict[str, Any] = {
            "t": {"zlib": True, "chunksizes": (3, 4)},
            "time": {"units": "hours since 2024-01-01", "dtype": "int64"},
        }
        one_day(day).to_netcdf(path, engine="h5netcdf", encoding=encoding)
    return paths


def virtual(paths: list[Path]) -> xr.Dataset:
    return virtualizarr.open_virtual_mfdataset(paths, **JOIN)


def values(paths: list[Path]) -> xr.Dataset:
    return xr.concat([one_day(int(path.stem)) for path in paths], "time", **JOIN)


@pytest.mark.parametrize("name", FORMATS)
def test_what_is_written_opens_with_the_same_values(
    days: list[Path], tmp_path: Path, name: str
) -> None:
    FORMATS[name](virtual(days), tmp_path / name)
    with xr.open_dataset(tmp_path / name, engine="virtualizarr") as ds:
        xr.testing.assert_equal(ds, values(days))
        assert ds.attrs == {"title": "days"}
        assert ds["t"].attrs == {"units": "K"}
    again = virtualizarr.open_virtual_dataset(tmp_path / name)
    assert set(again.vz.locations) == {path.as_uri() for path in days}
    with again.virtualize.open() as ds:
        xr.testing.assert_equal(ds, values(days))


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("target", FORMATS)
def test_formats_convert_into_one_another(
    days: list[Path], tmp_path: Path, name: str, target: str
) -> None:
    FORMATS[name](virtual(days), tmp_path / name)
    virtualizarr.convert(tmp_path / name, tmp_path / f"again-{target}")
    with xr.open_dataset(tmp_path / f"again-{target}", engine="virtualizarr") as ds:
        xr.testing.assert_equal(ds, values(days))


@pytest.mark.parametrize("name", FORMATS)
def test_appending_is_idempotent_and_in_order(days: list[Path], tmp_path: Path, name: str) -> None:
    FORMATS[name](virtual(days[:1]), tmp_path / name)
    for day in (1, 2):
        note = virtualizarr.append(virtual([days[day]]).vz.to_group(), tmp_path / name, "time")
        assert note.startswith("appended")
    for day in (2, 1, 0, 1):
        note = virtualizarr.append(virtual([days[day]]).vz.to_group(), tmp_path / name, "time")
        assert note.startswith("nothing to do")
    with xr.open_dataset(tmp_path / name, engine="virtualizarr") as ds:
        xr.testing.assert_equal(ds, values(days))


@pytest.mark.parametrize("name", FORMATS)
def test_what_disagrees_is_not_appended(days: list[Path], tmp_path: Path, name: str) -> None:
    FORMATS[name](virtual(days[:1]), tmp_path / name)
    other = virtual([days[1]])
    shifted = other.assign_coords(x=[11, 21, 31, 41])
    with pytest.raises(CombineError, match="x"):
        virtualizarr.append(shifted.vz.to_group(), tmp_path / name, "time")
    with xr.open_dataset(tmp_path / name, engine="virtualizarr") as ds:
        xr.testing.assert_equal(ds, values(days[:1]))


@pytest.mark.parametrize("name", FORMATS)
def test_append_and_region_through_the_accessor(
    days: list[Path], tmp_path: Path, name: str
) -> None:
    write = FORMATS[name]
    write(virtual(days[:2]), tmp_path / name)
    write(virtual([days[2]]), tmp_path / name, append_dim="time")
    for again in (days[2], days[0], days[1]):
        with pytest.warns(UserWarning, match="nothing to do"):
            write(virtual([again]), tmp_path / name, append_dim="time")
    middle = virtual([days[0]]).drop_vars(["height", "x", "time"])
    with pytest.raises(CombineError, match="whole chunks"):
        write(middle, tmp_path / name, region={"time": slice(4, 10)})
    write(middle, tmp_path / name, region={"time": slice(6, 12)})
    with xr.open_dataset(tmp_path / name, engine="virtualizarr") as ds:
        np.testing.assert_array_equal(ds["t"], values([days[0], days[0], days[2]])["t"])
    write(virtual([days[1]]), tmp_path / name, region="auto")
    with xr.open_dataset(tmp_path / name, engine="virtualizarr") as ds:
        xr.testing.assert_equal(ds, values(days))


@pytest.mark.parametrize("name", FORMATS)
def test_a_last_chunk_that_is_not_full(tmp_path: Path, name: str) -> None:
    """Zarr v3 has chunks of uneven lengths; in Zarr v2 nothing can follow a part of a chunk."""
    parts = [tmp_path / "0.nc", tmp_path / "1.nc"]
    for day, path in enumerate(parts):
        encoding = {
            "t": {"zlib": True, "chunksizes": (4, 4)},
            "time": {"units": "hours since 2024"},
        }
        one_day(day).to_netcdf(path, engine="h5netcdf", encoding=encoding)
    FORMATS[name](virtual(parts[:1]), tmp_path / name)
    if name in ("store.icechunk", "store.zarr"):
        FORMATS[name](virtual(parts[1:]), tmp_path / name, append_dim="time")
        with xr.open_dataset(tmp_path / name, engine="virtualizarr") as ds:
            xr.testing.assert_equal(ds, values(parts))
        return
    before = content(tmp_path / name)
    with pytest.raises((CombineError, UnsupportedFeatureError), match="chunk"):
        FORMATS[name](virtual(parts[1:]), tmp_path / name, append_dim="time")
    assert content(tmp_path / name) == before


def content(path: Path) -> dict[Path, bytes]:
    """Return all files of a store."""
    files = path.rglob("*") if path.is_dir() else [path]
    return {file: file.read_bytes() for file in files if file.is_file()}


@pytest.mark.parametrize("name", ["store.json", "store.parquet"])
def test_what_is_appended_to_keeps_its_form(days: list[Path], tmp_path: Path, name: str) -> None:
    write, path = FORMATS[name], tmp_path / name
    write(virtual(days[:1]), path, **_FORM[name])
    write(virtual(days[1:]), path, append_dim="time")
    if path.is_dir():
        assert orjson.loads((path / ".zmetadata").read_bytes())["record_size"] == 7
    else:
        assert "t/zarr.json" in orjson.loads(path.read_bytes())["refs"]
    with xr.open_dataset(path, engine="virtualizarr") as ds:
        xr.testing.assert_equal(ds, values(days))


LAST_STEPS = {
    "store.json": (os, "replace"),
    "store.parquet": (sink_tree, "_put_in_place"),
    "store.zarr": (sink_tree, "_put_in_place"),
    "store.icechunk": (icechunk.Session, "commit"),
}


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("name", FORMATS)
def test_an_append_that_was_killed_is_run_again(
    days: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, when: str
) -> None:
    """Before the last step nothing has changed, after it everything; then it is there once."""
    path = tmp_path / name
    FORMATS[name](virtual(days[:1]), path)
    owner, step = LAST_STEPS[name]
    real = getattr(owner, step)

    def killed(*arguments: Any, **options: Any) -> None:
        if when == "after":
            real(*arguments, **options)
        raise KeyboardInterrupt

    new = virtual(days[1:2]).vz.to_group()
    with monkeypatch.context() as patch:
        patch.setattr(owner, step, killed)
        with pytest.raises(KeyboardInterrupt):
            virtualizarr.append(new, path, "time")
    with xr.open_dataset(path, engine="virtualizarr") as ds:
        xr.testing.assert_equal(ds, values(days[: 1 if when == "before" else 2]))
    note = virtualizarr.append(new, path, "time")
    assert note.startswith("appended" if when == "before" else "nothing to do")
    assert virtualizarr.append(new, path, "time").startswith("nothing to do")
    with xr.open_dataset(path, engine="virtualizarr") as ds:
        xr.testing.assert_equal(ds, values(days[:2]))


_FORM: dict[str, dict[str, Any]] = {
    "store.json": {"zarr_format": 3},
    "store.parquet": {"record_size": 7},
}


def test_only_kerchunk_references_are_appended_to_as_such(days: list[Path], tmp_path: Path) -> None:
    FORMATS["store.zarr"](virtual(days[:1]), tmp_path / "a.zarr")
    with pytest.raises(UnsupportedFeatureError, match="format zarr, not json or parquet"):
        virtual(days[1:2]).vz.to_kerchunk(tmp_path / "a.zarr", append_dim="time")
    with pytest.raises(ValueError, match="need the path"):
        virtual(days[1:2]).vz.to_kerchunk(format="dict", append_dim="time")
