"""Feeds broken streams to the decoders; run as a program, so that a crash or a bomb is seen.

Prints JSON: for each case the errors that came out, the largest result in bytes, and by how many
bytes the process grew.
"""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import resource
import struct
import sys
import tempfile
import zlib
from collections import Counter
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin
import numcodecs
import numpy as np

from codec_witness import compressible, filters_of
from virtualizarr.codecs.bounded import bound
from virtualizarr.codecs.hdf5_filters import filter_codecs
from virtualizarr.codecs.names import CodecJSON, to_numcodecs
from virtualizarr.errors import VirtualizeError

SHAPE = (50, 80)
NBYTES = 50 * 80 * 4
OF_WORDS = {"jpegls"}
"""For integers of two octets: their chunks have twice as many rows."""

BOMB_BYTES = 1 << 28
ROUNDS = 400

PLANS: dict[str, dict[str, Any]] = {
    "lzf": {"compression": "lzf"},
    "szip": {"compression": "szip"},
    "lz4": dict(hdf5plugin.LZ4()),
    "lz4 blocks": dict(hdf5plugin.LZ4(nbytes=1000)),
    "bitshuffle": dict(hdf5plugin.Bitshuffle(cname="none")),
    "bitshuffle lz4": dict(hdf5plugin.Bitshuffle(cname="lz4")),
    "bitshuffle zstd": dict(hdf5plugin.Bitshuffle(cname="zstd")),
    "blosc2": dict(hdf5plugin.Blosc2()),
    "zfp": dict(hdf5plugin.Zfp(reversible=True)),
    "zfp rate": dict(hdf5plugin.Zfp(rate=8)),
    "jpegls": dict(hdf5plugin.FciDecomp()),
    "scaleoffset": {"scaleoffset": 0},
    "bounded zlib": {"compression": "gzip"},
    "bounded bz2": dict(hdf5plugin.BZip2()),
    "bounded zstd": dict(hdf5plugin.Zstd()),
    "bounded blosc": dict(hdf5plugin.Blosc(cname="zstd")),
}


def samples() -> dict[str, tuple[CodecJSON, bytes]]:
    """Return each plan's codec and one good chunk, as libhdf5 wrote it."""
    found = {}
    with tempfile.TemporaryDirectory() as place:
        for name, plan in PLANS.items():
            with h5py.File(Path(place) / "a.h5", "w") as file:
                shape, dtype = ((100, 80), "<u2") if name in OF_WORDS else (SHAPE, "<i4")
                data = compressible(shape, dtype)
                dataset = file.create_dataset("a", data=data, chunks=shape, **plan)
                (codec,) = bound(filter_codecs(filters_of(dataset), data.itemsize))
                found[name] = (codec, dataset.id.read_direct_chunk((0, 0))[1])
    nbit = {"name": "virtualizarr.nbit", "configuration": {"element": [1, 4, 0, 17, 2]}}
    precision = {"itemsize": 4, "endian": "big", "precision": 9, "offset": 3, "signed": True}
    found["nbit"] = (nbit, bytes(range(250)) * 34)
    found["precision"] = (
        {"name": "virtualizarr.precision", "configuration": precision},
        bytes(NBYTES),
    )
    return found


def mutations(good: bytes) -> list[bytes]:
    """Return truncated and altered copies; headers are altered more often than the rest."""
    rng = np.random.default_rng(len(good))
    broken = [good[:length] for length in (0, 1, 3, 4, 7, 8, 11, 12, 16, 20, 21, 22, 60, 95, 96)]
    for kind in rng.integers(0, 4, ROUNDS):
        copy = bytearray(good)
        if kind == 0:
            del copy[rng.integers(len(copy)) :]
        elif kind == 1:
            copy[rng.integers(len(copy))] = rng.integers(256)
        elif kind == 2:
            for _ in range(4):
                at = rng.integers(min(len(copy), 120))
                copy[at] = rng.choice([0, 1, 127, 128, 255, rng.integers(256)])
        else:
            at = rng.integers(len(copy))
            copy[at:at] = rng.integers(0, 256, rng.integers(1, 9), np.uint8).tobytes()
        broken.append(bytes(copy))
    return broken


