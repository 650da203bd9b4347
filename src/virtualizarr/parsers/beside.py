"""Files that belong together: a header and its data lie side by side under related names."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import quote

from virtualizarr.errors import (
    CorruptFileError,
    SourceIsDirectoryError,
    SourceNotFoundError,
    UnknownFormatError,
    UnsupportedFeatureError,
    VirtualizeError,
)
from virtualizarr.model import Location
from virtualizarr.source.facts import FileFacts
from virtualizarr.source.ranges import ByteRange
from virtualizarr.source.reading import Elsewhere, Reading, Stat

MAX_HEADER = 16 * 1024 * 1024
HEAD = 64 * 1024


class FoundFile(NamedTuple):
    """A file that exists, and its first bytes."""

    url: str
    head: memoryview
    facts: FileFacts

    @property
    def location(self) -> Location:
        facts = self.facts
        return Location(self.url, facts.size, facts.etag, facts.last_modified)


def name_of(url: str) -> str:
    """Return the last part of a URL's path, percent-encoded as it stands, without a query."""
    return url.partition("?")[0].rpartition("/")[2]


def suffix_of(url: str) -> str:
    """Return the ending of a file's name in lower case, with its dot; "" where it has none."""
    stem, dot, ending = name_of(url).rpartition(".")
    return f".{ending.lower()}" if dot and stem else ""


def with_suffix(url: str, suffix: str) -> str:
    """Return the URL with the ending of the file's name replaced; `suffix` may be ""."""
    path, mark, query = url.partition("?")
    folder, slash, name = path.rpartition("/")
    stem, dot, _ = name.rpartition(".")
    return f"{folder}{slash}{stem if dot and stem else name}{suffix}{mark}{query}"


def appended(url: str, suffix: str) -> str:
    """Return the URL with an ending put behind the file's name."""
    path, mark, query = url.partition("?")
    return f"{path}{suffix}{mark}{query}"


def beside(url: str, name: str) -> str:
    """Return the URL of the file that the file at `url` calls `name`, in the same directory.

    Directories in `name` are allowed below it; raises CorruptFileError for names that lead out.
    """
    clean = posixpath.normpath(name.strip().replace("\\", "/"))
    if clean.startswith(("/", "../")) or clean in ("..", ".") or ":" in clean.partition("/")[0]:
        raise CorruptFileError(f"the header names a file outside of its directory: {name!r}")
    path, mark, query = url.partition("?")
    encoded = quote(clean, safe="/!$&'()*+,;=:@~", errors="surrogateescape")
    return f"{path.rpartition('/')[0]}/{encoded}{mark}{query}"


def both_cases(url: str, suffixes: Sequence[str]) -> list[str]:
    """Return URLs with the ending replaced by each of `suffixes`, in lower and in upper case."""
    cases = [case for suffix in suffixes for case in (suffix, suffix.upper())]
    return list(dict.fromkeys(with_suffix(url, suffix) for suffix in cases))


def read_file(url: str, wanted: int = HEAD) -> Reading[FoundFile]:
    """Read the first bytes of a file, and what is known of it."""
    head, facts = yield [ByteRange(0, wanted), Stat()]
    return FoundFile(url, memoryview(head), facts)


def read_location(url: str) -> Reading[Location]:
    """Return the location of another file, with what is known of it.

    Raises SourceNotFoundError that names the file if it is not there.
    """
    (answer,) = yield [Elsewhere(url, read_file(url, 1))]
    return _found(answer, url)


def read_any_case(url: str) -> Reading[Location]:
    """Return the location of a file that a label names, as it is spelled or in another case."""
    path, slash, name = url.rpartition("/")
    spellings = dict.fromkeys((name, name.lower(), name.upper()))
    answers = yield [Elsewhere(f"{path}{slash}{each}", read_file(url, 1)) for each in spellings]
    for each, answer in zip(spellings, answers, strict=True):
        if isinstance(answer, FoundFile):
            return answer._replace(url=f"{path}{slash}{each}").location
    return _found(answers[0], url)


