"""The GRIB parser: arrangement, options, rounds, what is refused."""

from __future__ import annotations

import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

import virtualizarr
from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError
from virtualizarr.parsers.grib import GRIBParser
from virtualizarr.parsers.grib.coordinates import gaussian_latitudes
from virtualizarr.source.cache import CachingSource
from virtualizarr.source.memory import BytesSource
from virtualizarr.source.reading import run
from virtualizarr.testing import read_values

eccodes = pytest.importorskip("eccodes")

URL = "memory://file.grib"


def message(sample: str = "regular_ll_pl_grib2", seed: int = 0, **keys: Any) -> bytes:
    """Return a message with random values on 5 x 4 points."""
    handle = eccodes.codes_grib_new_from_samples(sample)
    try:
        for key, value in {"Ni": 5, "Nj": 4, **keys}.items():
            eccodes.codes_set(handle, key, value)
        eccodes.codes_set_values(handle, np.random.default_rng(seed).random(20))
        return bytes(eccodes.codes_get_message(handle))
    finally:
        eccodes.codes_release(handle)


def cube(dates: tuple[int, ...] = (20240101, 20240102), **keys: Any) -> bytes:
    levels = (850, 500)
    return b"".join(
        message(seed=date + level, dataDate=date, level=level, shortName="t", **keys)
        for date in dates
        for level in levels
    )


def parse(data: bytes, **options: Any) -> Any:
    return run(GRIBParser(**options).parse(URL), BytesSource(data, URL))


def test_a_tree_by_level_and_step() -> None:
    group = parse(cube() + message(shortName="2t", dataDate=20240101))
    assert set(group.groups) == {"isobaricInhPa", "heightAboveGround"}
    array = group["isobaricInhPa/instant/t"]
    assert array.shape == (2, 1, 2, 4, 5)
    assert array.metadata.dimension_names == (
        *("time", "step", "isobaricInhPa", "latitude", "longitude"),
    )
    assert group["heightAboveGround/instant"].arrays.keys() >= {"t2m", "heightAboveGround"}


def test_both_editions_and_junk_between_messages() -> None:
    data = b"\r\nKWBC 12\n" + message("regular_ll_pl_grib1", shortName="u", level=300)
    group = parse(data + b"\0" * 37 + message(shortName="u", level=200))
    assert group["isobaricInhPa/instant/u"].manifest.nrefs == 2


def test_sparse_cubes_have_missing_chunks(tmp_path: Path) -> None:
    path = tmp_path / "sparse.grib2"
    path.write_bytes(cube() + message(shortName="r", level=500, dataDate=20240102))
    group = virtualizarr.parse(str(path))
    array = group["isobaricInhPa/instant/r"]
    assert array.shape[:3] == (2, 1, 2)
    assert array.manifest.nrefs == 1
    values = read_values(group)["isobaricInhPa/instant/r"]
    assert np.isnan(values).sum() == 60


def test_options() -> None:
    data = cube() + message(shortName="2t", dataDate=20240101)
    flat = parse(data, tree=False)
    assert {"t", "t2m", "isobaricInhPa", "heightAboveGround"} <= set(flat.arrays)
    chosen = parse(data, filter_by_keys={"shortName": "t", "level": [500]})
    assert chosen["isobaricInhPa/instant/t"].shape == (2, 1, 1, 4, 5)
    squeezed = parse(data, squeeze=True, tree=False, filter_by_keys={"shortName": "2t"})
    assert squeezed["t2m"].shape == (4, 5)
    assert parse(data, dtype="float64")["isobaricInhPa/instant/t"].dtype == np.float64
    assert "t" not in parse(data, drop_variables=["t"])["isobaricInhPa/instant"].arrays
    with pytest.raises(UnsupportedFeatureError, match="shortNam"):
        parse(data, filter_by_keys={"shortNam": "t"})


