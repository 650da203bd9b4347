"""Time bounds: they are read with the units and calendar of the variable that names them.

CF Conventions 1.12, section 7.1: a boundary variable may leave out the attributes of its parent.
Alone, a virtual boundary variable would then lose what its numbers mean as soon as its parent is
loaded and decoded, so it is given them, and files with different epochs are not joined by mistake.
The standard calendar is given too where nothing names one: a parent that was decoded is written in
a calendar of xarray's choice, which would else become that of the bounds.
"""

from __future__ import annotations

from collections.abc import Mapping

import xarray as xr

from virtualizarr.datasets.variable import manifest_array

TIME_ATTRIBUTES = ("units", "calendar")
STANDARD = "standard"
"""The calendar of times that name none (CF Conventions 1.12, section 4.4.1)."""


def with_bounds_attributes(
    virtual: dict[str, xr.Variable], loaded: Mapping[str, xr.Variable]
) -> dict[str, xr.Variable]:
    """Return `virtual` with the time units and calendar that its bounds variables inherit.

    A decoded parent, in `loaded`, has them in its encoding.
    """
    found = dict(virtual)
    for parent in (*virtual.values(), *loaded.values()):
        bounds = parent.attrs.get("bounds")
        if not isinstance(bounds, str) or bounds not in found:
            continue
        known = {"calendar": STANDARD, **parent.encoding, **parent.attrs}
        if "since" not in str(known.get("units", "")):
            continue
        missing = {
            name: known[name]
            for name in TIME_ATTRIBUTES
            if name in known and name not in found[bounds].attrs
        }
        if missing:
            found[bounds] = _with_attributes(found[bounds], missing)
    return found


def _with_attributes(variable: xr.Variable, added: Mapping[str, object]) -> xr.Variable:
    array = manifest_array(variable)
    if array is None:
        return variable
    attributes = {**array.metadata.attributes, **added}
    replaced = array.described(array.metadata.replace(attributes=attributes))
    return type(variable)(
        variable.dims, replaced, {**variable.attrs, **added}, variable.encoding, fastpath=True
    )