def _found(answer: FoundFile | VirtualizeError, url: str) -> Location:
    if isinstance(answer, SourceNotFoundError | SourceIsDirectoryError):
        raise SourceNotFoundError(
            f"the header names {name_of(url)!r}, which is no file"
        ) from answer
    if isinstance(answer, VirtualizeError):
        raise answer
    return answer.location


def read_whole(
    url: str, what: str, is_header: Callable[[memoryview], bool] = lambda _: True
) -> Reading[FoundFile]:
    """Read a header file to its end; only the first bytes of one that `is_header` denies.

    Raises CorruptFileError that says `what` it is where it is larger than 16 MiB.
    """
    found = yield from read_file(url)
    if len(found.head) < HEAD or not is_header(found.head):
        return found
    size = found.facts.size
    if size is None or size > MAX_HEADER:
        size = MAX_HEADER + 1
    (rest,) = yield [ByteRange(HEAD, size)]
    whole = memoryview(bytes(found.head) + bytes(rest))
    if len(whole) > MAX_HEADER:
        raise CorruptFileError(f"{what} is larger than {MAX_HEADER:,} bytes")
    return FoundFile(url, whole, found.facts)


def existing(urls: Sequence[str], wanted: int = HEAD) -> Reading[list[FoundFile]]:
    """Return those of the files that exist, in one round.

    Stores may refuse to say that there is no file; such a refusal is raised only if none is found.
    """
    answers = yield [Elsewhere(url, read_file(url, wanted)) for url in urls]
    found = [answer for answer in answers if isinstance(answer, FoundFile)]
    absent = (SourceNotFoundError, SourceIsDirectoryError)
    for answer in answers:
        if not found and isinstance(answer, VirtualizeError) and not isinstance(answer, absent):
            raise answer
    return found


def read_header_beside(
    urls: Sequence[str], what: str, is_header: Callable[[memoryview], bool]
) -> Reading[FoundFile]:
    """Return the first of the files that exists and is a header; all are asked for in one round.

    Raises UnknownFormatError that says `what` was looked for under which names.
    """
    for each in (yield from existing(urls)) if urls else ():
        if is_header(each.head):
            return (yield from _to_its_end(each, what))
    looked = f"; {_looked_for(urls)}" if urls else ""
    raise UnknownFormatError(f"there is no {what} in or beside the file{looked}")


@dataclass(frozen=True, slots=True)
class Pair:
    """A header and its data, as messages call them, and how a header is recognised."""

    header: str
    data: str
    is_header: Callable[[memoryview], bool]

    def read(
        self, url: str, headers: Sequence[str], data: Sequence[str]
    ) -> Reading[tuple[FoundFile, FoundFile]]:
        """Return the header, whole, and the data file, of which the one at `url` is given.

        `headers` and `data` are where the other one may be. Two rounds; errors as those of
        `read_whole`, `read_header_beside` and `read_data_beside`.
        """
        given = yield from read_whole(url, f"the {self.header}", self.is_header)
        if self.is_header(given.head):
            return given, (yield from read_data_beside(data, self.data))
        return (yield from read_header_beside(headers, self.header, self.is_header)), given


def read_data_beside(urls: Sequence[str], what: str) -> Reading[FoundFile]:
    """Return the one of the files that exists, with its first 16 bytes.

    Raises UnsupportedFeatureError where it cannot be told which holds the data, SourceNotFoundError
    where none exists.
    """
    found = yield from existing(urls, 16)
    names = {name_of(each.url).lower(): each for each in reversed(found)}
    if len(names) > 1:
        raise UnsupportedFeatureError(
            f"each of {', '.join(sorted(names))} may be the {what} of this header; "
            "give the data file instead of the header"
        )
    if not found:
        raise SourceNotFoundError(f"there is no {what} beside the header; {_looked_for(urls)}")
    return found[0]


def _looked_for(urls: Sequence[str]) -> str:
    return f"looked for: {', '.join(dict.fromkeys(map(name_of, urls)))}"


def _to_its_end(found: FoundFile, what: str) -> Reading[FoundFile]:
    """Return a file whose first bytes are known with all of them."""
    if len(found.head) < HEAD:
        return found
    (whole,) = yield [Elsewhere(found.url, read_whole(found.url, what))]
    if isinstance(whole, VirtualizeError):
        raise whole
    complete: FoundFile = whole
    return complete
