"""Feeds every codec of ours streams that hold or declare far more than a chunk; run as a program.

    python -m bombs.codec_bombs

prints JSON: for each codec and configuration the errors that came out, the largest result, and what
went wrong. The address space is limited, so that a bomb that goes off is seen.
"""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import resource
import struct
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import numcodecs
import numpy as np

from codec_abuse import bombs, samples
from virtualizarr.codecs.base import capacity, octets
from virtualizarr.codecs.bounded import DECODERS
from virtualizarr.codecs.bridge import ROOM_LIMITS
from virtualizarr.codecs.names import DECODED_SIZE_KEY
from virtualizarr.errors import VirtualizeError

NBYTES = 16_384
SIDE = 64
ROOM = 96 << 20
HELD = 1 << 26

Configuration = dict[str, Any]
COORDINATES: Configuration = {"coordinate": "latitude"}
FITS: Configuration = {"bitpix": 32, "shape": [SIDE, SIDE], "kinds": [["data", [SIDE, SIDE]]]}
SZIP: Configuration = {"options_mask": 141, "pixels_per_block": 16, "bits_per_pixel": 32}
SZIP |= {"pixels_per_scanline": 64}
TIFF: Configuration = {"shape": [SIDE, SIDE, 1], "sample": "uint32"}
CHAIN = [{"name": "virtualizarr.bounded", "configuration": {"codec": "numcodecs.zlib"}}]

CONFIGURATIONS: Mapping[str, Sequence[Configuration]] = {
    "bitshuffle": [{"elementsize": 4, "cname": name} for name in ("none", "lz4", "zstd")],
    "blosc2": [{}],
    "bounded": [{"codec": name} for name in DECODERS],
    "field": [{"row_bytes": 8, "offset": 0, "width": 4}],
    "fill_up": [{"value": [0]}],
    "fits_tile": [
        {**FITS, "compression": name} for name in ("GZIP_1", "GZIP_2", "RICE_1", "HCOMPRESS_1")
    ]
    + [{**FITS, "compression": "PLIO_1", "bitpix": 16}],
    "grib": [{"dtype": "float32"}],
    "grib_coordinates": [COORDINATES],
    "hdf4_nbit": [{"length": NBYTES, "size": 4, "start_bit": 7, "bit_len": 8}],
    "hdf4_raster": [
        {"shape": [SIDE, SIDE, 1], "method": name, "itemsize": 4} for name in ("none", "rle")
    ],
    "hdf4_rle": [{"length": NBYTES}],
    "hdf4_skphuff": [{"length": NBYTES, "skip": 4}],
    "hdf4_szip": [{**SZIP, "length": NBYTES}],
    "imagecodecs": [{"codec": name} for name in sorted(ROOM_LIMITS - {"gzip"})],
    "inflate": [{"times": 2}],
    "jpeg2000_tile": [{"header": "", "shape": [SIDE, SIDE, 1], "sample": "uint32"}],
    "jpegls": [{}],
    "lz4": [{}],
    "lzf": [{}],
    "nbit": [{"element": [1, 4, 0, 17, 2]}],
    "optional_filters": [{"codecs": CHAIN, "by_length": [[3, []]]}],
    "precision": [
        {"itemsize": 4, "endian": "big", "precision": 9, "offset": 3, "signed": True},
    ],
    "record": [{"itemsize": 8, "pieces": [[0, 4, 1, "copy"]]}],
    "scaleoffset": [{"kind": "i", "itemsize": 4, "endian": "little", "scale_factor": 0}],
    "shuffle": [{"elementsize": 4}],
    "strided": [{"shape": [SIDE, SIDE], "strides": [SIDE * 4, 4], "itemsize": 4}],
    "szip": [SZIP],
    "tiff": [
        {**TIFF, "compression": name}
        for name in ("none", "lzw", "deflate", "packbits", "zstd", "lzma", "jpeg", "webp", "lerc")
    ],
    "vicar_basic": [{"samples": SIDE * SIDE, "width": 4}],
    "zfp": [{"header": [91252346, 2692218922, 4293918728]}],
    "zip_member": [{}],
}
"""Valid configurations of every codec that works on bytes, for chunks of `NBYTES`."""

