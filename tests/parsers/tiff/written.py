"""TIFF files written by other libraries, and what we make of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from materialize import tree_values
from virtualizarr.model import ManifestGroup
from virtualizarr.parsers.tiff import TIFFParser
from virtualizarr.source.local import LocalSource
from virtualizarr.source.reading import run


def parse_file(path: Path, **options: Any) -> ManifestGroup:
    """Parse a local file."""
    source = LocalSource(path)
    return run(TIFFParser(**options).parse(source.url), source)


def values(path: Path, **options: Any) -> dict[str, Any]:
    """Return all values of a file by path, decoded by zarr."""
    return tree_values(parse_file(path, **options))


def numbers(shape: tuple[int, ...], dtype: str) -> Any:
    """Return smooth numbers with some noise that use most of the dtype's bits."""
    kind = np.dtype(dtype)
    random = np.random.default_rng(7)
    ramp = np.add.outer(np.arange(shape[-2]), np.arange(shape[-1])) / (shape[-1] + shape[-2])
    real = np.broadcast_to(ramp, shape) + random.random(shape) / 8
    if kind.kind == "c":
        return (real + 1j * real[..., ::-1]).astype(kind)
    if kind.kind == "f":
        return (real * 100 - 50).astype(kind)
    if kind.kind == "b":
        return real > 0.5
    bounds = np.iinfo(kind)
    span = float(bounds.max) - float(bounds.min)
    return (real / 1.2 * span * 0.9 + float(bounds.min)).astype(kind)
