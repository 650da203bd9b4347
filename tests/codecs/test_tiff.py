"""The TIFF codec: its twins, what it refuses, and streams that hold more than a chunk."""

from __future__ import annotations

import json
import lzma
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import numcodecs
import numpy as np
import pytest

imagecodecs = pytest.importorskip("imagecodecs")

from virtualizarr.codecs.tiff import Tiff, TiffCodec, TiffNumcodec  # noqa: E402
from virtualizarr.errors import (  # noqa: E402
    CorruptFileError,
    UnsupportedFeatureError,
    VirtualizeError,
)

ROWS, COLUMNS = 16, 24
NBYTES = ROWS * COLUMNS * 2


def codec(**changes: Any) -> Tiff:
    settings = {"shape": [ROWS, COLUMNS, 1], "sample": "uint16", "compression": "deflate"}
    return Tiff.from_configuration({**settings, **changes})


def decode(one: Tiff, data: bytes) -> Any:
    found = one.decode(np.frombuffer(data, np.uint8), one.nbytes)
    assert found.size == one.nbytes
    return found


@pytest.fixture
def values() -> Any:
    return np.arange(ROWS * COLUMNS, dtype="<u2").reshape(ROWS, COLUMNS) * 7


def test_configuration_comes_back(values: Any) -> None:
    one = codec(edge=[3, 0], predictor=2, bits=[], endian="big", band_first=True)
    assert Tiff.from_configuration(json.loads(json.dumps(one.configuration()))) == one
    assert TiffCodec.from_dict(TiffCodec(one).to_dict()).foreign == one
    assert numcodecs.get_codec(TiffNumcodec(**one.configuration()).get_config()).foreign == one
    assert "fill_order" not in one.configuration()


def test_a_short_last_strip_is_padded_and_no_other(values: Any) -> None:
    stored = zlib.compress(values[:5].tobytes())
    found = decode(codec(edge=[5, 0]), stored).view("<u2").reshape(ROWS, COLUMNS)
    np.testing.assert_array_equal(found[:5], values[:5])
    assert not found[5:].any()
    for edge in ([0, 0], [4, 0], [6, 0]):
        with pytest.raises(CorruptFileError, match="rows"):
            decode(codec(edge=edge), stored)


def test_bits_in_reverse_order(values: Any) -> None:
    stored = np.packbits(np.unpackbits(values.reshape(-1, 1).view("u1"), axis=1)[:, ::-1], axis=1)
    raw = imagecodecs.bitorder_decode(values.tobytes())
    found = decode(codec(compression="none", fill_order=2), bytes(raw))
    np.testing.assert_array_equal(found.view("<u2"), values.ravel())
    assert stored.size == NBYTES * 8 // 8


def test_rgb565() -> None:
    words = np.array([[0xFFFF, 0x0000, 0xF800, 0x07E0]], "<u2")
    one = Tiff((1, 4, 3), "uint8", bits=(5, 6, 5))
    found = decode(one, words.tobytes()).reshape(4, 3)
    assert found.tolist() == [[255, 255, 255], [0, 0, 0], [255, 0, 0], [0, 255, 0]]


@pytest.mark.parametrize("bits", [2, 5, 12, 13, 24, 31, 33, 47, 63])
def test_signed_and_unsigned_samples_of_any_width(bits: int) -> None:
    random = np.random.default_rng(bits)
    flags = random.integers(0, 2, (3, 5, bits))
    row = np.concatenate([flags.reshape(3, -1), np.zeros((3, -5 * bits % 8), int)], axis=1)
    stored = np.packbits(row.astype(np.uint8), axis=1).tobytes()
    unsigned = [[int("".join(map(str, flag)), 2) for flag in line] for line in flags.tolist()]
    signed = [[n - (1 << bits) if n >> (bits - 1) else n for n in line] for line in unsigned]
    for kind, expected in (("uint", unsigned), ("int", signed)):
        one = Tiff((3, 5, 1), f"{kind}{bits}")
        assert decode(one, stored).view(one.stored.dtype).reshape(3, 5).tolist() == expected


@pytest.mark.parametrize(
    "changes",
    [
        {"shape": [0, 4, 1]},
        {"shape": [4, 4]},
        {"shape": [1 << 31, 1 << 31, 9]},
        {"edge": [99, 0]},
        {"endian": "middle"},
        {"fill_order": 3},
        {"unknown": 1},
        {"sample": None, "shape": None},
    ],
)
def test_bad_configurations(changes: dict[str, Any]) -> None:
    with pytest.raises(VirtualizeError):
        codec(**changes)


@pytest.mark.parametrize(
    "changes",
    [{"compression": "jbig"}, {"predictor": 4}, {"sample": "uint65"}, {"sample": "float12"}],
)
def test_what_is_not_read_is_named(changes: dict[str, Any]) -> None:
    with pytest.raises(UnsupportedFeatureError, match=str(next(iter(changes.values())))):
        codec(**changes)


BOMB = 1 << 27