ZARR_ONLY: Mapping[str, str] = {
    "checked_bytes": "tests/codecs/test_checked.py::test_chunks_of_another_size",
    "checked_sharding_indexed": "tests/codecs/test_checked.py::test_shards",
    "checked_vlen_bytes": "tests/codecs/test_checked.py::test_words",
    "checked_vlen_utf8": "tests/codecs/test_checked.py::test_words",
    "crop": "tests/codecs/test_crop.py::test_what_does_not_fit_is_refused",
}
"""Codecs that work on arrays, and the tests that they take no chunk of another size."""


def codec_names(group: str) -> set[str]:
    """Return our codecs among the entry points of a group, without their prefix."""
    prefix = "virtualizarr."
    names = {point.name for point in entry_points(group=group)}
    return {name.removeprefix(prefix) for name in names if name.startswith(prefix)}


def streams() -> list[bytes]:
    """Return small streams: some of each compression that hold 64 MB, some of nonsense."""
    zeros = bytes(HELD)
    random = np.random.default_rng(0)
    raw = zlib.compressobj(wbits=-15)
    compressed = [
        zlib.compress(zeros),
        gzip.compress(zeros, 1),
        raw.compress(zeros) + raw.flush(),
        bz2.compress(zeros, 9),
        lzma.compress(zeros, preset=0),
        numcodecs.Zstd().encode(zeros),
        numcodecs.LZ4().encode(zeros),
        numcodecs.Blosc("zstd").encode(zeros),
    ]
    zipped = struct.pack("<4s5H3I2H", b"PK\3\4", 20, 0, 8, 0, 0, 0, 1 << 20, HELD, 0, 0)
    compressed.append(zipped + compressed[2])
    twice = zlib.compress(compressed[0])
    nonsense = [bytes(1 << 20), b"\xff" * (1 << 20), b"\x7f" * 4096, random.bytes(1 << 16), b""]
    counted = [struct.pack(f"{order}Q", HELD) + bytes(4096) for order in "<>"]
    return [*compressed, twice, *nonsense, *counted]


def known_bombs() -> dict[str, list[bytes]]:
    """Return bombs made for one codec, by its name."""
    made: dict[str, list[bytes]] = {}
    for codec, data in bombs(samples()).values():
        made.setdefault(str(codec["name"]).removeprefix("virtualizarr."), []).append(data)
    made.setdefault("grib_coordinates", []).append(
        json.dumps({"grid": "regular_ll", "Ni": 1 << 30, "Nj": 1 << 30}).encode()
    )
    return made


def decode(codec_class: Any, name: str, configuration: Configuration, stream: bytes) -> int:
    """Decode a stream as a chunk of `NBYTES`; return the size of the result."""
    if hasattr(codec_class, "kind"):
        codec = codec_class.kind.from_configuration(configuration)
        return int(codec.decode(octets(stream), NBYTES).size)
    twin = numcodecs.get_codec({"id": name, **configuration, DECODED_SIZE_KEY: NBYTES})
    return memoryview(twin.decode(stream)).nbytes


def defused(
    codec_class: Any, name: str, configuration: Configuration, fed: Sequence[bytes]
) -> dict[str, Any]:
    """Feed one codec; return what came of it, within a limited address space."""
    outcomes: Counter[str] = Counter()
    largest, bad = 0, ""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    for stream in fed:
        resource.setrlimit(resource.RLIMIT_AS, (size + ROOM, hard))
        try:
            largest = max(largest, decode(codec_class, name, configuration, stream))
            outcomes["decoded"] += 1
        except VirtualizeError as error:
            outcomes[type(error).__name__] += 1
        except BaseException as error:
            bad = f"{type(error).__name__}: {error} after {stream[:16]!r} ({len(stream)} bytes)"
        finally:
            resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
    return {"outcomes": outcomes, "largest": largest, "bad": bad}


def main() -> None:
    fed, made = streams(), known_bombs()
    results: dict[str, dict[str, Any]] = {}
    for point in sorted(entry_points(group="zarr.codecs")):
        name = point.name.removeprefix("virtualizarr.")
        for number, configuration in enumerate(CONFIGURATIONS.get(name, ())):
            if point.name.startswith("virtualizarr."):
                all_fed = [*fed, *made.get(name, ())]
                found = defused(point.load(), point.name, configuration, all_fed)
                results[f"{name} {number}"] = {**found, "allowed": capacity(NBYTES)}
    print(json.dumps(results))


if __name__ == "__main__":
    main()
