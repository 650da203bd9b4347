"""Every HDF4 file at hand: each SDS equals what the HDF4 library reads, or is refused by name."""

from __future__ import annotations

import pytest

import hdf4_files
from shared_data import SHARED_DATA
from virtualizarr.errors import VirtualizeError
from virtualizarr.parsers.hdf4 import HDF4Parser
from virtualizarr.parsers.hdf4.layout import MAGIC
from virtualizarr.source.cache import CachingSource
from virtualizarr.source.memory import BytesSource
from virtualizarr.source.reading import run
from virtualizarr.testing import parse_file, read_values, same_values

FOLDER = SHARED_DATA / "hdf4"
FILES = sorted(path for path in FOLDER.rglob("*") if path.is_file()) if FOLDER.is_dir() else []
REFUSED = {"test.cdf"}  # a variable without a number type
RIGHT_AT_LEAST = 166
MAX_ROUNDS = 4

pytestmark = pytest.mark.skipif(not FILES, reason="the shared files are not here")


def test_values_of_all_files(capsys: pytest.CaptureFixture[str]) -> None:
    rows: list[str] = []
    right = 0
    wrong: list[str] = []
    refused: set[str] = set()
    for path in FILES:
        assert path.read_bytes()[:4] == MAGIC
        expected, unreadable = hdf4_files.values_of(path)
        try:
            found = read_values(parse_file(HDF4Parser(), path))
        except VirtualizeError as error:
            refused.add(path.name)
            rows.append(f"{path.name:45} refused: {error.reason[:60]}")
            continue
        different = [
            name
            for name, values in expected
            if name in found and not same_values(found[name], values)
        ]
        right += sum(name in found for name, _ in expected) - len(different)
        wrong += [f"{path.name}: {name}" for name in different]
        lacking = [name for name, _ in expected if name not in found]
        assert all(name.startswith("fakeDim") for name in lacking), path.name
        rows.append(
            f"{path.name:45} {len(found)} SDS, {len(different)} wrong, {unreadable} no oracle"
        )
    with capsys.disabled():
        print("", *rows, f"right {right}, wrong {len(wrong)}, refused {refused}", sep="\n")
    assert wrong == []
    assert refused == REFUSED
    assert right >= RIGHT_AT_LEAST


def test_rounds_of_all_files() -> None:
    for path in FILES:
        if path.name in REFUSED:
            continue
        source = BytesSource(path.read_bytes(), path.as_uri())
        run(HDF4Parser().parse(path.as_uri()), CachingSource(source))
        assert source.rounds <= MAX_ROUNDS, path.name
