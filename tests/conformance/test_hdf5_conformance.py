"""The HDF5 parser under the conformance suite; the oracle is h5py."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from virtualizarr.parsers.hdf5 import HDFParser
from virtualizarr.testing import ParserConformance


def write(path: Path, libver: Any) -> Path:
    """Write groups, attributes and every common layout, with random but repeatable values."""
    random = np.random.default_rng(0)
    with h5py.File(path, "w", libver=libver) as f:
        f.attrs["title"] = "conformance"
        f.attrs["numbers"] = np.arange(3, dtype=">i2")
        f.create_dataset("contiguous", data=random.random((5, 6)))
        f.create_dataset("scalar", data=np.float32(2.5))
        f.create_dataset("big_endian", data=np.arange(7, dtype=">i4"))
        f.create_dataset("empty", shape=(4, 4), dtype="f8", chunks=(2, 2), fillvalue=9.0)
        group = f.create_group("group/inner")
        group.attrs["units"] = "K"
        values = random.integers(0, 50, (20, 30)).astype("i4")
        chunked = group.create_dataset(
            "chunked", data=values, chunks=(4, 7), maxshape=(None, 30), compression=4, shuffle=True
        )
        chunked.attrs["scale_factor"] = np.float32(0.5)
        group.create_dataset("checked", data=values, chunks=(20, 30), fletcher32=True)
        group.create_dataset("text", data=np.array([b"one", b"three"]))
        group.create_dataset("flags", data=np.array([True, False, True]))
    return path


def values_of(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = {}

    def visit(name: str, node: object) -> None:
        if isinstance(node, h5py.Dataset):
            found[name] = node[()]

    with h5py.File(path) as f:
        f.visititems(visit)
    return found


class TestHDF5(ParserConformance):
    parser = HDFParser()
    max_rounds = 2

    def files(self, folder: Path) -> Sequence[Path]:
        return [write(folder / "old.h5", "earliest"), write(folder / "new.h5", "latest")]

    def oracle(self, path: Path) -> Mapping[str, Any]:
        return values_of(path)

    def oracle_attributes(self, path: Path) -> Mapping[str, Mapping[str, Any]]:
        return {
            "": {"title": "conformance", "numbers": [0, 1, 2]},
            "group/inner": {"units": "K"},
            "group/inner/chunked": {"scale_factor": 0.5},
            "contiguous": {},
        }
