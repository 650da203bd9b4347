"""GRIB editions 1 and 2 (WMO Manual on Codes, FM 92).

Read: every grid whose values are points, and coefficients of spherical harmonics, in simple,
complex, spatially differenced, second-order, IEEE, JPEG 2000, PNG, CCSDS, run-length and
logarithmic packing. Refused by name: bi-Fourier coefficients, matrices of values at a point,
predefined grids and bitmaps.

Values are in the order of the message, but for rows that alternate in direction, which are turned
round. Names are those of ecCodes, the arrangement is that of cfgrib, as a tree by type of level and
step. Both are described in `docs/formats/grib.md`.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from virtualizarr.model import Location, ManifestGroup
from virtualizarr.parsers.base import CallableParser
from virtualizarr.parsers.grib.layout import Inventory
from virtualizarr.parsers.grib.repeats import without_repeats
from virtualizarr.parsers.grib.scan import Plan, read_inventory
from virtualizarr.parsers.grib.sidecar import sidecar_urls
from virtualizarr.parsers.grib.tree import Options, build
from virtualizarr.source.reading import Reading, Stat
from virtualizarr.source.urls import normalize_url, split_url

SNIFFED = 4096
_START = re.compile(rb"GRIB(?:...[\x01]\x00|\x00\x00.\x02|\xff\xff.\x02)", re.DOTALL)

__all__ = ["GRIBParser"]


@dataclass(frozen=True)
class GRIBParser(CallableParser):
    """Reads GRIB files of both editions, as a tree of `/{typeOfLevel}/{stepType}`.

    `tree=False` gives one group instead, where names allow it. `filter_by_keys` keeps the fields
    whose keys have these values (or one of them, for a collection), as in cfgrib. `dtype` is that
    of the decoded values, "float32" or "float64". `squeeze` makes axes of one cell scalar
    coordinates. `errors="skip"` leaves out what cannot be read, with a warning that lists it.
    `drop_variables` are left out by name.

    `sidecar`: whether a large remote file's index (`FILE.idx`, `STEM.index`) is looked for, or the
    URL of one. `probes`: in how many parts at once a large remote file without one is searched for
    messages; None for as many as pay, 0 for none, which reads the least bytes in the most rounds.
    """

    tree: bool = True
    filter_by_keys: Mapping[str, Any] | None = None
    dtype: Literal["float32", "float64"] = "float32"
    squeeze: bool = False
    errors: Literal["raise", "skip"] = "raise"
    drop_variables: Collection[str] = ()
    sidecar: bool | str = True
    probes: int | None = None
    group: str | None = None
    reader_options: Mapping[str, Any] | None = None

    @property
    def name(self) -> str:
        return "grib"

    @property
    def suffixes(self) -> tuple[str, ...]:
        return (".grib", ".grib2", ".grb", ".grb2", ".gb2", ".grib1", ".gb1")

    def sniff(self, head: bytes | memoryview, url: str) -> bool:
        """Say whether a message begins in the first bytes of `head`."""
        del url
        return _START.search(bytes(head[:SNIFFED])) is not None

    def parse(self, url: str) -> Reading[ManifestGroup]:
        """Read all headers.

        Raises CorruptFileError for broken messages, UnsupportedFeatureError for what cannot be
        represented, naming the byte where the message begins.
        """
        skip = self.errors == "skip"
        inventory = yield from read_inventory(skip, self._plan(url))
        yield from without_repeats(inventory)
        (facts,) = yield [Stat()]
        location = Location(url, facts.size, facts.etag, facts.last_modified)
        return self._build(inventory, location)

    def _plan(self, url: str) -> Plan:
        """Say how the file is read; of a local one, where a round costs nothing, piece by piece."""
        named = (normalize_url(self.sidecar),) if isinstance(self.sidecar, str) else ()
        if split_url(url).scheme == "file":
            return Plan(named, probes=0, whole=True)
        guesses = sidecar_urls(url) if self.sidecar is True else ()
        return Plan(named, tuple(guesses), self.probes)

    def _build(self, inventory: Inventory, location: Location) -> ManifestGroup:
        skipped = list(inventory.skipped)
        options = Options(
            tree=self.tree,
            filter_by_keys=self.filter_by_keys if self.filter_by_keys is not None else {},
            dtype=self.dtype,
            squeeze=self.squeeze,
            drop_variables=frozenset(self.drop_variables),
            skipped=skipped if self.errors == "skip" else None,
        )
        group = build(inventory, location, options)
        if skipped:
            warnings.warn(
                f"{location.url}: {len(skipped)} fields or messages were left out: "
                + "; ".join(skipped[:10]),
                stacklevel=2,
            )
        return group
