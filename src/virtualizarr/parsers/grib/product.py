"""What each field is, but for its times: parameter, level, member."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from virtualizarr.parsers.grib.concepts import Parameter


class Meaning(NamedTuple):
    """What does not change from one time to the next.

    `level` and `bottom` are in the units that `type_of_level` implies, as ecCodes has them.
    `number` is the ensemble member, None outside ensembles. `kind` tells what is made of members
    or values: "" or words such as "spread" or "prob_above_273.15". `band` is the wavelength or the
    instrument that a field is for, "" for most. `increment` is the type of time increment (code
    table 4.11) of a statistic over time in edition 2.
    """

    edition: int
    parameter: Parameter
    code: str
    cf_name: str
    variable: str
    type_of_level: str
    level: float
    bottom: float
    number: int | None
    total_number: int | None
    kind: str
    band: str
    step_type: str
    process: int
    centre: str
    centre_name: str
    sub_centre: int
    increment: int | None = None


KEYS: Mapping[str, Callable[[Meaning], Any]] = {
    "edition": lambda meaning: meaning.edition,
    "shortName": lambda meaning: meaning.parameter.short_name,
    "name": lambda meaning: meaning.parameter.name,
    "units": lambda meaning: meaning.parameter.units,
    "paramId": lambda meaning: meaning.parameter.param_id,
    "cfName": lambda meaning: meaning.cf_name,
    "cfVarName": lambda meaning: meaning.variable,
    "typeOfLevel": lambda meaning: meaning.type_of_level,
    "level": lambda meaning: meaning.level,
    "topLevel": lambda meaning: meaning.level,
    "bottomLevel": lambda meaning: meaning.bottom,
    "stepType": lambda meaning: meaning.step_type,
    "number": lambda meaning: meaning.number,
    "perturbationNumber": lambda meaning: meaning.number,
    "centre": lambda meaning: meaning.centre,
    "subCentre": lambda meaning: meaning.sub_centre,
    "typeOfGeneratingProcess": lambda meaning: meaning.process,
}
"""Keys that `filter_by_keys` may name, as ecCodes calls them; those of times are not among them."""
