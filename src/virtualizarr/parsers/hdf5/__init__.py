"""HDF5, and netCDF-4 and MATLAB 7.3 files, which are HDF5 (File Format Specification 4.0).

Shown is what a reader of netCDF-4 shows, with h5py's answers where netCDF-4 has none: dimension
scales name dimensions, netCDF's bookkeeping attributes are hidden, links are followed, values that
the file does not hold are HDF5's own fill value (`_FillValue` is an attribute like any other).
Variable-length strings, references to objects (as their paths) and compact data are kept inline.

Not supported, and refused by the name of the variable: variable-length sequences, references to
regions and attributes, the time datatype, floats that are not IEEE 754 binary16, 32 or 64, integers
of more than 8 bytes, compounds with variable-length members, user-defined links, filters
without a codec, virtual datasets that do not map whole chunks. Named datatypes are not shown: they
hold no data.
"""

from __future__ import annotations

import warnings
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, Literal

from virtualizarr.errors import UnsupportedFeatureError, VirtualizeError
from virtualizarr.model import ManifestGroup
from virtualizarr.parsers.base import CallableParser
from virtualizarr.parsers.hdf5.convert.opening import open_file
from virtualizarr.parsers.hdf5.convert.tree import Refusals, read_node
from virtualizarr.source.reading import Reading

__all__ = ["HDFParser"]

SIGNATURE = b"\x89HDF\r\n\x1a\n"
FIRST_USER_BLOCK = 512  # the smallest size of a user block; others are its doubles


@dataclass(frozen=True)
class HDFParser(CallableParser):
    """Parser of HDF5 and netCDF-4 files.

    `group` is the path of the group to read instead of the whole file. `drop_variables` are names,
    or paths from the file's root, of variables and groups to leave out in every group; they are not
    parsed beyond their header, so a variable that cannot be represented can be left out.
    `errors="skip"` leaves out all that cannot be, with a warning that lists it.
    `reader_factory` and `links_and_references` are accepted for VirtualiZarr 2.x's sake and
    ignored: how bytes are fetched is not the parser's business here, and links are always followed.
    """

    group: str | None = None
    drop_variables: Collection[str] | None = None
    reader_factory: Any = field(default=None, compare=False, repr=False)
    links_and_references: bool = field(default=False, compare=False, repr=False)
    errors: Literal["raise", "skip"] = "raise"

    @property
    def name(self) -> str:
        return "hdf5"

    @property
    def suffixes(self) -> tuple[str, ...]:
        return (
            *(".nc", ".nc4", ".cdf", ".netcdf", ".h5", ".hdf5", ".hdf", ".he5"),
            *(".h5ad", ".hdf_aux", ".jld2", ".loom", ".mat", ".nxs", ".nexus", ".s5p"),
        )

    def sniff(self, head: bytes | memoryview, url: str) -> bool:
        """Say whether an HDF5 signature stands at byte 0, 512, 1024, 2048, ... of `head`."""
        del url
        at = 0
        while at + len(SIGNATURE) <= len(head):
            if bytes(head[at : at + len(SIGNATURE)]) == SIGNATURE:
                return True
            at = max(FIRST_USER_BLOCK, 2 * at)
        return False

    def parse(self, url: str) -> Reading[ManifestGroup]:
        """Read the file; see the module for what is shown."""
        file = yield from open_file(url, self._path, ())
        drop = () if self.drop_variables is None else self.drop_variables
        skipped: list[VirtualizeError] | None = [] if self.errors == "skip" else None
        node = yield from read_node(
            file, [drop] if isinstance(drop, str) else drop, Refusals(skipped)
        )
        if not isinstance(node, ManifestGroup):
            raise UnsupportedFeatureError("is a dataset, not a group", node=self._path)
        if skipped:
            reasons = "; ".join(f"{error.node}: {error.reason}" for error in skipped)
            warnings.warn(f"{url}: {len(skipped)} left out: {reasons}", stacklevel=2)
        return node

    @property
    def _path(self) -> str:
        return "/" + ("" if self.group is None else self.group.strip("/"))
