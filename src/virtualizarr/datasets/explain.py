"""Which variable and which file it was that could not be combined."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from virtualizarr.datasets.variable import manifest_array
from virtualizarr.errors import CombineError
from virtualizarr.model import ManifestArray


def named(error: CombineError, datasets: Sequence[tuple[str, xr.Dataset]]) -> CombineError:
    """Return `error` with the variable and the two files that it is about, where they are found.

    `datasets` are those that were being combined, with their URLs. Each is compared with the first
    that has the variable.
    """
    firsts: dict[str, tuple[str, ManifestArray]] = {}
    for url, dataset in datasets:
        for name, variable in dataset.variables.items():
            array = manifest_array(variable)
            if array is None:
                continue
            first_url, first = firsts.setdefault(str(name), (url, array))
            found = None if first is array else _conflict(first, array)
            if found is not None:
                return CombineError(
                    f"{found.reason} (compared with {first_url})", url=url, node=str(name)
                )
    return error


def _conflict(first: ManifestArray, other: ManifestArray) -> CombineError | None:
    """Return why two arrays cannot be joined along any axis; None if they can."""
    found: CombineError | None = None
    for axis in range(first.ndim):
        try:
            np.concatenate([first, other], axis=axis)  # type: ignore[arg-type, call-overload, unused-ignore]
        except CombineError as error:
            found = found if found is not None else error
        else:
            return None
    return found
