"""Where the data files lie that a document names.

`dmrpp:href` is a URL, or a path below the data directory of the server that the document was made
for, or a placeholder. A path is looked for below the document's directory and, by its last
component, beside the document; where neither is there (or may not be looked for), the file is
taken to lie beside the document. Whether a file elsewhere may be read is for the reader to say.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Mapping

from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError, VirtualizeError
from virtualizarr.model import Location
from virtualizarr.parsers.dmrpp.layout import Dataset
from virtualizarr.source.facts import FileFacts
from virtualizarr.source.reading import Elsewhere, Reading, Stat
from virtualizarr.source.urls import child_url, normalize_url

SUFFIX = ".dmrpp"
PLACEHOLDER = re.compile(r"OPeNDAP_DMRpp_(?:DATA_ACCESS_URL|SC_DATA_ACCESS_URL)(?:_.*)?")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:/")


def read_locations(
    url: str, dataset: Dataset, hrefs: Collection[str | None], override: str | None
) -> Reading[Mapping[str | None, Location]]:
    """Return the data file of every href; None stands for the document's own.

    `url` is the canonical URL of the document; `override` is the URL that the caller gives for the
    document's own data file. A round is spent only on paths that may mean two files. Raises
    UnsupportedFeatureError if the document names no file and its name does not tell.
    """
    candidates: dict[str | None, list[str]] = {}
    for href in hrefs:
        named = href if href is not None else dataset.href
        if override is not None and named == dataset.href:
            candidates[href] = [override]
        elif named is None or PLACEHOLDER.fullmatch(named):
            candidates[href] = [_sidecar(url, dataset.name)]
        else:
            candidates[href] = _candidates(url, named)
    unsure = [each for known in candidates.values() if len(known) > 1 for each in known]
    asked = [*dict.fromkeys(unsure)]
    answers = (yield [Elsewhere(each, _stat()) for each in asked]) if asked else []
    there = {
        each: answer
        for each, answer in zip(asked, answers, strict=True)
        if not isinstance(answer, VirtualizeError)
    }
    return {href: _location(known, there) for href, known in candidates.items()}


def _location(candidates: list[str], there: Mapping[str, FileFacts]) -> Location:
    """Return the first file that is there, else the last that it may be."""
    found = next((each for each in candidates if each in there), candidates[-1])
    facts = there.get(found, FileFacts())
    return Location(found, facts.size, facts.etag, facts.last_modified)


def _stat() -> Reading[FileFacts]:
    (facts,) = yield [Stat()]
    return facts  # type: ignore[no-any-return]


def _candidates(url: str, href: str) -> list[str]:
    if _SCHEME.match(href):
        return [_canonical(href)]
    path = href.partition("?")[0]
    directory = url.partition("?")[0].rpartition("/")[0]
    name = posixpath.basename(path)
    if not name:
        raise CorruptFileError(f"dmrpp:href {href!r} names no file")
    beside = child_url(directory, name)
    if path == name:
        return [beside]
    scheme, _, below = child_url(directory, path.lstrip("/")).partition("://")
    whole = posixpath.normpath(below)
    if not whole.startswith(f"{below.partition('/')[0]}/"):
        raise CorruptFileError(f"dmrpp:href {href!r} climbs out of where the document lies")
    found = f"{scheme}://{whole}"
    return [beside, found, beside] if found != beside else [beside]


def _canonical(href: str) -> str:
    try:
        return normalize_url(href)
    except UnsupportedFeatureError:
        raise
    except VirtualizeError as error:
        raise CorruptFileError(f"dmrpp:href cannot be followed: {error.reason}") from error


def _sidecar(url: str, name: str) -> str:
    """Return the file that a document lies beside: it is called `<file>.dmrpp`, or tells `name`."""
    path, mark, query = url.partition("?") if url.startswith("http") else (url, "", "")
    if path.lower().endswith(SUFFIX):
        return f"{path[: -len(SUFFIX)]}{mark}{query}"
    last = posixpath.basename(name)
    if not last:
        raise UnsupportedFeatureError(
            "the document does not name its data file, and is not called <file>.dmrpp; say where"
            " it is with DMRPPParser(data_url=...)"
        )
    return child_url(path.rpartition("/")[0], last)
