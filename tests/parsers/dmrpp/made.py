"""Documents and data files written by hand, byte for byte."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import zarr

import dmrpp_documents
import virtualizarr
from virtualizarr.model import ManifestArray, ManifestGroup
from virtualizarr.parsers.dmrpp import DMRPPParser
from virtualizarr.source.memory import BytesSource
from virtualizarr.source.reading import run
from virtualizarr.store import ManifestStore

URL = "file:///archive/a.h5.dmrpp"


def parse(body: str, **options: Any) -> ManifestGroup:
    """Parse a document in memory; its data file is not there."""
    parser = options.pop("parser", DMRPPParser())
    url = options.pop("url", URL)
    options.setdefault("href", "a.h5")
    text = dmrpp_documents.document(body, **options)
    return parse_bytes(text.encode(), parser, url)


def parse_bytes(content: bytes, parser: DMRPPParser | None = None, url: str = URL) -> ManifestGroup:
    parser = parser if parser is not None else DMRPPParser()
    return run(parser.parse(url), BytesSource(content, url))


def array(body: str, **options: Any) -> ManifestArray:
    """Parse a document of one variable called `v`."""
    return parse(body, **options).arrays["v"]


def read(folder: Path, data: bytes, body: str, **options: Any) -> dict[str, Any]:
    """Write a document and its data file, and return the values that zarr reads, by name."""
    group = written(folder, data, body, **options)
    root = zarr.open_group(ManifestStore(group), mode="r", zarr_format=3)
    return {path: root[path][...] for path, _ in group.walk_arrays()}


def written(folder: Path, data: bytes, body: str, **options: Any) -> ManifestGroup:
    """Write a document and its data file, and parse them."""
    options.setdefault("href", "a.h5")
    (folder / "a.h5").write_bytes(data)
    document = folder / "a.h5.dmrpp"
    document.write_text(dmrpp_documents.document(body, **options))
    return virtualizarr.parse(document)


def numbers(count: int, kind: str = "<i4") -> np.ndarray[Any, Any]:
    return np.arange(count).astype(kind)


def sizes(*lengths: int) -> str:
    return "".join(f'<Dim size="{length}"/>' for length in lengths)
