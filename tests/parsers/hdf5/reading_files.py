"""Parses HDF5 files of a test with our parser."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from materialize import values_of
from virtualizarr.model import ManifestGroup
from virtualizarr.parsers.hdf5 import HDFParser
from virtualizarr.source.local import LocalSource
from virtualizarr.source.reading import run
from virtualizarr.source.urls import local_path


def open_local(url: str) -> LocalSource:
    return LocalSource(local_path(url), url)


def parse(path: Path, **options: Any) -> ManifestGroup:
    url = path.as_uri()
    return run(HDFParser(**options).parse(url), open_local(url), open_local)


def value(path: Path, name: str, **options: Any) -> np.ndarray[Any, Any]:
    """Return one variable's values as zarr decodes them."""
    return values_of(parse(path, **options).arrays[name])