def bombs(good: dict[str, tuple[CodecJSON, bytes]]) -> dict[str, tuple[CodecJSON, bytes]]:
    """Return small streams that declare or hold far more than a chunk."""
    import imagecodecs

    zeros = bytes(BOMB_BYTES)
    lz4_block = imagecodecs.lz4_encode(zeros)
    zstd_block = imagecodecs.zstd_encode(zeros)

    def patched(name: str, at: int, data: bytes) -> tuple[CodecJSON, bytes]:
        codec, chunk = good[name]
        return codec, chunk[:at] + data + chunk[at + len(data) :]

    def framed(size: int, block_size: int, block: bytes) -> bytes:
        return struct.pack(">QII", size, block_size, len(block)) + block

    def limited(name: str, data: bytes) -> tuple[CodecJSON, bytes]:
        return {"name": "virtualizarr.bounded", "configuration": {"codec": name}}, data

    zfp = dict(good["zfp"][0])
    header = list(zfp["configuration"]["header"])
    zfp["configuration"] = {"header": [header[0], 0xFFFFFFFF, header[2] | 0xFFFFF]}
    frame = good["blosc2"][1]
    entry = frame.find(b"\xa4b2nd\xd2") + 6
    shape_at = int.from_bytes(frame[entry : entry + 4], "big") + 5 + 5
    return {
        "lzf": (good["lzf"][0], b"\x00\x00" + b"\xe0\xff\x00" * (BOMB_BYTES // 264)),
        "szip": patched("szip", 0, b"\xff\xff\xff\xff"),
        "lz4 header": patched("lz4", 0, struct.pack(">Q", 1 << 60)),
        "lz4 block": (good["lz4"][0], framed(NBYTES, NBYTES, lz4_block)),
        "bitshuffle header": patched("bitshuffle lz4", 0, struct.pack(">Q", 1 << 62)),
        "bitshuffle lz4": (good["bitshuffle lz4"][0], framed(NBYTES, 8192, lz4_block)),
        "bitshuffle zstd": (good["bitshuffle zstd"][0], framed(NBYTES, 8192, zstd_block)),
        "blosc2 size": patched("blosc2", 30, struct.pack(">q", 1 << 60)),
        "blosc2 chunk": patched("blosc2", 58, struct.pack(">i", (1 << 31) - 1)),
        "blosc2 shape": patched("blosc2", shape_at, struct.pack(">q", 1 << 60)),
        "jpegls": patched("jpegls", good["jpegls"][1].find(b"\xff\xf7") + 5, b"\xff" * 4),
        "zfp": (zfp, good["zfp"][1]),
        "bounded zlib": limited("numcodecs.zlib", zlib.compress(zeros)),
        "bounded gzip": limited("gzip", gzip.compress(zeros)),
        "bounded bz2": limited("numcodecs.bz2", bz2.compress(zeros)),
        "bounded lzma": limited("numcodecs.lzma", lzma.compress(zeros, preset=0)),
        "bounded zstd": limited("zstd", zstd_block),
        "bounded blosc": limited("blosc", numcodecs.Blosc("zstd").encode(zeros)),
        "bounded lz4": limited("numcodecs.lz4", numcodecs.LZ4().encode(zeros)),
    }


def growth_unit() -> int:
    return 1 if sys.platform == "darwin" else 1024


def peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * growth_unit()


def abuse(codec: CodecJSON, streams: list[bytes]) -> dict[str, Any]:
    """Decode each stream; an error that is not ours ends the program."""
    decoder = numcodecs.get_codec(to_numcodecs(codec, nbytes=NBYTES))
    before = peak()
    outcomes: Counter[str] = Counter()
    largest = 0
    for stream in streams:
        try:
            result = decoder.decode(stream)
        except VirtualizeError as error:
            outcomes[type(error).__name__] += 1
        else:
            outcomes["decoded"] += 1
            largest = max(largest, memoryview(result).nbytes)
    return {"outcomes": outcomes, "largest": largest, "grown": peak() - before}


def main(what: str) -> None:
    good = samples()
    if what == "mutations":
        cases = {name: (codec, mutations(data)) for name, (codec, data) in good.items()}
        for codec, data in good.values():
            abuse(codec, [data])
    else:
        # What makes the bombs is large itself; only a fresh process has a peak that can grow.
        place = Path(sys.argv[2])
        if what == "make bombs":
            made = {name: (codec, data.hex()) for name, (codec, data) in bombs(good).items()}
            place.write_text(json.dumps(made))
            return
        read = json.loads(place.read_text())
        cases = {name: (codec, [bytes.fromhex(data)]) for name, (codec, data) in read.items()}
        for codec, data in good.values():
            abuse(codec, [data])
    print(json.dumps({name: abuse(codec, streams) for name, (codec, streams) in cases.items()}))


if __name__ == "__main__":
    main(sys.argv[1])
