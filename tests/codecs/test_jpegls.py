"""JPEG-LS: images of several components, and scans that end early, late or oddly.

The witness is CharLS, by imagecodecs, on streams that it wrote itself.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

imagecodecs = pytest.importorskip("imagecodecs")

from virtualizarr.codecs.jpegls import EOI, SOI, JpegLs  # noqa: E402
from virtualizarr.errors import CorruptFileError  # noqa: E402

LINES, SAMPLES = 60, 50
RESTARTS = b"\xff\xdd\x00\x04\x00\x0a"


def image(dtype: str, *components: int) -> Any:
    rng = np.random.default_rng(5)
    steps = rng.integers(-3, 4, (LINES, SAMPLES, *components))
    return (np.cumsum(steps, axis=1) + 100).astype(dtype)


def decode(stream: bytes, nbytes: int) -> Any:
    return JpegLs().decode(np.frombuffer(stream, np.uint8), nbytes)


def planar(planes: Any) -> bytes:
    """Return one codestream of several components, a scan each."""
    streams = [imagecodecs.jpegls_encode(plane) for plane in planes]
    starts = [stream.find(b"\xff\xda") for stream in streams]
    frame = streams[0][2 : streams[0].find(b"\x01\x01\x11\x00")]
    count = len(planes)
    specs = b"".join(bytes((number + 1, 0x11, 0)) for number in range(count))
    length = (8 + 3 * count).to_bytes(2)
    header = frame[:2] + length + frame[4:] + bytes((count,)) + specs
    others = streams[0][2 + len(frame) + 4 : starts[0]]
    scans = []
    for number, (stream, start) in enumerate(zip(streams, starts, strict=True)):
        scan = bytearray(stream[start : -len(EOI)])
        scan[5] = number + 1
        scans.append(bytes(scan))
    return SOI + header + others + b"".join(scans) + EOI


@pytest.mark.parametrize("dtype", ["u1", "<u2"])
def test_components_pixel_by_pixel(dtype: str) -> None:
    values = image(dtype, 3)
    stream = imagecodecs.jpegls_encode(values)
    assert decode(stream, values.nbytes).tobytes() == values.tobytes()


@pytest.mark.parametrize("dtype", ["u1", "<u2"])
@pytest.mark.parametrize("count", [2, 3, 4])
def test_components_plane_by_plane(dtype: str, count: int) -> None:
    planes = np.stack([image(dtype) * (number + 1) for number in range(count)])
    stream = planar(planes)
    if count > 2:  # CharLS by imagecodecs: images of three or four
        witness = np.moveaxis(imagecodecs.jpegls_decode(stream), 2, 0)
        assert np.array_equal(witness, planes)
    assert decode(stream, planes.nbytes).tobytes() == planes.tobytes()


@pytest.mark.parametrize("dtype", ["u1", "<u2"])
@pytest.mark.parametrize("kept", [0.1, 0.5, 0.9, 0.99])
def test_a_scan_that_ends_early(dtype: str, kept: float) -> None:
    """CharLS itself needs seconds for these."""
    values = image(dtype)
    stream = imagecodecs.jpegls_encode(values)
    cut = stream[: int(len(stream) * kept)]
    with pytest.raises(CorruptFileError, match="ends before its image"):
        decode(cut + EOI, values.nbytes)
    with pytest.raises(CorruptFileError, match="cut short"):
        decode(cut, values.nbytes)


def test_a_plane_that_ends_early() -> None:
    planes = np.stack([image("u1")] * 3)
    stream = planar(planes)
    second = stream.rfind(b"\xff\xda")
    with pytest.raises(CorruptFileError, match="ends before its image"):
        decode(stream[: second - 300] + stream[second:], planes.nbytes)
    with pytest.raises(CorruptFileError, match="2 scans"):
        decode(stream[:second] + EOI, planes.nbytes)


def test_what_is_left_over() -> None:
    values = image("u1")
    stream = imagecodecs.jpegls_encode(values)
    with pytest.raises(CorruptFileError, match="still contains encoded data"):
        decode(stream[:-2] + bytes(40) + EOI, values.nbytes)
    with pytest.raises(CorruptFileError, match="behind a scan"):
        decode(stream[:-2] + b"\xff\xd0\x00\x02" + EOI, values.nbytes)
    with pytest.raises(CorruptFileError, match="2 scans"):
        decode(stream[:-2] + stream[stream.find(b"\xff\xda") :], values.nbytes)


def test_headers() -> None:
    values = image("u1")
    stream = imagecodecs.jpegls_encode(values)
    scan = stream.find(b"\xff\xda")
    with pytest.raises(CorruptFileError, match="restart intervals"):
        decode(stream[:scan] + RESTARTS + stream[scan:], values.nbytes)
    with pytest.raises(CorruptFileError, match="a second frame"):
        decode(stream[:scan] + stream[2:], values.nbytes)
    with pytest.raises(CorruptFileError, match="no frame"):
        decode(SOI + stream[scan:], values.nbytes)
    with pytest.raises(CorruptFileError, match="at most"):
        decode(imagecodecs.jpegls_encode(image("<u2")), 100)
