"""The GRIB parser: arrangement, options, rounds, what is refused."""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

import grib_oracle
import virtualizarr
from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError
from virtualizarr.parsers.grib import GRIBParser, repeats
from virtualizarr.parsers.grib.coordinates import gaussian_latitudes
from virtualizarr.parsers.grib.scan import read_inventory
from virtualizarr.source.cache import CachingSource
from virtualizarr.source.memory import BytesSource
from virtualizarr.source.reading import run
from virtualizarr.testing import parse_file, read_values

pytestmark = pytest.mark.skipif(not grib_oracle.AVAILABLE, reason="ecCodes is not here")

URL = "memory://file.grib"


def message(sample: str = "regular_ll_pl_grib2", seed: int = 0, **keys: Any) -> bytes:
    """Return a message with random values on 5 x 4 points."""
    values = np.random.default_rng(seed).random(20)
    return grib_oracle.message(sample, values, {"Ni": 5, "Nj": 4, **keys})


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


def test_times_and_steps_can_be_chosen() -> None:
    data = cube() + cube(forecastTime=6)
    seconds = int(np.datetime64("2024-01-02", "s").astype(np.int64))
    hour = int(grib_oracle.keys_of(cube((20240102,)), ["dataTime"])["dataTime"]) // 100
    chosen = parse(data, filter_by_keys={"time": seconds + 3600 * hour, "step": [6]})
    assert chosen["isobaricInhPa/instant/t"].shape[:3] == (1, 1, 2)
    offsets = chosen["isobaricInhPa/instant/t"].manifest.offset.ravel().tolist()
    every = parse(data)["isobaricInhPa/instant/t"]
    assert every.shape[:3] == (2, 2, 2)
    assert offsets == every.manifest.offset[1, 1].ravel().tolist()
    assert not parse(data, filter_by_keys={"endStep": 7})


def test_a_member_and_a_field_that_is_none_are_not_taken_for_one() -> None:
    """Where one member is no axis, both would lie in one cell."""
    member = {"productDefinitionTemplateNumber": 1, "perturbationNumber": 0}
    member["numberOfForecastsInEnsemble"] = 1
    data = message(shortName="t", level=500, **member) + message(seed=1, shortName="t", level=500)
    with pytest.raises(UnsupportedFeatureError, match="two fields"):
        parse(data)
    elsewhere = message(shortName="t", level=500, **member) + message(shortName="t", level=850)
    assert parse(elsewhere)["isobaricInhPa/instant/t"].manifest.nrefs == 2


def test_steps_of_months_are_as_long_as_the_months() -> None:
    months = {"indicatorOfUnitOfTimeRange": 3, "forecastTime": 2, "dataDate": 20240115}
    group = parse(message(shortName="t", level=500, **months))
    seconds = np.frombuffer(group["isobaricInhPa/instant/step"].manifest.inline, "<i8")
    assert seconds.tolist() == [(31 + 29) * 86400]


def test_two_fields_of_one_cell_are_refused() -> None:
    twice = message(shortName="t", level=500) + message(seed=1, shortName="t", level=500)
    with pytest.raises(UnsupportedFeatureError, match="two fields"):
        parse(twice)
    with pytest.warns(UserWarning, match="two fields"):
        group = parse(twice, errors="skip")
    assert group["isobaricInhPa/instant/t"].manifest.nrefs == 1


