"""Fields as columns: which of the distinct meanings each has, when it is, and where it lies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from virtualizarr.parsers.grib.moments import Moments
from virtualizarr.parsers.grib.product import Meaning
from virtualizarr.parsers.grib.times import Int64s

NARROW = 1 << 32

type Lengths = npt.NDArray[np.unsignedinteger[Any]]


@dataclass(frozen=True, slots=True)
class Fields:
    """Fields in the order of the file, a number of each per column.

    `kind` is the place of what a field is among `meanings`, which are in the order in which they
    first come, `moment` the place of its times in `moments`. `message`, `offset` and `length` are
    as in `layout.Field`.
    """

    meanings: Sequence[Meaning]
    moments: Moments
    kind: Int64s
    moment: Int64s
    message: Int64s
    offset: npt.NDArray[np.uint64]
    length: Lengths

    def __len__(self) -> int:
        return len(self.kind)


def narrow(length: Int64s) -> Lengths:
    """Return lengths as uint32 where all of them fit, else as uint64."""
    fits = not len(length) or int(length.max()) < NARROW
    return length.astype(np.uint32 if fits else np.uint64)
