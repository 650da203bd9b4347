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
DATA_FILE = "OPeNDAP_DMRpp_DATA_ACCESS_URL"
MISSING_DATA = frozenset(
    {"OPeNDAP_DMRpp_MISSING_DATA_ACCESS_URL", "OPeNDAP_DMRpp_SC_DATA_ACCESS_URL"}
)
"""Placeholders for the file, beside the data file, of the variables that Hyrax worked out."""

MISSING_DATA_SUFFIXES = ("_mvs.h5", ".missing")
MAX_LOOKED_FOR = 1000
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:/")


def read_locations(
    url: str, dataset: Dataset, hrefs: Collection[str | None], override: str | None
) -> Reading[Mapping[str | None, Location]]:
    """Return the data file of every href; None stands for the document's own.

    `url` is the canonical URL of the document; `override` is the URL that the caller gives for the
    document's own data file. A round is spent only on paths that may mean two files. Raises
    UnsupportedFeatureError if the document names no file and its name does not tell.
    """
    own = [override] if override is not None else None
    candidates: dict[str | None, list[str]] = {}
    for href in hrefs:
        named = href if href is not None else dataset.href
        if named is None or named in MISSING_DATA or named in (DATA_FILE, dataset.href):
            own = own if own is not None else _own_candidates(url, dataset)
            candidates[href] = _beside(own) if named in MISSING_DATA else own
        else:
            candidates[href] = _candidates(url, named)
    unsure = [each for known in candidates.values() if len(known) > 1 for each in known]
    asked = [*dict.fromkeys(unsure)]
    if len(asked) > MAX_LOOKED_FOR:
        raise UnsupportedFeatureError(
            f"paths that may mean any of {len(asked):,} files; {MAX_LOOKED_FOR:,} are looked for"
        )
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


def _own_candidates(url: str, dataset: Dataset) -> list[str]:
    if dataset.href is None or dataset.href == DATA_FILE or dataset.href in MISSING_DATA:
        return [_sidecar(url, dataset.name)]
    return _candidates(url, dataset.href)


def _beside(own: list[str]) -> list[str]:
    """Return where the variables that Hyrax worked out may lie, given where the data file may."""
    found = [f"{each}{suffix}" for each in own for suffix in MISSING_DATA_SUFFIXES]
    return [*found, found[0]]


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