def bombs() -> dict[str, bytes]:
    """Return streams that declare, or hold, far more than a chunk of 768 bytes."""
    zeros = bytes(BOMB)
    jpeg = bytearray(imagecodecs.jpeg8_encode(np.zeros((16, 24), "u1")))
    at = jpeg.index(b"\xff\xc0")
    jpeg[at + 5 : at + 9] = struct.pack(">HH", 60000, 60000)
    return {
        "deflate": zlib.compress(zeros, 9),
        "lzma": lzma.compress(zeros, preset=1),
        "zstd": imagecodecs.zstd_encode(zeros),
        "lzw": imagecodecs.lzw_encode(bytes(1 << 23)),
        "packbits": b"\x81\0" * (1 << 20),
        "jpeg": bytes(jpeg),
        "jpeg2000": imagecodecs.jpeg2k_encode(np.zeros((3000, 3000), "u1")),
        "png": imagecodecs.png_encode(np.zeros((3000, 3000), "u1")),
        "webp": imagecodecs.webp_encode(np.zeros((3000, 3000, 3), "u1")),
        "jpegxl": imagecodecs.jpegxl_encode(np.zeros((3000, 3000), "u1"), effort=1),
        "lerc": imagecodecs.lerc_encode(np.zeros((3000, 3000), "u1")),
        "lerc_deflate": zlib.compress(imagecodecs.lerc_encode(np.zeros((3000, 3000), "u1"))),
        "lerc_zstd": imagecodecs.zstd_encode(imagecodecs.lerc_encode(np.zeros((3000, 3000), "u1"))),
        "jpegxr": imagecodecs.jpegxr_encode(np.zeros((3000, 3000), "u1")),
        "ojpeg": jpeg[at + 19 :],
        "eer": bytes(1 << 20),
        "next": bytes([0x7F]) * (1 << 20),
        "thunderscan": bytes([0x3F]) * (1 << 20),
        "ccittrle": bytes(1 << 20),
        "ccittrlew": bytes(1 << 20),
        "ccittfax3": bytes(1 << 20),
        "ccittfax4": b"\xff" * (1 << 20),
        "sgilog": bytes([255, 0]) * (1 << 19),
        "ycbcr_none": bytes(1 << 20),
        "ycbcr_deflate": zlib.compress(zeros, 9),
        "ycbcr_lzma": lzma.compress(zeros, preset=1),
        "ycbcr_lzw": imagecodecs.lzw_encode(bytes(1 << 23)),
        "ycbcr_packbits": b"\x81\0" * (1 << 20),
        "ycbcr_zstd": imagecodecs.zstd_encode(zeros),
    }


PROGRAM = """
import base64, json, resource, sys, pathlib
import imagecodecs, numpy as np
from virtualizarr.codecs.tiff import Tiff
from virtualizarr.errors import CorruptFileError
imagecodecs.jpegxl_decode(imagecodecs.jpegxl_encode(np.zeros((9, 9), "u1")))
SAMPLES = {"next": "uint2", "thunderscan": "uint4", "sgilog": "int16", "eer": "uint1"}
results = {}
for place in sorted(pathlib.Path(sys.argv[1]).iterdir()):
    data = np.fromfile(place, np.uint8)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    name = place.name
    colours = name == "webp" or name.startswith("ycbcr")
    more = {}
    if name.startswith("ycbcr") or name == "ojpeg":
        more = {"photometric": 6, "subsampling": (2, 2)}
    if name == "ojpeg":
        stream = imagecodecs.jpeg8_encode(np.zeros((16, 24, 3), "u1"))
        header = bytearray(stream[: stream.index(b"\\xff\\xda") + 14])
        at = header.index(b"\\xff\\xc0")
        header[at + 5 : at + 9] = b"\\xff" * 4
        more["tables"] = base64.b64encode(header).decode()
        colours = True
    more |= {"event_bits": (7, 2, 2)} if name == "eer" else {}
    more |= {"photometric": 32844} if name == "sgilog" else {}
    sample = SAMPLES.get(name, "uint1" if name.startswith("ccitt") else "uint8")
    codec = Tiff((16, 24, 3 if colours else 1), sample, compression=name, **more)
    try:
        outcome = codec.decode(data, codec.nbytes).size
    except CorruptFileError:
        outcome = "CorruptFileError"
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    results[place.name] = [outcome, after - before]
print(json.dumps(results))
"""


def test_bombs(tmp_path: Path) -> None:
    made = bombs()
    for name, data in made.items():
        (tmp_path / name).write_bytes(data)
    command = [sys.executable, "-c", PROGRAM, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-800:]
    results = json.loads(done.stdout)
    assert results.keys() == made.keys()
    for name, (outcome, grown) in results.items():
        sizes = [ROWS * COLUMNS * n for n in (1, 2, 3)]
        assert outcome in ("CorruptFileError", *sizes), name
        assert grown < 48 * 1024, f"{name}: {grown} kB"


DAMAGED = 300


@pytest.mark.long
def test_damaged_chunks_of_every_compression() -> None:
    program = Path(__file__).parents[1] / "parsers" / "tiff" / "codec_fuzz.py"
    command = [sys.executable, "-X", "faulthandler", str(program), str(DAMAGED)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-500:] + done.stderr[-1500:]
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(lines) == 33
    for name, outcomes, wrong, grown in lines:
        assert outcomes.keys() <= {"decoded", "CorruptFileError"}, name
        assert sum(outcomes.values()) == DAMAGED
        assert not wrong, name
        assert grown < 48 << 20, name
