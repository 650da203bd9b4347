"""Members of zip archives with their headers, against the standard library's zipfile."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib

import numcodecs
import numpy as np
import pytest

from virtualizarr.codecs.zip_member import ZipMember
from virtualizarr.errors import CorruptFileError

CONTENT = b"some bytes, " * 50


def member(method: int, *, streamed: bool = False, content: bytes = CONTENT) -> bytes:
    """Return a member as it lies in an archive, from its local header on."""
    out = io.BytesIO()
    with zipfile.ZipFile(_Unseekable(out) if streamed else out, "w", method) as archive:
        info = zipfile.ZipInfo("v/0.0")
        info.compress_type = method
        info.extra = b"\x99\x99\x04\x00abcd"
        with archive.open(info, "w") as file:
            file.write(content)
    whole = out.getvalue()
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        (found,) = archive.infolist()
    names, extra = struct.unpack_from("<HH", whole, 26)
    return whole[: 30 + names + extra + found.compress_size]


class _Unseekable(io.RawIOBase):
    """A file to which zipfile can only append, so that sizes come after the data."""

    def __init__(self, inner: io.BytesIO) -> None:
        self._inner = inner

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        return self._inner.write(data)  # type: ignore[arg-type]


def decoded(data: bytes, nbytes: int | None = len(CONTENT)) -> bytes:
    return ZipMember().decode(np.frombuffer(data, np.uint8), nbytes).tobytes()


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_members_decode_to_what_zipfile_wrote(method, streamed):
    assert decoded(member(method, streamed=streamed)) == CONTENT
    assert decoded(member(method, streamed=streamed), None) == CONTENT
    codec = numcodecs.get_codec({"id": "virtualizarr.zip_member"})
    assert bytes(codec.decode(member(method, streamed=streamed))) == CONTENT


def test_a_bomb_is_refused():
    bomb = member(zipfile.ZIP_DEFLATED, content=bytes(50_000_000))
    with pytest.raises(CorruptFileError, match="more than"):
        decoded(bomb, 1000)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda data: data[:20], "cut short"),
        (lambda data: data[:32], "cut short"),
        (lambda data: data[:-5], "cut short"),
        (lambda data: b"xx" + data[2:], "no local header"),
        (lambda data: data[:8] + b"\x0c" + data[9:], "method is 12"),
        (lambda data: data[:6] + b"\x01" + data[7:], "encrypted"),
        (lambda data: data[:14] + b"\0\0\0\0" + data[18:], "checksum"),
    ],
    ids=["header", "name", "data", "signature", "method", "encrypted", "checksum"],
)
def test_broken_members_are_refused(change, reason):
    with pytest.raises(CorruptFileError, match=reason):
        decoded(change(member(zipfile.ZIP_DEFLATED)))


def test_any_changed_byte_is_noticed_or_harmless():
    whole = member(zipfile.ZIP_DEFLATED)
    for at in range(len(whole)):
        damaged = whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1 :]
        try:
            assert decoded(damaged) == CONTENT
        except CorruptFileError:
            continue
    assert zlib.crc32(CONTENT) == struct.unpack_from("<I", whole, 14)[0]
