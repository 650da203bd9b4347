"""What a parser is."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from virtualizarr.model.group import ManifestGroup
from virtualizarr.source.reading import Reading


@runtime_checkable
class Parser(Protocol):
    """Turns a file's bytes into a `ManifestGroup`, asking for the bytes it needs.

    Implementations are frozen dataclasses whose fields are the parser's options, so that they can be
    compared, printed and sent to other processes.
    """

    @property
    def name(self) -> str:
        """The format's short name, as given to `parser=`."""
        ...

    @property
    def suffixes(self) -> tuple[str, ...]:
        """File name endings, with the dot, that suggest this format where content does not decide."""
        ...

    def sniff(self, head: bytes | memoryview, url: str) -> bool:
        """Say whether a file that starts with `head` (up to 1 MiB) is of this format."""
        ...

    def parse(self, url: str) -> Reading[ManifestGroup]:
        """Read the file. `url` goes into the manifests; its bytes are asked for by yielding."""
        ...
