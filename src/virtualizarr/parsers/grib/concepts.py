"""What codes mean: names, units, levels and kinds of steps, as ecCodes' concepts have them.

A concept is a list of conditions on keys; the one that holds with the most keys wins, of equals
the last. A centre's own list comes before the common one. The tables are made by
`scripts/grib_tables.py` from ecCodes' definition files (Apache License 2.0, (C) ECMWF).
"""

from __future__ import annotations

import json
import lzma
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any, NamedTuple

UNKNOWN = "unknown"

_CODE = ("discipline", "parameterCategory", "parameterNumber")
LEADING = {
    **{("grib2", name): _CODE for name in ("cfVarName", "cfName")},
    ("grib2", "levels"): ("typeOfFirstFixedSurface",),
    **{
        ("grib1", name): ("table2Version", "indicatorOfParameter")
        for name in ("cfVarName", "cfName")
    },
    ("grib1", "levels"): ("indicatorOfTypeOfLevel",),
}
"""Keys that nearly all conditions of a concept are about, by which they are looked up."""

type Condition = tuple[tuple[str, Any], ...]
type Lookup = Callable[[str], Any]


class Parameter(NamedTuple):
    """What a field is of; `UNKNOWN` and 0 where no table tells."""

    short_name: str
    name: str
    units: str
    param_id: int


NO_PARAMETER = Parameter(UNKNOWN, UNKNOWN, UNKNOWN, 0)


class Tables:
    """The tables of one edition, read when they are first needed."""

    def __init__(self, edition: int) -> None:
        folder = files("virtualizarr.parsers.grib") / "tables"
        packed = (folder / f"grib{edition}.json.xz").read_bytes()
        self._document: dict[str, Any] = json.loads(lzma.decompress(packed))
        self._root = f"grib{edition}"
        self._keys: list[str] = self._document["keys"]
        self._names: dict[str, dict[str, str]] = self._document["names"]
        columns = self._document["parameters"]
        self._columns = [columns[name].split("\n") for name in ("shortName", "name", "units")]
        self._ids = columns["paramId"].split("\n")
        self._entries: dict[tuple[str, str], list[tuple[Condition, int]]] = {}
        self._concepts: dict[tuple[str, str], dict[Any, list[tuple[int, Any]]]] = {}

    def part(self, name: str) -> Any:
        """Return one of the plain tables: "centres", "surfaces", "types", "templates"."""
        return self._document[name]

    def parameter(self, lists: Sequence[str], code: str, value: Lookup) -> Parameter:
        """Return the parameter with a code such as "0.1.8" from the first list that has it.

        `lists` are names of local lists, "" for the common one alone; ".lte33" and ".legacy" at
        their end choose a variant of both. `value` gives a key's value.
        """
        for label in lists:
            local, _, variant = label.partition(".")
            suffix = f".{variant}" if variant else ""
            places = [f"{self._root}/{local}{suffix}", f"{self._root}{suffix}"]
            found = best([*self._of_code(places[0], code), *self._of_code(places[1], code)], value)
            if found is not None:
                short, name, units = (column[found] for column in self._columns)
                return Parameter(short, name, units, int(self._ids[found]))
        return NO_PARAMETER

    def concept(self, name: str, local: Iterable[str], value: Lookup) -> str | None:
        """Return the value of a concept from the first local list (with the common one), or None.

        `name` is "levels", "steps", "cfVarName", "cfName" or "switch".
        """
        for label in local:
            pairs = [
                *self._of_concept(name, f"{self._root}/{label}", value),
                *self._of_concept(name, self._root, value),
            ]
            found = best(pairs, value)
            if found is not None:
                return found
        return None

    def _of_code(self, place: str, code: str) -> list[tuple[Condition, int]]:
        known = self._entries.get((place, code))
        if known is None:
            text = self._names.get(place, {}).get(code, "")
            known = [self._entry(part) for part in text.split(";")] if text else []
            self._entries[place, code] = known
        return known

    def _entry(self, text: str) -> tuple[Condition, int]:
        condition, _, number = text.rpartition(":")
        pairs = [part.split("=") for part in condition.split(",") if part]
        return tuple((self._keys[int(key)], _constant(value)) for key, value in pairs), int(number)

    def _of_concept(self, name: str, place: str, value: Lookup) -> list[tuple[Condition, str]]:
        """Return the entries of one list that the leading keys do not rule out, in order."""
        index = self._concepts.get((name, place))
        if index is None:
            index = self._concepts[name, place] = self._indexed(name, place)
        exact = index.get(tuple([value(key) for key in LEADING.get((self._root, name), ())]), ())
        rest = index.get(None, ())
        if not exact or not rest:
            return [entry for _, entry in (exact if exact else rest)]
        return [entry for _, entry in sorted([*exact, *rest], key=lambda row: row[0])]

    def _indexed(self, name: str, place: str) -> dict[Any, list[tuple[int, Any]]]:
        leading = LEADING.get((self._root, name), ())
        index: dict[Any, list[tuple[int, Any]]] = {}
        for i, (flat, text) in enumerate(self._document[name].get(place, [])):
            pairs = zip(flat[::2], flat[1::2], strict=True)
            condition = tuple((self._keys[key], wanted) for key, wanted in pairs)
            known = dict(condition)
            lead = tuple(known[key] for key in leading) if known.keys() >= set(leading) else None
            index.setdefault(lead, []).append((i, (condition, text)))
        return index


