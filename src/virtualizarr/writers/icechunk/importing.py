"""The optional package, imported when it is first needed: that takes most of a second."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from virtualizarr.errors import MissingDependencyError, SourceError, VirtualizeError
from virtualizarr.source.urls import redact

_TRACE = re.compile(r"\x1b\[[0-9;]*m")


def import_icechunk() -> Any:
    """Return the `icechunk` module. Raises MissingDependencyError saying how to install it."""
    try:
        import icechunk
    except ImportError as error:
        raise MissingDependencyError(
            'Icechunk repositories need the package icechunk: pip install "virtualizarr[icechunk]"'
        ) from error
    return icechunk


@contextmanager
def translated(url: str | None = None) -> Iterator[None]:
    """Turn Icechunk's errors into SourceError, without the trace that their messages carry."""
    icechunk = import_icechunk()
    try:
        yield
    except VirtualizeError:
        raise
    except icechunk.IcechunkError as error:
        text = _TRACE.sub("", str(error))
        lines = [line.strip(" x|\u2502\u00d7\u2570\u2500\u25b6") for line in text.splitlines()]
        reason = next((line for line in lines if line), type(error).__name__)
        raise SourceError(f"Icechunk: {redact(reason)}", url=url) from error
