"""Errors a caller can act on: each says which file, which node, which byte, and what to do.

Code that knows only part of the story raises with what it knows; the boundary that knows the URL
adds it with `located`, so the message a person reads is always complete.
"""

from __future__ import annotations

from typing import Self


class VirtualizeError(Exception):
    """Base of every error this package raises on purpose.

    `url`, `node` (the variable or group) and `at` (the byte offset in the file) are None where they
    are not known.
    """

    def __init__(
        self,
        reason: str,
        *,
        url: str | None = None,
        node: str | None = None,
        at: int | None = None,
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.url = url
        self.node = node
        self.at = at

    def located(
        self, *, url: str | None = None, node: str | None = None, at: int | None = None
    ) -> Self:
        """Return this error with the facts that were missing filled in; known facts stay."""
        self.url = self.url if self.url is not None else url
        self.node = self.node if self.node is not None else node
        self.at = self.at if self.at is not None else at
        return self

    def __str__(self) -> str:
        where = [
            *([self.url] if self.url is not None else []),
            *([f"node {self.node!r}"] if self.node is not None else []),
            *([f"byte {self.at}"] if self.at is not None else []),
        ]
        return f"{', '.join(where)}: {self.reason}" if where else self.reason

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.reason, self.url, self.node, self.at))


def _rebuild(
    kind: type[VirtualizeError], reason: str, url: str | None, node: str | None, at: int | None
) -> VirtualizeError:
    return kind(reason, url=url, node=node, at=at)


class UnknownFormatError(VirtualizeError, ValueError):
    """No parser recognises the content, or the named parser does not exist."""


class CorruptFileError(VirtualizeError, ValueError):
    """The file breaks its own format's rules, or ends too early."""


class UnsupportedFeatureError(VirtualizeError, NotImplementedError):
    """The file is valid, but Zarr, this package or the chosen writer cannot express it."""


class SubChunkIndexingError(UnsupportedFeatureError, ValueError):
    """A selection cuts through chunks of a virtual array, whose bytes cannot be cut."""


class CombineError(VirtualizeError, ValueError):
    """Virtual arrays cannot be joined without wrong values; the message names what differs."""


class NotLoadedError(VirtualizeError, NotImplementedError):
    """The values of a virtual variable were asked for; it holds references, not values."""


class SourceError(VirtualizeError, OSError):
    """Bytes could not be fetched."""


class SourceNotFoundError(SourceError, FileNotFoundError):
    """There is nothing at the URL."""


class SourceIsDirectoryError(SourceError, IsADirectoryError):
    """There is a directory at the URL, where a file is needed."""


class SourcePermissionError(SourceError, PermissionError):
    """The URL exists but may not be read with the credentials at hand."""


class ChangedSourceError(SourceError):
    """The file is not the one that was parsed: its size, etag or modification time differs."""


class AlreadyExistsError(VirtualizeError, FileExistsError):
    """Something is already where a writer is to write, and it was not told to replace it."""


class ForbiddenReferenceError(VirtualizeError, PermissionError):
    """A reference points to a location that its reader has not allowed."""


class MissingDependencyError(VirtualizeError, ImportError):
    """An optional package is needed; the message names the extra that installs it."""