def best[T](entries: Iterable[tuple[Condition, T]], value: Lookup) -> T | None:
    """Return what the fullest condition that holds stands for, of equals the last."""
    found, most = None, -1
    for condition, result in entries:
        if len(condition) < most:
            continue
        for key, wanted in condition:
            if value(key) != wanted:
                break
        else:
            found, most = result, len(condition)
    return found


@lru_cache(maxsize=2)
def tables(edition: int) -> Tables:
    """Return the tables of an edition."""
    return Tables(edition)


def cf_variable_name(short_name: str, param_id: int) -> str:
    """Return the name of a variable where no concept gives one: digits in front go to the end."""
    if short_name == "~":
        return f"p{param_id}"
    match = re.fullmatch(r"(\d+)(\D.*)", short_name)
    return match[2] + match[1] if match is not None else short_name


def _constant(text: str) -> Any:
    if text == "m":
        return None
    if re.fullmatch(r"-?\d+", text):
        return int(text)
    if re.fullmatch(r"\d+(/\d+)+", text):
        return tuple(map(int, text.split("/")))
    return text


@dataclass(frozen=True, slots=True)
class Template:
    """Where the keys of a product definition template lie in section 4.

    `places` gives, by key, the offset in the section, the size in octets, and 1 if it is signed.
    `forecast_time`, `interval_end` and `ranges` are offsets, None where the template has no such
    part; `octets` is how long the section is at least, `time_octets` the forecast time.
    """

    places: Mapping[str, tuple[int, int, int]]
    forecast_time: int | None
    interval_end: int | None
    ranges: int | None
    octets: int
    time_octets: int = 4


@lru_cache(maxsize=512)
def template_of(number: int) -> Template | None:
    """Return a product definition template of edition 2; None for one that is not known."""
    text = tables(2).part("templates").get(str(number))
    if text is None:
        return None
    places: dict[str, tuple[int, int, int]] = {}
    for line in text.split("\n"):
        key, at, size, sign = line.split()
        places[key] = (int(at), int(size), int(sign))
    return laid_out(places)


def laid_out(places: Mapping[str, tuple[int, int, int]]) -> Template:
    """Return the template whose keys lie at these places."""
    offset = {key: at for key, (at, _, _) in places.items()}
    return Template(
        places,
        offset.get("forecastTime"),
        offset.get("yearOfEndOfOverallTimeInterval"),
        offset.get("typeOfStatisticalProcessing"),
        max(at + size for at, size, _ in places.values()),
    )
