"""The checksum of HDF5's newer metadata: Bob Jenkins' lookup3 (`hashlittle`, initial value 0)."""

from __future__ import annotations

from numcodecs.jenkins import jenkins_lookup3

from virtualizarr.errors import CorruptFileError


def lookup3(data: bytes) -> int:
    """Return the hash of `data`."""
    return int(jenkins_lookup3(data))


def check_lookup3(block: bytes, what: str, at: int | None) -> None:
    """Raise CorruptFileError unless the last four bytes are the checksum of those before."""
    stored, computed = int.from_bytes(block[-4:], "little"), lookup3(block[:-4])
    if stored != computed:
        raise CorruptFileError(
            f"checksum of {what} is {stored:#010x}, its bytes give {computed:#010x}", at=at
        )
