"""The times of fields, worked out once for each distinct moment of a file."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from virtualizarr.errors import VirtualizeError
from virtualizarr.parsers.grib.times import MONTHS, Int64s, instants, no_instant


@dataclass(frozen=True, slots=True)
class Moments:
    """Times in seconds, int64 `(n,)` each, and by their number the errors of those without one.

    `time` is the reference time since 1970, `step` the time from it to the field's (the end of the
    interval of a statistical process), `span` the length of that interval, 0 for an instant.
    """

    time: Int64s
    step: Int64s
    span: Int64s
    errors: Mapping[int, VirtualizeError]


@dataclass(frozen=True, slots=True)
class Steps:
    """How an edition tells steps: in octets, from which `units` takes those that are units of time.

    `step` returns the step and the length of the interval in seconds, for a reference time.
    """

    units: Callable[[bytes], Collection[int]]
    step: Callable[[bytes, int], tuple[int, int]]

    def depend(self, octets: bytes) -> bool:
        """Say whether the step in seconds depends on the time: months and years differ."""
        return any(unit in MONTHS for unit in self.units(octets))


def moments_of(calendar: Int64s, octets: Sequence[bytes], steps: Steps) -> Moments:
    """Return the moments with these reference times and steps.

    `calendar` is as for `times.instants`, a row for each of `octets`, which tell the steps.
    """
    time, known = instants(calendar)
    errors: dict[int, VirtualizeError] = {
        number: no_instant(calendar[number].tolist()) for number in np.flatnonzero(~known).tolist()
    }
    keys: Sequence[bytes | tuple[bytes, int]] = octets
    if any(map(steps.depend, dict.fromkeys(octets))):
        keys = list(zip(octets, np.where(known, time, 0).tolist(), strict=True))
    numbers: dict[bytes | tuple[bytes, int], int] = {}
    codes = [numbers.setdefault(key, len(numbers)) for key in keys]
    told = np.zeros((len(numbers), 2), np.int64)
    failed: dict[int, VirtualizeError] = {}
    for key, number in numbers.items():
        try:
            told[number] = steps.step(*key) if isinstance(key, tuple) else steps.step(key, 0)
        except VirtualizeError as error:
            failed[number] = error
    if failed:
        errors = {i: failed[code] for i, code in enumerate(codes) if code in failed} | errors
    step, span = told[codes].T
    return Moments(time, step, span, errors)
