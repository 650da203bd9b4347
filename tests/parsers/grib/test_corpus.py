"""Every field of the real files against ecCodes, read through zarr."""

from __future__ import annotations

import pickle
import subprocess
import sys
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

import grib_oracle
from virtualizarr.errors import UnsupportedFeatureError, VirtualizeError
from virtualizarr.parsers.grib import GRIBParser
from virtualizarr.parsers.grib.judging import read_moments
from virtualizarr.parsers.grib.scan import read_inventory
from virtualizarr.source.local import LocalSource
from virtualizarr.source.reading import run
from virtualizarr.store import ManifestStore

pytestmark = pytest.mark.skipif(not grib_oracle.AVAILABLE, reason="ecCodes is not here")

CORPUS = Path(__file__).parents[4] / "shared" / "data" / "grib"
WORKER = Path(__file__).with_name("eccodes_worker.py")
LARGE = ("space_view.grib", "regular_ll.grib", "regular_gg.grib", "gfs.t12z.pgrbf120.2p5deg.grib2")
"""Files whose fields are so large or so many that they take long."""

FILES = sorted(
    path for path in CORPUS.rglob("*") if path.is_file() and path.suffix not in (".idx", ".index")
)


def witness(path: Path, folder: Path) -> list[tuple[dict[str, Any], Any]]:
    target = folder / "fields.pickle"
    subprocess.run(
        [sys.executable, str(WORKER), str(path), str(target)],
        check=True,
        timeout=600,
        stderr=subprocess.DEVNULL,
    )
    found: list[tuple[dict[str, Any], Any]] = pickle.loads(target.read_bytes())
    return found


def check(path: Path, folder: Path, table: Counter[str]) -> None:
    """Compare each field of a file; count right, refused and wrong ones."""
    expected = witness(path, folder)
    source = LocalSource(path)
    try:
        inventory = run(read_inventory(), source)
    except VirtualizeError as error:
        table["refused"] += sum(not isinstance(values, str) for _, values in expected)
        print(f"{path.name}: {error.reason}")
        return
    assert len(inventory.fields) == len(expected), path.name
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        group = run(GRIBParser(errors="skip").parse(path.as_uri()), source)
    for warning in caught:
        print(warning.message)
    by_place = {(field.offset, field.length): i for i, field in enumerate(inventory.fields)}
    root = zarr.open_group(ManifestStore(group), mode="r", zarr_format=3)
    seen: set[int] = set()
    for name, array in group.walk_arrays():
        if "GRIB_paramId" not in array.metadata.attributes:
            continue
        node: Any = root[name]
        grid_axes = sum(dim in ("latitude", "longitude", "y", "x", "values")
                        for dim in array.metadata.dimension_names or ())  # fmt: skip
        for cell, entry in array.manifest.iter_refs():
            number = by_place[entry["offset"], entry["length"]]
            seen.add(number)
            known, values = expected[number]
            if isinstance(values, str):
                continue
            try:
                found = node[(*cell[: len(cell) - grid_axes], ...)].ravel()
            except UnsupportedFeatureError as error:
                print(f"{path.name}: {name} {cell}: {error.reason}")
                table["refused"] += 1
                continue
            good = agrees(found, *values) and names_agree(array.metadata.attributes, known)
            table["right" if good else "wrong"] += 1
            if not good:
                print(f"WRONG: {path.name}: {name} {cell}")
    missing = [i for i in range(len(expected)) if i not in seen]
    table["refused"] += sum(not isinstance(expected[i][1], str) for i in missing)


def agrees(found: Any, size: int, spread: float, expected: Any) -> bool:
    found = found[:: max(1, size // 200_000)]
    if found.shape != expected.shape:
        return False
    largest = np.nanmax(np.abs(expected)) if not np.isnan(expected).all() else 1.0
    tolerance = max(1e-6 * spread, 1.2e-7 * largest)
    return bool(np.allclose(found, expected, rtol=0, atol=tolerance, equal_nan=True))


def names_agree(attributes: Any, known: dict[str, Any]) -> bool:
    pairs = {"GRIB_shortName": "shortName", "GRIB_units": "units"}
    pairs |= {"GRIB_typeOfLevel": "typeOfLevel", "GRIB_stepType": "stepType"}
    return all(
        attributes[ours] == (known[theirs] if known[theirs] is not None else "unknown")
        for ours, theirs in pairs.items()
    )


def run_over(files: list[Path], folder: Path, least: float) -> None:
    table: Counter[str] = Counter()
    for path in files:
        check(path, folder, table)
    print(dict(table))
    assert table["wrong"] == 0
    assert table["right"] >= least * (table["right"] + table["refused"])


@pytest.mark.skipif(not FILES, reason="the corpus is not here")
@pytest.mark.timeout(600)
def test_fields_equal_eccodes(tmp_path: Path) -> None:
    run_over([path for path in FILES if path.name not in LARGE], tmp_path, 0.98)


@pytest.mark.skipif(not FILES, reason="the corpus is not here")
@pytest.mark.long
@pytest.mark.timeout(1800)
def test_fields_of_large_files_equal_eccodes(tmp_path: Path) -> None:
    run_over([path for path in FILES if path.name in LARGE], tmp_path, 0.98)


@pytest.mark.skipif(not FILES, reason="the corpus is not here")
def test_products_have_times_that_eccodes_has(tmp_path: Path) -> None:
    path = next(path for path in FILES if path.name == "forecast_monthly_ukmo.grib")
    inventory = run(read_inventory(), LocalSource(path))
    times = read_moments([field.moment for field in inventory.fields]).time.tolist()
    for time, (known, _) in zip(times, witness(path, tmp_path), strict=True):
        day = np.datetime64(time, "s").astype("datetime64[D]")
        assert str(day).replace("-", "") == str(known["dataDate"])
