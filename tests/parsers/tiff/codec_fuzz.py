"""Feeds damaged chunks of every TIFF compression to the codec; a program, since it may crash.

`codec_fuzz.py ROUNDS` prints for each compression a line of JSON: its name, how often each error
came out, the results that had the wrong size, and the bytes by which the process grew.
"""

from __future__ import annotations

import base64
import json
import lzma
import resource
import sys
import zlib
from collections import Counter
from collections.abc import Callable
from typing import Any

import imagecodecs
import numpy as np

from virtualizarr.codecs.tiff import Tiff
from virtualizarr.errors import VirtualizeError

ROWS, COLUMNS = 64, 96
RANDOM = np.random.default_rng(5)
RAMP = np.add.outer(np.arange(ROWS), np.arange(COLUMNS))
GREY = (RAMP + RANDOM.integers(0, 9, RAMP.shape)).astype("u1")
COLOURS = np.ascontiguousarray(np.stack([GREY, GREY[::-1], GREY.T.reshape(GREY.shape)], axis=2))
FLOATS = GREY.astype("f4") / 7

type Case = tuple[dict[str, Any], bytes]


def old_jpeg() -> Case:
    """Return a strip without the tables of its JPEG stream, and those as the header."""
    stream = imagecodecs.jpeg8_encode(COLOURS)
    scan = stream.index(b"\xff\xda")
    begin = scan + 2 + int.from_bytes(stream[scan + 2 : scan + 4], "big")
    tables = base64.b64encode(stream[:begin]).decode()
    more = {"photometric": 6, "subsampling": [2, 2], "tables": tables}
    return {"compression": "ojpeg", "samples": 3, **more}, stream[begin:-2]


def runs(name: str, **more: Any) -> Callable[[], Case]:
    """Return bytes that a run-length decoder may make something of."""
    return lambda: ({"compression": name, **more}, RANDOM.integers(0, 256, 6000, "u1").tobytes())


def of(name: str, encoded: Callable[[], bytes], **more: Any) -> Callable[[], Case]:
    return lambda: ({"compression": name, **more}, bytes(encoded()))


RAW = GREY.tobytes()
SUBSAMPLED = {"samples": 3, "photometric": 6, "subsampling": [2, 2]}
CLUMPS = RANDOM.integers(0, 256, ROWS * COLUMNS * 3 // 2, "u1").tobytes()
BILEVEL = (GREY > 99).astype("u1")
PACKED = np.packbits(BILEVEL, axis=1).tobytes()

CASES: dict[str, Callable[[], Case]] = {
    "none": of("none", lambda: RAW),
    "deflate": of("deflate", lambda: zlib.compress(RAW), predictor=2),
    "lzma": of("lzma", lambda: lzma.compress(RAW)),
    "lzw": of("lzw", lambda: imagecodecs.lzw_encode(RAW)),
    "packbits": of("packbits", lambda: imagecodecs.packbits_encode(RAW)),
    "zstd": of("zstd", lambda: imagecodecs.zstd_encode(RAW)),
    "jpeg": of("jpeg", lambda: imagecodecs.jpeg8_encode(COLOURS), samples=3, photometric=6),
    "jpeg lossless": of("jpeg", lambda: imagecodecs.ljpeg_encode(GREY)),
    "jpeg2000": of("jpeg2000", lambda: imagecodecs.jpeg2k_encode(GREY)),
    "jpegxl": of("jpegxl", lambda: imagecodecs.jpegxl_encode(GREY, effort=1)),
    "jpegxr": of("jpegxr", lambda: imagecodecs.jpegxr_encode(GREY)),
    "lerc": of("lerc", lambda: imagecodecs.lerc_encode(FLOATS), sample="float32"),
    "lerc_deflate": of(
        "lerc_deflate", lambda: zlib.compress(imagecodecs.lerc_encode(FLOATS)), sample="float32"
    ),
    "lerc_zstd": of(
        "lerc_zstd",
        lambda: imagecodecs.zstd_encode(imagecodecs.lerc_encode(FLOATS)),
        sample="float32",
    ),
    "png": of("png", lambda: imagecodecs.png_encode(GREY)),
    "webp": of("webp", lambda: imagecodecs.webp_encode(COLOURS), samples=3),
    "eer": runs("eer", sample="uint1", event_bits=[7, 2, 2]),
    "ccittrle": runs("ccittrle", sample="uint1"),
    "ccittrlew": runs("ccittrlew", sample="uint1"),
    "ccittfax3": runs("ccittfax3", sample="uint1"),
    "ccittfax4": runs("ccittfax4", sample="uint1"),
    "next": runs("next", sample="uint2"),
    "thunderscan": runs("thunderscan", sample="uint4"),
    "sgilog": runs("sgilog", sample="int16", photometric=32844),
    "sgilog luv": runs("sgilog", sample="int16", photometric=32845, samples=3),
    "sgilog24": runs("sgilog24", sample="float32", photometric=32845, samples=3),
    "ojpeg": old_jpeg,
    "ycbcr_none": of("ycbcr_none", lambda: CLUMPS, **SUBSAMPLED),
    "ycbcr_lzw": of("ycbcr_lzw", lambda: imagecodecs.lzw_encode(CLUMPS), **SUBSAMPLED),
    "ycbcr_deflate": of("ycbcr_deflate", lambda: zlib.compress(CLUMPS), **SUBSAMPLED),
    "ycbcr_packbits": of(
        "ycbcr_packbits", lambda: imagecodecs.packbits_encode(CLUMPS), **SUBSAMPLED
    ),
    "ycbcr_lzma": of("ycbcr_lzma", lambda: lzma.compress(CLUMPS), **SUBSAMPLED),
    "ycbcr_zstd": of("ycbcr_zstd", lambda: imagecodecs.zstd_encode(CLUMPS), **SUBSAMPLED),
}


def damaged(good: bytes, seed: int) -> bytes:
    """Return a copy with some bytes changed, early ones more often, cut off, or put in."""
    random = np.random.default_rng(seed)
    copy = bytearray(good)
    kind = random.integers(0, 4)
    if kind == 0:
        del copy[random.integers(len(copy)) :]
    for _ in range(random.integers(0 if kind == 0 else 1, 6)):
        reach = len(copy) if random.integers(2) else min(len(copy), 80)
        if reach:
            copy[random.integers(reach)] = random.choice([0, 127, 128, 255, random.integers(256)])
    if kind == 3:
        at = random.integers(len(copy))
        copy[at:at] = random.bytes(random.integers(1, 9))
    return bytes(copy)


def codec_of(settings: dict[str, Any]) -> Tiff:
    settings = {"sample": "uint8", **settings}
    shape = [ROWS, COLUMNS, settings.pop("samples", 1)]
    return Tiff.from_configuration({"shape": shape, **settings})


def peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def abuse(name: str, rounds: int) -> None:
    settings, good = CASES[name]()
    codec = codec_of(settings)
    outcomes: Counter[str] = Counter()
    wrong: list[int] = []

    def decode(data: bytes) -> str:
        try:
            found = codec.decode(np.frombuffer(data, np.uint8), codec.nbytes)
        except VirtualizeError as error:
            return type(error).__name__
        if found.size != codec.nbytes:
            wrong.append(found.size)
        return "decoded"

    decode(good)
    before = peak()
    outcomes.update(decode(damaged(good, seed)) for seed in range(rounds))
    print(json.dumps([name, dict(outcomes), wrong, peak() - before]), flush=True)


if __name__ == "__main__":
    for case in CASES:
        abuse(case, int(sys.argv[1]))
