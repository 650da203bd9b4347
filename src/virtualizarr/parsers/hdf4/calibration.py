"""The SD interface's calibration, said as CF says it.

HDF4 (SDsetcal) has `true = scale_factor * (stored - add_offset)`; CF has `true = scale_factor *
stored + add_offset`, under the same names.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

SCALE, OFFSET = "scale_factor", "add_offset"
FILL, OTHER_FILL = "_FillValue", "FillValue_of_other_type"
STORED_OFFSET = "hdf4_add_offset"


def says_cf(attributes: Mapping[str, Any]) -> bool:
    """Say whether a file's attributes claim that it follows CF (or COARDS)."""
    claim = attributes.get("Conventions", "")
    return isinstance(claim, str) and claim.upper().lstrip().startswith(("CF", "COARDS"))


def cf_attributes(attributes: Mapping[str, Any], cf: bool) -> dict[str, Any]:
    """Return a variable's attributes as CF readers understand them.

    Unless the file follows CF (`cf`), an `add_offset` other than 0 is turned into CF's, and kept as
    `hdf4_add_offset`. A text in place of a numeric `_FillValue` cannot mask; it is renamed.
    """
    found = dict(attributes)
    scale, offset = found.get(SCALE, np.float64(1)), found.get(OFFSET)
    numbers = isinstance(scale, np.number) and isinstance(offset, np.number)
    if not cf and numbers and offset != 0:
        found[STORED_OFFSET] = offset
        found[OFFSET] = -np.float64(scale) * np.float64(offset)
    if isinstance(found.get(FILL), str | np.ndarray):
        found[OTHER_FILL] = found.pop(FILL)
    return found
