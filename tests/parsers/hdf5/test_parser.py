"""The parser: sniffing, options, rounds."""

from __future__ import annotations

import pickle
from pathlib import Path

import h5py
import netCDF4
import numpy as np
import pytest

from materialize import values_of
from parsers.hdf5.reading_files import parse
from virtualizarr.errors import UnsupportedFeatureError, VirtualizeError
from virtualizarr.parsers.base import Parser
from virtualizarr.parsers.hdf5 import HDFParser
from virtualizarr.source.cache import CachingSource
from virtualizarr.source.memory import BytesSource
from virtualizarr.source.reading import run


def test_it_is_a_parser_and_a_value() -> None:
    parser = HDFParser(group="g", drop_variables=["x"])
    assert isinstance(parser, Parser)
    assert parser.name == "hdf5"
    assert {".nc", ".nc4", ".h5", ".hdf5", ".he5", ".mat"} <= set(parser.suffixes)
    assert pickle.loads(pickle.dumps(parser)) == parser
    assert HDFParser(reader_factory=open) == HDFParser()


@pytest.mark.parametrize("block, known", [(0, True), (512, True), (2048, True), (100, False)])
def test_sniffing_finds_the_signature_behind_a_user_block(block: int, known: bool) -> None:
    head = bytes(block) + b"\x89HDF\r\n\x1a\n" + bytes(600)
    assert HDFParser().sniff(head, "file:///x") is known
    assert HDFParser().sniff(memoryview(head), "file:///x") is known
    assert not HDFParser().sniff(b"CDF\x01", "file:///x.nc")


def test_a_user_block_shifts_everything(tmp_path: Path) -> None:
    path = tmp_path / "file.h5"
    with h5py.File(path, "w", userblock_size=1024) as file:
        file["plain"] = np.arange(9)
        file.create_dataset("chunked", data=np.arange(9), chunks=(4,), compression="gzip")
        file["text"] = ["a", "b"]
    tree = parse(path)
    for name in ("plain", "chunked"):
        np.testing.assert_array_equal(values_of(tree.arrays[name]), np.arange(9))
    assert values_of(tree.arrays["text"]).tolist() == ["a", "b"]


def test_a_group_is_read_alone(tmp_path: Path) -> None:
    path = tmp_path / "file.nc"
    with netCDF4.Dataset(path, "w") as file:
        file.createDimension("x", 3)
        file.createVariable("top", "i4", ("x",))[:] = 1
        file.createGroup("a/b").createVariable("v", "i4", ("x",))[:] = [1, 2, 3]
    for group in ("a/b", "/a/b", "a/b/"):
        tree = parse(path, group=group)
        assert list(tree.arrays) == ["v"]
        assert tree.arrays["v"].metadata.dimension_names == ("x",)
    assert parse(path, group="").arrays.keys() == {"top"}
    with pytest.raises(VirtualizeError, match="no 'c'"):
        parse(path, group="a/c")
    with pytest.raises(UnsupportedFeatureError, match="not a group"):
        parse(path, group="top")


def test_a_small_file_takes_two_rounds(tmp_path: Path) -> None:
    path = tmp_path / "file.nc"
    with netCDF4.Dataset(path, "w") as file:
        file.createDimension("x", 300)
        for number in range(40):
            group = file.createGroup(f"g{number % 7}")
            variable = group.createVariable(f"v{number}", "f4", ("x",), chunksizes=(10,), zlib=True)
            variable[:] = np.random.default_rng(number).random(300)
            variable.units = "m"
    source = BytesSource(path.read_bytes())
    tree = run(HDFParser().parse("memory://x"), CachingSource(source))
    assert len(tree.groups) == 7
    assert source.rounds <= 2
