"""Where a store's keys lie: files below a directory, or members of a zip archive."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import quote

import numpy as np
import numpy.typing as npt

from virtualizarr.errors import CorruptFileError
from virtualizarr.model import Location
from virtualizarr.model.metadata import CodecJson
from virtualizarr.parsers.zarr.columns import Int64s, Rows
from virtualizarr.source.directory import FileList
from virtualizarr.source.ranges import ByteRange
from virtualizarr.source.reading import Elsewhere, Reading, Stat

FIRST_READ = 1024 * 1024
_SAFE = "/!$&'()*+,=:@~"

type Found = memoryview | bytes | Exception


class Place(Protocol):
    """A store that was listed: `names` are its keys, sorted."""

    @property
    def names(self) -> Sequence[str]: ...

    def whole(self, names: Sequence[str]) -> Reading[list[Found]]:
        """Return the contents of keys, or for those that cannot be read the error as a value."""
        ...

    def ranges(
        self, which: Int64s, start: Callable[[Int64s], Int64s], size: int
    ) -> Reading[npt.NDArray[np.uint8]]:
        """Return `size` bytes of each of the keys numbered `which`, `(len(which), size)`.

        `start` gives the offsets in the keys from their sizes in bytes. Raises CorruptFileError
        where a key does not hold them.
        """
        ...

    def references(self, which: Int64s, cells: Int64s) -> tuple[Rows, CodecJson | None]:
        """Return references to keys that are chunks, by their numbers and grid positions.

        The second is the codec that the place itself put around the bytes, None without one.
        """
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Folder:
    """The directory or prefix at `url`; `files` is what a listing of it gave."""

    url: str
    files: FileList

    @property
    def names(self) -> Sequence[str]:
        return self.files.names

    def whole(self, names: Sequence[str]) -> Reading[list[Found]]:
        answers = yield [Elsewhere(url, read_whole()) for url in child_urls(self.url, names)]
        return list(answers)

    def ranges(
        self, which: Int64s, start: Callable[[Int64s], Int64s], size: int
    ) -> Reading[npt.NDArray[np.uint8]]:
        sizes = self.files.sizes[which]
        names = [self.names[number] for number in which.tolist()]
        check_sizes(names, sizes, size)
        starts = start(sizes).tolist()
        urls = child_urls(self.url, names)
        requests = [
            Elsewhere(url, _read_range(ByteRange(at, at + size)))
            for url, at in zip(urls, starts, strict=True)
        ]
        answers = yield requests
        for answer in answers:
            if isinstance(answer, Exception):
                raise answer
        return np.frombuffer(b"".join(answers), np.uint8).reshape(len(answers), size)

    def references(self, which: Int64s, cells: Int64s) -> tuple[Rows, CodecJson | None]:
        numbers, files = which.tolist(), self.files
        sizes = files.sizes[which]
        locations = tuple(
            map(
                Location,
                child_urls(self.url, [files.names[number] for number in numbers]),
                sizes.tolist(),
                [files.etags[number] for number in numbers],
                [files.modified[number] for number in numbers],
            )
        )
        codes = np.arange(len(numbers), dtype=np.uint32)
        nothing = np.zeros(len(numbers), np.uint64)
        return Rows(cells, locations, codes, nothing, sizes.astype(np.uint64)), None


def check_sizes(names: Sequence[str], sizes: Int64s, size: int) -> None:
    """Raise CorruptFileError naming the first key that has fewer bytes than `size`."""
    short = sizes < size
    if short.any():
        raise CorruptFileError(f"{names[int(np.argmax(short))]!r} is shorter than {size} bytes")


def child_urls(base: str, names: Sequence[str]) -> list[str]:
    """Return the canonical URLs of names below `base`, percent-encoded all at once."""
    if not names:
        return []
    if any("\n" in name for name in names):
        return [f"{base}/{quote(name, _SAFE, errors='surrogateescape')}" for name in names]
    text = quote("\n".join(names), f"{_SAFE}\n", errors="surrogateescape")
    return [f"{base}/{name}" for name in text.split("\n")]


def read_whole() -> Reading[memoryview | bytes]:
    """Read a file whole: one round for up to `FIRST_READ` bytes, two for more."""
    first, facts = yield [ByteRange(0, FIRST_READ), Stat()]
    if len(first) < FIRST_READ:
        return first  # type: ignore[no-any-return]
    if facts.size is not None:
        del first
        (whole,) = yield [ByteRange(0, facts.size)]
        return whole  # type: ignore[no-any-return]
    pieces, start = [first], FIRST_READ
    while True:
        (piece,) = yield [ByteRange(start, 2 * start)]
        pieces.append(piece)
        if len(piece) < start:
            return b"".join(pieces)
        start = 2 * start


def _read_range(wanted: ByteRange) -> Reading[memoryview]:
    (found,) = yield [wanted]
    if len(found) < wanted.size:
        raise CorruptFileError("the file is shorter than its listing said", at=len(found))
    return found  # type: ignore[no-any-return]
