"""The DMR++ parser under the conformance suite, on documents of HDF5 files; the oracle is h5py."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

import dmrpp_documents
from virtualizarr.parsers.dmrpp import DMRPPParser
from virtualizarr.testing import ParserConformance

NUMBERS = (
    "i1",
    "u1",
    "<i2",
    ">i2",
    "<u2",
    "<i4",
    ">i4",
    "<u4",
    "<i8",
    ">i8",
    "<u8",
    "<f4",
    ">f4",
    "<f8",
    ">f8",
)


def types(path: Path) -> Path:
    """Write every type of number in both byte orders, texts, opaque bytes, enumerations."""
    random = np.random.default_rng(0)
    with h5py.File(path, "w") as file:
        for kind in NUMBERS:
            values = random.integers(0, 100, (3, 4)).astype(kind)
            file.create_dataset(f"contiguous_{kind.replace('>', 'big_').strip('<')}", data=values)
            name = f"chunked_{kind.replace('>', 'big_').strip('<')}"
            file.create_dataset(name, data=values, chunks=(2, 3), shuffle=True, compression=4)
        file["scalar"] = np.float32(2.5)
        file["big_scalar"] = np.array(77, ">i4")
        file["text"] = np.bytes_(b"a scalar text")
        file["texts"] = np.array([[b"one", b"two"], [b"", b"three"]], "S7")
        file.create_dataset(
            "chunked_texts", data=np.array([b"ab", b"c", b"def"], "S4"), chunks=(2,)
        )
        file["long_text"] = "a text of any length"
        file["long_texts"] = np.array(["same", "same", "other", "x" * 400, ""], object)
        file["opaque"] = np.array([b"12345678", b"abcdefgh"], "V8")
        colours = h5py.enum_dtype({"RED": 0, "DARK GREEN": 1}, "u1")
        file.create_dataset("enumerated", data=np.array([1, 0, 1], "u1"), dtype=colours)
        file["flags"] = np.array([True, False, True])
        file["empty"] = np.zeros((0, 3), "f4")
        file["scalar"].attrs["units"] = "K"
        file["scalar"].attrs["valid_range"] = np.array([0, 5], "f4")
        file.attrs["title"] = "conformance <&> \u00e9"
    return path


def structure(path: Path) -> Path:
    """Write groups, dimension scales, compounds, compact data, partial and missing chunks."""
    with h5py.File(path, "w") as file:
        file["x"] = np.arange(5.0)
        file["x"].make_scale("x")
        inner = file.create_group("one/two")
        inner["y"] = np.arange(3, dtype="i2")
        inner["y"].make_scale("y")
        both = inner.create_dataset("both", data=np.arange(15, dtype="f4").reshape(3, 5))
        both.dims[0].attach_scale(inner["y"])
        both.dims[1].attach_scale(file["x"])
        plain = np.zeros(4, [("a", "<f8"), ("b", "<i2")])
        plain["a"], plain["b"] = np.arange(4) / 4, np.arange(4)
        file["plain"] = plain
        aligned = np.dtype([("a", "<f8"), ("b", "<i2"), ("c", "<f4", (2,))], align=True)
        values = np.zeros((2, 3), aligned)
        values["a"], values["c"] = 1.5, np.arange(12).reshape(2, 3, 2)
        file.create_dataset("aligned", data=values, chunks=(2, 2), shuffle=True, compression=1)
        texts = np.zeros(2, [("n", "<i4"), ("s", "S3", (2,)), ("t", "S5")])
        texts["n"], texts["s"], texts["t"] = [7, 8], [[b"a", b"bc"], [b"", b"def"]], [b"x", b"yz"]
        file["texts"] = texts
        compact(file, "compact", np.arange(6, dtype=">i4").reshape(2, 3))
        partial = file.create_dataset("partial", (7, 9), "f8", chunks=(4, 5), fillvalue=-9999.9)
        partial[1, 2], partial[6, 8] = 5.0, 6.0
        for kind in (">f4", ">i2", ">f8"):
            name = f"partial_big_{kind[1:]}"
            big = file.create_dataset(name, (7,), kind, chunks=(2,), fillvalue=-1234)
            big[2], big.attrs["_FillValue"] = 5, np.array(-1234, kind[1:])
        missing = np.array((-1.5, 7, (3, 4)), aligned)
        file.create_dataset("missing", (5,), aligned, chunks=(2,), fillvalue=missing)
        file.create_dataset(
            "larger",
            data=np.arange(6, dtype="i8").reshape(2, 3),
            chunks=(4, 4),
            maxshape=(None, None),
        )
        checked = np.arange(77, dtype="i4")
        file.create_dataset(
            "checked", data=checked, chunks=(10,), shuffle=True, compression=9, fletcher32=True
        )
        file.create_dataset("lzf", data=checked, chunks=(10,), compression="lzf")
        skipped = file.create_dataset(
            "skipped", (4, 6), "i4", chunks=(2, 6), shuffle=True, compression=1
        )
        skipped[:2] = 5
        raw = np.arange(12, dtype="i4").reshape(2, 6)
        skipped.id.write_direct_chunk((2, 0), raw.tobytes(), filter_mask=3)
    return path


def compact(group: h5py.Group, name: str, values: Any) -> None:
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    properties.set_layout(h5py.h5d.COMPACT)
    kind = h5py.h5t.py_create(values.dtype, logical=True)
    space = h5py.h5s.create_simple(values.shape)
    made = h5py.h5d.create(group.id, name.encode(), kind, space, properties)
    made.write(h5py.h5s.ALL, h5py.h5s.ALL, np.ascontiguousarray(values))


class TestDMRPP(ParserConformance):
    parser = DMRPPParser()
    max_rounds = 1
    mutants = 200

    def files(self, folder: Path) -> Sequence[Path]:
        made = [types(folder / "types.h5"), structure(folder / "structure.h5")]
        return [dmrpp_documents.write_document(path) for path in made]

    def oracle(self, path: Path) -> Mapping[str, Any]:
        return dmrpp_documents.values_of(path.with_suffix(""))

    def oracle_attributes(self, path: Path) -> Mapping[str, Mapping[str, Any]]:
        if path.name.startswith("structure"):
            return {"one/two/both": {}}
        meanings = {"flag_values": np.array([1, 0], "u1"), "flag_meanings": "DARK_GREEN RED"}
        return {
            "": {"title": "conformance <&> \u00e9"},
            "scalar": {"units": "K", "valid_range": np.array([0, 5], "f4")},
            "enumerated": meanings,
        }
