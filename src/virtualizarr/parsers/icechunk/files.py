"""The files of an Icechunk repository: their header, their names, and their compression.

Specification: "Icechunk specification", versions 1 and 2, sections "Object ids" and "File layout".
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numcodecs import zstd

from virtualizarr.codecs.bounded import zstd_content_size
from virtualizarr.errors import CorruptFileError, MissingDependencyError, UnsupportedFeatureError

MAGIC = "ICE\N{ICE CUBE}CHUNK".encode()
HEADER = 39
SNAPSHOT, MANIFEST, REPO = 1, 2, 6
MAX_VERSION = 2
UNCOMPRESSED, ZSTD = 0, 1
FREE_BYTES = 16 * 1024 * 1024
MAX_RATIO = 1024
_ALPHABET = np.frombuffer(b"0123456789ABCDEFGHJKMNPQRSTVWXYZ", np.uint8)


def content(data: bytes | memoryview, kind: int) -> bytes:
    """Return what a file of the repository holds, decompressed.

    The header is a magic of 12 bytes, the writer's name in 24, then the versions of the
    specification, the kind of file, and the compression. Raises CorruptFileError, or
    UnsupportedFeatureError for a version that is not known here.
    """
    head = bytes(data[:HEADER])
    if len(head) < HEADER or not head.startswith(MAGIC):
        raise CorruptFileError("this is no file of an Icechunk repository", at=0)
    version, found, compression = head[36], head[37], head[38]
    if version > MAX_VERSION:
        raise UnsupportedFeatureError(f"version {version} of the Icechunk specification")
    if found != kind:
        raise CorruptFileError(f"the file is of kind {found}, not {kind}", at=37)
    body = memoryview(data)[HEADER:]
    if compression == UNCOMPRESSED:
        return bytes(body)
    if compression != ZSTD:
        raise UnsupportedFeatureError(f"compression {compression} of an Icechunk file")
    return _decompressed(body)


def _decompressed(body: memoryview) -> bytes:
    limit = FREE_BYTES + MAX_RATIO * len(body)
    size = zstd_content_size(bytes(body[:18]))
    if size is None:
        zstandard: Any = import_zstandard()
        try:
            data: bytes = zstandard.ZstdDecompressor().stream_reader(body).read(limit + 1)
        except zstandard.ZstdError as error:
            raise CorruptFileError(f"cannot be decompressed: {error}", at=HEADER) from error
        size = len(data)
    elif size <= limit:
        try:
            data = zstd.decompress(body)
        except (RuntimeError, ValueError) as error:
            raise CorruptFileError(f"cannot be decompressed: {error}", at=HEADER) from error
    if size > limit:
        raise CorruptFileError(f"{len(body)} bytes decompress to {size}; that is no metadata")
    return data


def import_zstandard() -> Any:
    """Return the module `zstandard`. Raises MissingDependencyError saying how to install it."""
    try:
        import zstandard
    except ImportError as error:
        raise MissingDependencyError(
            "this Icechunk repository is compressed in a way that needs the package zstandard: "
            'pip install "virtualizarr[icechunk]"'
        ) from error
    return zstandard


def object_name(identity: bytes) -> str:
    """Return the file name of an object id: its bits in Crockford's base 32."""
    return object_names(np.frombuffer(identity, np.uint8)[None, :])[0]


def object_names(identities: npt.NDArray[np.uint8]) -> list[str]:
    """Return the file names of object ids, which are the rows of an array."""
    count, size = identities.shape
    bits = np.unpackbits(identities, axis=1)
    width = -(-size * 8 // 5)
    padded = np.zeros((count, width * 5), np.uint8)
    padded[:, : size * 8] = bits
    digits = padded.reshape(count, width, 5) @ np.array([16, 8, 4, 2, 1], np.uint8)
    text = _ALPHABET[digits].tobytes().decode("ascii")
    return [text[at : at + width] for at in range(0, count * width, width)]
