"""What all grids have in common, and the gridded shape of a field."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from virtualizarr.errors import UnsupportedFeatureError

I_NEGATIVE, J_POSITIVE, J_CONSECUTIVE, ALTERNATE = 0x80, 0x40, 0x20, 0x10
"""Flags of the scanning mode (code table 3.4; table 8 of edition 1)."""


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """A grid by ecCodes' names: `kind` is its `gridType`.

    `columns` and `rows` are the points along i and j, None on grids without rows of one length;
    `row_lengths` are then the points of each row, where they are known, and of a grid that does not
    go round the globe `row_circles` those that whole rows would have, of which `row_firsts` is the
    first. Angles in `parameters` are
    in degrees, lengths in metres; `scanning` has the flags of the scanning mode.
    """

    kind: str
    points: int
    columns: int | None
    rows: int | None
    scanning: int
    parameters: Mapping[str, Any]
    row_lengths: npt.NDArray[np.int64] | None = None
    row_circles: npt.NDArray[np.int64] | None = None
    row_firsts: npt.NDArray[np.int64] | None = None

    @property
    def is_gridded(self) -> bool:
        """Whether the points form rows of one length."""
        return self.columns is not None and self.rows is not None

    @property
    def is_spectral(self) -> bool:
        """Whether the values are coefficients of spherical harmonics."""
        return self.kind.endswith("sh")

    @property
    def projection(self) -> str:
        """The kind of grid, whether or not it is cut into modelling subdomains."""
        return self.kind.removesuffix("_lam")

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of a field in the order of its values."""
        if self.columns is None or self.rows is None:
            return (self.points,)
        if self.scanning & J_CONSECUTIVE:
            return (self.columns, self.rows)
        return (self.rows, self.columns)

    @property
    def alternate_row(self) -> int:
        """The length of a row where every second row is stored backwards, else 0."""
        return self.shape[-1] if self.scanning & ALTERNATE and self.is_gridded else 0

    @property
    def label(self) -> str:
        """A name for the grid among others of a file."""
        size = f"{self.columns}x{self.rows}" if self.is_gridded else str(self.points)
        return f"{self.kind}_{size}"


def spectral_grid(kind: str, j: int, k: int, m: int) -> Grid:
    """Return the "grid" of coefficients up to J, K, M; UnsupportedFeatureError if they differ."""
    if not j == k == m:
        raise UnsupportedFeatureError(f"spherical harmonics up to J, K, M = {j}, {k}, {m}")
    return Grid(kind, (j + 1) * (j + 2), None, None, 0, {"J": j, "K": k, "M": m})