def test_fields_that_are_there_twice_are_shown_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Byte by byte the same: which of them is shown makes no difference."""
    once = cube()
    for data in (once * 2, once + b"junk" + once[: len(once) // 2], once * 3):
        assert parse(data) == parse(once)
    other = message(seed=1, shortName="t", level=500, dataDate=20240102)
    assert len(other) == len(once) // 4
    with pytest.raises(UnsupportedFeatureError, match="two fields"):
        parse(once + once + other)
    chunks = parse(once)["isobaricInhPa/instant/t"].manifest.length
    monkeypatch.setattr(repeats, "MOST_BYTES", int(chunks.sum()))
    with pytest.raises(UnsupportedFeatureError, match="two fields"):
        parse(once * 2)
    assert parse(once + once[: len(once) // 4]) == parse(once)


def test_what_a_file_lacks_is_not_taken_for_a_repeat() -> None:
    twice = cube() * 2
    inventory = run(read_inventory(), BytesSource(twice, URL))
    run(repeats.without_repeats(inventory), BytesSource(b"", URL))
    assert len(inventory) == 8
    run(repeats.without_repeats(inventory), BytesSource(twice, URL))
    assert len(inventory) == 4


def test_types_of_time_increment_are_variables_of_their_own(tmp_path: Path) -> None:
    """Code table 4.11, local numbers too: so NHC tells cumulated probabilities from others."""
    over_time = {"productDefinitionTemplateNumber": 8, "typeOfStatisticalProcessing": 1}
    over_time |= {"lengthOfTimeRange": 6, "parameterCategory": 1, "parameterNumber": 8}
    pair = [message(seed=kind, **over_time, typeOfTimeIncrement=kind) for kind in (2, 192)]
    path = tmp_path / "file.grib2"
    path.write_bytes(b"".join(pair))
    found = read_values(parse_file(GRIBParser(), path))
    for kind, data in zip((2, 192), pair, strict=True):
        path.write_bytes(data)
        group = parse_file(GRIBParser(), path)
        (name,) = [name for name, array in group.walk_arrays() if array.ndim == 5]
        assert name.startswith("isobaricInhPa/accum/")
        assert np.array_equal(found[f"{name}_increment_{kind}"], read_values(group)[name])


def test_statistics_over_an_area_are_variables_of_their_own(tmp_path: Path) -> None:
    mean, most = (
        message(seed=process, productDefinitionTemplateNumber=15, statisticalProcess=process)
        for process in (0, 2)
    )
    path = tmp_path / "area.grib"
    path.write_bytes(mean + most)
    group = parse_file(GRIBParser(), path)
    arrays = group["isobaricInhPa/instant"].arrays
    names = [name for name in arrays if name.startswith("t_")]
    assert names == ["t_area_avg", "t_area_max"]
    assert arrays["t_area_max"].metadata.attributes["GRIB_statistics"] == "area_max"
    values = read_values(group)
    for name, each in zip(names, (mean, most), strict=True):
        found = values[f"isobaricInhPa/instant/{name}"].ravel()
        assert found == pytest.approx(grib_oracle.values_of(each))
    assert "t" in parse(most)["isobaricInhPa/instant"].arrays


def test_spectra_of_waves_in_edition_1() -> None:
    keys = {"setLocalDefinition": 1, "localDefinitionNumber": 13}
    keys |= {"numberOfDirections": 36, "numberOfFrequencies": 29}
    waves = [
        message("regular_ll_sfc_grib1", 0, **keys, directionNumber=direction, frequencyNumber=7)
        for direction in (1, 36)
    ]
    known = [grib_oracle.keys_of(each, ["directionNumber", "frequencyNumber"]) for each in waves]
    assert [tuple(each.values()) for each in known] == [(1, 7), (36, 7)]
    names = [name for name, _ in parse(b"".join(waves)).walk_arrays()]
    assert [name.rpartition("/")[2] for name in names if "direction" in name] == [
        *("t2m_direction_1_frequency_7", "t2m_direction_36_frequency_7")
    ]


def test_what_is_left_out_is_told() -> None:
    matrix = grib_oracle.message(
        "regular_ll_sfc_grib2",
        np.arange(20.0),
        {"Ni": 5, "Nj": 4},
        {"packingType": "grid_simple_matrix"},
    )
    with pytest.raises(UnsupportedFeatureError, match="matrices of values"):
        parse(matrix)
    with pytest.warns(UserWarning, match="matrices of values"):
        assert parse(cube() + matrix, errors="skip").nrefs > 4


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


@pytest.mark.parametrize("number", [32, 48, 80, 160, 320])
def test_gaussian_latitudes_equal_eccodes(number: int) -> None:
    data = grib_oracle.message(f"reduced_gg_pl_{number}_grib2")
    expected = grib_oracle.array_of(data, "distinctLatitudes")
    assert np.abs(gaussian_latitudes(number) - expected).max() < 1e-9


FRESH = """
import sys, zarr
from pathlib import Path
import numpy as np
found = zarr.open_group(sys.argv[1], mode="r", zarr_format=3)
assert not any(name.startswith(("eccodes", "xarray")) for name in sys.modules)
np.save(sys.argv[2], found["t"][:])
"""


def test_a_fresh_process_needs_only_zarr(tmp_path: Path) -> None:
    """The codecs are found by their entry points, in chunks copied to a Zarr store."""
    path, store = tmp_path / "cube.grib2", tmp_path / "copy.zarr"
    path.write_bytes(cube())
    parser = GRIBParser(tree=False, dtype="float64")
    array = virtualizarr.parse(str(path), parser=parser)["t"]
    (store / "t").mkdir(parents=True)
    (store / "zarr.json").write_text('{"zarr_format": 3, "node_type": "group", "attributes": {}}')
    (store / "t" / "zarr.json").write_text(json.dumps(array.metadata.to_json()))
    data = path.read_bytes()
    for cell, entry in array.manifest.iter_refs():
        chunk = store / "t" / "c" / "/".join(map(str, cell))
        chunk.parent.mkdir(parents=True, exist_ok=True)
        chunk.write_bytes(data[entry["offset"] : entry["offset"] + entry["length"]])
    target = tmp_path / "values.npy"
    subprocess.run([sys.executable, "-c", FRESH, str(store), str(target)], check=True, timeout=120)
    expected = read_values(virtualizarr.parse(str(path), parser=parser))["t"]
    assert np.array_equal(np.load(target), expected)
    assert np.isfinite(expected).all()


def test_steps_combine_along_step_and_time(tmp_path: Path) -> None:
    """Files of several forecasts: each holds one step of one run."""
    paths = []
    for date in (20240101, 20240102):
        for step in (0, 6, 12):
            path = tmp_path / f"{date}-{step}.grib2"
            path.write_bytes(cube((date,), step=step))
            paths.append(str(path))
    parser = GRIBParser(tree=False)
    vds = virtualizarr.open_virtual_mfdataset(paths, parser=parser, combine="by_coords")
    assert (vds.sizes["time"], vds.sizes["step"], vds.sizes["isobaricInhPa"]) == (2, 3, 2)
    target = tmp_path / "refs.json"
    vds.vz.to_kerchunk(str(target), format="json")
    back = xr.open_dataset(str(target), engine="virtualizarr", chunks=None)
    for i, path in enumerate(paths):
        one = read_values(virtualizarr.parse(path, parser=parser))["t"][0, 0]
        assert np.array_equal(back["t"].values[i // 3, i % 3], one)