def test_two_fields_of_one_cell_are_refused() -> None:
    twice = message(shortName="t", level=500) * 2
    with pytest.raises(UnsupportedFeatureError, match="two fields"):
        parse(twice)
    with pytest.warns(UserWarning, match="two fields"):
        group = parse(twice, errors="skip")
    assert group["isobaricInhPa/instant/t"].manifest.nrefs == 1


def test_what_is_left_out_is_told() -> None:
    handle = eccodes.codes_grib_new_from_samples("sh_pl_grib2")
    spectral = bytes(eccodes.codes_get_message(handle))
    eccodes.codes_release(handle)
    with pytest.raises(UnsupportedFeatureError, match="spherical harmonics"):
        parse(spectral)
    with pytest.warns(UserWarning, match="spherical harmonics"):
        assert parse(cube() + spectral, errors="skip").nrefs > 4


def test_broken_messages() -> None:
    data = cube()
    with pytest.raises(CorruptFileError, match="ends"):
        parse(data[:-10])
    with pytest.raises(CorruptFileError, match="7777"):
        parse(data[:-4] + b"7776")
    with pytest.raises(CorruptFileError, match="no GRIB message"):
        parse(b"GRIB is a format" + b"\0" * 64)


def test_rounds() -> None:
    source = BytesSource(cube(), URL)
    run(GRIBParser().parse(URL), CachingSource(source))
    assert source.rounds == 1
    big = b"".join(cube((date,)) + b"\0" * (1 << 20) for date in range(20240101, 20240111))
    source = BytesSource(big, URL)
    run(GRIBParser().parse(URL), CachingSource(source))
    assert source.bytes_read <= len(big) * 1.1


def test_many_files_combine_along_time(tmp_path: Path) -> None:
    paths = []
    for date in (20240101, 20240102, 20240103):
        path = tmp_path / f"{date}.grib2"
        path.write_bytes(cube((date,)))
        paths.append(str(path))
    parser = GRIBParser(tree=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        vds = virtualizarr.open_virtual_mfdataset(paths, parser=parser, combine="by_coords")
    assert vds.sizes["time"] == 3
    target = tmp_path / "refs.json"
    vds.vz.to_kerchunk(str(target), format="json")
    back = xr.open_dataset(str(target), engine="virtualizarr", chunks=None)
    expected = np.stack(
        [
            read_values(virtualizarr.parse(path, parser=parser))["t"][0]
            for path in paths
        ]
    )  # fmt: skip
    assert np.array_equal(back["t"].values, expected)


def positions(kind: str, folder: Path) -> Any:
    """Return a message of ecCodes and where its points lie, from a process of its own."""
    target = folder / "positions.npz"
    worker = Path(__file__).with_name("positions_worker.py")
    subprocess.run([sys.executable, str(worker), kind, str(target)], check=True, timeout=60)
    return np.load(target)


@pytest.mark.parametrize("number", [32, 48, 80, 160, 320])
def test_gaussian_latitudes_equal_eccodes(number: int, tmp_path: Path) -> None:
    expected = positions(f"reduced_gg_{number}", tmp_path)["distinct"]
    assert np.abs(gaussian_latitudes(number) - expected).max() < 1e-9


@pytest.mark.parametrize("kind", ["lambert", "polar_stereographic", "rotated_ll", "reduced_gg_32"])
def test_positions_equal_eccodes(kind: str, tmp_path: Path) -> None:
    expected = positions(kind, tmp_path)
    path = tmp_path / f"{kind}.grib2"
    path.write_bytes(expected["message"].tobytes())
    values = read_values(virtualizarr.parse(str(path), parser=GRIBParser(tree=False)))
    latitudes = expected["latitudes"]
    assert np.abs(values["latitude"].ravel() - latitudes).max() < 1e-5
    apart = (values["longitude"].ravel() - expected["longitudes"] + 180) % 360 - 180
    assert np.abs(apart * np.cos(np.radians(latitudes))).max() < 1e-5
