"""Headers written by hand beside data of counting bytes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

import virtualizarr
from virtualizarr.parsers.base import Parser
from virtualizarr.testing import read_values


def counting(nbytes: int) -> Any:
    """Return bytes that tell where they lie."""
    return (np.arange(nbytes) * 7 % 251).astype(np.uint8)


def write(folder: Path, files: dict[str, str | bytes | Any]) -> Path:
    """Write files, texts and bytes; return the path of the first."""
    for name, content in files.items():
        raw = content.encode("latin-1") if isinstance(content, str) else bytes(content)
        (folder / name).write_bytes(raw)
    return folder / next(iter(files))


def opened(path: Path, parser: Parser | str | None = None) -> Any:
    """Return values and attributes of `band_data`."""
    group = virtualizarr.parse(path, parser=parser)
    return read_values(group)["band_data"], group.arrays["band_data"].metadata.attributes
