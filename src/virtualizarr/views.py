"""What layers above make of arrays, groups and stores, callable from here without knowing them.

Models and stores know neither xarray nor the formats that references are written in, yet people
expect `store.to_virtual_dataset()`. Whoever can make a view registers it by name when the package
is imported, as accessors are registered with xarray.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

type View = Callable[..., Any]

_views: dict[str, View] = {}


def register_view(name: str, make: View) -> None:
    """Let `view(name, ...)` call `make`."""
    _views[name] = make


def view(name: str, of: Any, **options: Any) -> Any:
    """Return the view of an array, group or store that was registered under `name`."""
    return _views[name](of, **options)
