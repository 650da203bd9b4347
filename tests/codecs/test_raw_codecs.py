"""The codecs of raw rasters: strided numbers, VICAR's lines, tiles of JPEG 2000."""

from __future__ import annotations

import base64
import pickle
from typing import Any

import numcodecs
import numpy as np
import pytest

from virtualizarr.codecs.jpeg2000_tile import Jpeg2000Tile
from virtualizarr.codecs.strided import Strided, StridedCodec, StridedNumcodec
from virtualizarr.codecs.vicar_basic import VicarBasic
from virtualizarr.errors import CorruptFileError, VirtualizeError


def octets(count: int) -> Any:
    return np.arange(count, dtype=np.uint8)


def test_interleaved_bands_become_bands() -> None:
    codec = Strided((2, 3), (1, 2), 1)
    assert codec.decode(octets(6), 6).tolist() == [0, 2, 4, 1, 3, 5]
    assert codec.configuration() == {"shape": [2, 3], "strides": [1, 2], "itemsize": 1}


def test_last_chunks_may_be_short() -> None:
    codec = Strided((3, 2), (2, 1), 1, edge=(1, 2))
    assert codec.decode(octets(6), 6).tolist() == [0, 1, 2, 3, 4, 5]
    assert codec.decode(octets(2), 6).tolist() == [0, 1, 0, 0, 0, 0]
    with pytest.raises(CorruptFileError, match="1 bytes, a chunk of"):
        codec.decode(octets(1), 6)
    with pytest.raises(CorruptFileError, match="5 bytes"):
        Strided((3, 2), (2, 1), 1).decode(octets(5), 6)


@pytest.mark.parametrize(
    "fields",
    [
        {"shape": (2,), "strides": (0,), "itemsize": 1},
        {"shape": (2, 2), "strides": (1, 1), "itemsize": 1},
        {"shape": (2,), "strides": (1,), "itemsize": 2},
        {"shape": (2,), "strides": (1, 2), "itemsize": 1},
        {"shape": (1 << 39, 4), "strides": (4, 1), "itemsize": 1},
        {"shape": (2,), "strides": (3,), "itemsize": 3, "form": "vax_f"},
        {"shape": (2,), "strides": (4,), "itemsize": 4, "form": "vax_h"},
        {"shape": (2,), "strides": (4,), "itemsize": 4, "bits": 3},
        {"shape": (2,), "strides": (1,), "itemsize": 1, "edge": (3,)},
        {"shape": (2,), "strides": (1,), "itemsize": 1, "start": -1},
    ],
)
def test_bad_parameters_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(CorruptFileError):
        Strided(**fields)


def test_elements_before_the_first_byte_are_refused() -> None:
    with pytest.raises(CorruptFileError, match="before the first byte"):
        Strided((3,), (-1,), 1, start=1).decode(octets(9), 3)


def test_a_chunk_is_never_larger_than_declared() -> None:
    codec = Strided((1 << 20, 1 << 20), (1 << 20, 1), 1, edge=(1, 1 << 20))
    for nbytes in (100, None):
        with pytest.raises(CorruptFileError, match="bytes for a chunk"):
            codec.decode(np.zeros(1 << 20, np.uint8), nbytes)


def test_vax_numbers() -> None:
    """Examples of the VAX Architecture Reference Manual: 1, -1, 3.5 and 0 as F_floating."""
    words = [0x4080, 0, 0xC080, 0, 0x4160, 0, 0, 0]
    raw = np.array(words, "<u2").view(np.uint8)
    decoded = Strided((4,), (4,), 4, form="vax_f").decode(raw, 16)
    assert decoded.view("<f4").tolist() == [1.0, -1.0, 3.5, 0.0]
    double = np.array([0x4080, 0, 0, 0, 0xC160, 0, 0, 0], "<u2").view(np.uint8)
    decoded = Strided((2,), (8,), 8, form="vax_d").decode(double, 16)
    assert decoded.view("<f8").tolist() == [1.0, -3.5]
    grand = np.array([0x4010, 0, 0, 0, 0xC02C, 0, 0, 0], "<u2").view(np.uint8)
    decoded = Strided((2,), (8,), 8, form="vax_g").decode(grand, 16)
    assert decoded.view("<f8").tolist() == [1.0, -3.5]
    reserved = np.array([0x8000, 0], "<u2").view(np.uint8)
    decoded = Strided((1,), (4,), 4, form="vax_f").decode(reserved, 4)
    assert np.isnan(decoded.view("<f4")[0])


def test_twins_have_one_name_and_can_be_pickled() -> None:
    codec = Strided((2, 3), (1, 2), 1)
    zarr3 = StridedCodec(codec)
    assert StridedCodec.from_dict(zarr3.to_dict()) == zarr3
    assert pickle.loads(pickle.dumps(zarr3)) == zarr3
    twin = numcodecs.get_codec({"id": "virtualizarr.strided", **codec.configuration()})
    assert isinstance(twin, StridedNumcodec)
    assert twin.decode(octets(6).tobytes()).tolist() == [0, 2, 4, 1, 3, 5]


def bits(text: str) -> Any:
    flags = np.array(list(text.replace(" ", "")), np.uint8)
    return np.packbits(flags)


def test_vicar_lines() -> None:
    codec = VicarBasic(9, 1)
    #           100 as it is    +1  -3   a run of 4+1 of +0         200, one as it is
    stream = "1110 01100100   100 000  1111 0001 011   1110 11001000"
    values = codec.decode(bits(stream), 9).tolist()
    assert values == [100, 101, 98, 98, 98, 98, 98, 98, 200]
    with pytest.raises(CorruptFileError, match="ends after 5 of 9 bytes"):
        codec.decode(bits("1110 01100100 100 000"), 9)
    with pytest.raises(CorruptFileError, match="9 bytes for a chunk of 8"):
        codec.decode(bits(stream), 8)


def test_vicar_planes_and_long_runs() -> None:
    codec = VicarBasic(300, 2)
    #          low bytes: 5, then a run of 299 (16-bit count 295); high bytes: +0 run of 300
    stream = "1110 00000101  1111 1111 11111111 00100111 00000001 00000000 011"
    stream += "1111 1111 11111111 00101000 00000001 00000000 111 00000001"
    decoded = codec.decode(bits(stream), 600).view("<u2")
    assert set(decoded.tolist()) == {0x0105}


def test_jpeg2000_needs_its_main_header() -> None:
    for header in ("", "no base64!", base64.b64encode(b"\xff\x4f\xff\x51").decode()):
        with pytest.raises(CorruptFileError):
            Jpeg2000Tile(header, (1, 8, 8), "uint8")
    sizes = b"".join(n.to_bytes(4) for n in (8, 8, 0, 0, 8, 8, 0, 0))
    raw = b"\xff\x4f\xff\x51\0\x29\0\0" + sizes + b"\0\1\7\1\1"
    with pytest.raises(CorruptFileError, match="1 components"):
        Jpeg2000Tile(base64.b64encode(raw).decode(), (3, 8, 8), "uint8")
    codec = Jpeg2000Tile(base64.b64encode(raw).decode(), (1, 8, 8), "uint8")
    for data in (b"", b"\xff\x90", bytes(40), b"\xff\x90\0\x0a\0\x05\0\0\0\x0e\0\1\xff\x93"):
        with pytest.raises(VirtualizeError):
            codec.decode(np.frombuffer(data, np.uint8), 64)
