"""Every HDF4 file at hand: all values equal what the HDF4 library reads, or are refused by name."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import hdf4_worker
import virtualizarr
from shared_data import shared_files
from virtualizarr.errors import VirtualizeError
from virtualizarr.parsers.hdf4 import HDF4Parser
from virtualizarr.parsers.hdf4.layout import MAGIC
from virtualizarr.source.cache import CachingSource
from virtualizarr.source.memory import BytesSource
from virtualizarr.source.reading import run
from virtualizarr.testing import parse_file, read_values, same_values

FILES = shared_files("hdf4")
REFUSED = {"test.cdf"}  # numbers kept in tables, as HDF 3.2 kept those of netCDF
NOT_READ = 0
RIGHT_AT_LEAST = {"SDS": 166, "image": 32, "table": 59}
MAX_ROUNDS = 4

pytestmark = pytest.mark.skipif(not FILES, reason="the shared files are not here")


def as_df24(values: Any, interlaced: list[Any]) -> bool:
    """Say whether DF24 reads an image so; GR takes its lines or components for pixels."""
    return any(same_values(values, other) for other in interlaced)


def test_values_of_all_files(capsys: pytest.CaptureFixture[str]) -> None:
    rows: list[str] = []
    right: Counter[str] = Counter()
    wrong: list[str] = []
    refused: set[str] = set()
    not_read = 0
    oracle = hdf4_worker.read_elsewhere(FILES)
    for path in FILES:
        assert path.read_bytes()[:4] == MAGIC
        data_sets, unreadable, images, tables, interlaced = oracle[path]
        try:
            group = parse_file(HDF4Parser(layout="flat"), path)
        except VirtualizeError as error:
            refused.add(path.name)
            rows.append(f"{path.name:45} refused: {error.reason[:60]}")
            continue
        found = read_values(group)
        kinds = {"SDS": data_sets, "image": [*images.items()]}
        checked = [
            (kind, name.replace("/", "_"), values)
            for kind, named in kinds.items()
            for name, values in named
        ]
        checked += [
            ("table", f"{table}/{field.replace('/', '_')}", values)
            for table, fields in zip(group.groups, tables, strict=True)
            for field, values in (fields or {}).items()
        ]
        different = [
            path_of
            for kind, path_of, values in checked
            if path_of in found
            and not same_values(found[path_of], values)
            and not (kind == "image" and as_df24(found[path_of], interlaced))
        ]
        lacking = [(kind, path_of) for kind, path_of, _ in checked if path_of not in found]
        not_read += sum(kind == "image" for kind, _ in lacking)
        assert all(
            kind == "image" or (kind == "SDS" and name.startswith("fakeDim"))
            for kind, name in lacking
        ), path.name
        right += Counter(kind for kind, name, _ in checked if name in found)
        wrong += [f"{path.name}: {name}" for name in different]
        rows.append(
            f"{path.name:45} {len(found)} arrays, {len(different)} wrong, {unreadable} no oracle"
        )
    with capsys.disabled():
        print("", *rows, f"right {right}, wrong {len(wrong)}, refused {refused}", sep="\n")
    assert wrong == []
    assert refused == REFUSED
    assert not_read == NOT_READ
    assert all(right[kind] >= least for kind, least in RIGHT_AT_LEAST.items())


def test_groups_hold_the_values_that_the_root_holds() -> None:
    for path in FILES:
        if path.name in REFUSED:
            continue
        flat = read_values(parse_file(HDF4Parser(layout="flat"), path))
        both = read_values(parse_file(HDF4Parser(), path))
        moved = read_values(parse_file(HDF4Parser(layout="groups"), path))
        assert {name for name in flat if "/" not in name} == {n for n in both if "/" not in n}
        assert moved.keys() <= both.keys(), path.name
        for name, values in moved.items():
            assert same_values(both[name], values), f"{path.name}: {name}"


def test_rounds_of_all_files() -> None:
    for path in FILES:
        if path.name in REFUSED:
            continue
        source = BytesSource(path.read_bytes(), path.as_uri())
        run(HDF4Parser().parse(path.as_uri()), CachingSource(source))
        assert source.rounds <= MAX_ROUNDS, path.name


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_opens_in_xarray(path: Path) -> None:
    if path.name in REFUSED:
        return
    tree: Any = virtualizarr.open_virtual_datatree(str(path), loadable_variables=[])
    assert tree.to_dataset() is not None


@pytest.mark.parametrize("path", [path for path in FILES if path.name in REFUSED])
def test_the_rest_of_a_refused_file_opens(path: Path) -> None:
    dropped = ["Long", "Float", "Byte", "Short", "Double"]
    with pytest.raises(VirtualizeError, match="node 'Byte'"):
        parse_file(HDF4Parser(), path)
    group = parse_file(HDF4Parser(drop_variables=dropped), path)
    assert group.attributes["TITLE"] == "test.cdf"
    assert not group.arrays
    assert len(group.groups) == 5
