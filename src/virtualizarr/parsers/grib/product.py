"""What each field is: parameter, level, times, member."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from virtualizarr.parsers.grib.concepts import Parameter


class Meaning(NamedTuple):
    """What does not change from one time to the next.

    `level` and `bottom` are in the units that `type_of_level` implies, as ecCodes has them.
    `number` is the ensemble member, None outside ensembles. `kind` tells what is made of members
    or values: "" or words such as "spread" or "prob_above_273.15". `band` is the wavelength or the
    instrument that a field is for, "" for most.
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


class Product(NamedTuple):
    """What a field is, with its times in seconds.

    `time` is the reference time since 1970, `step` the time from it to the field's (the end of the
    interval of a statistical process), `span` the length of that interval, 0 for an instant.
    """

    meaning: Meaning
    time: int
    step: int
    span: int


def keys_of(product: Product) -> Mapping[str, Any]:
    """Return the values of the keys that `filter_by_keys` may name, as ecCodes calls them."""
    meaning, parameter = product.meaning, product.meaning.parameter
    return {
        "edition": meaning.edition,
        "shortName": parameter.short_name,
        "name": parameter.name,
        "units": parameter.units,
        "paramId": parameter.param_id,
        "cfName": meaning.cf_name,
        "cfVarName": meaning.variable,
        "typeOfLevel": meaning.type_of_level,
        "level": meaning.level,
        "topLevel": meaning.level,
        "bottomLevel": meaning.bottom,
        "stepType": meaning.step_type,
        "number": meaning.number,
        "perturbationNumber": meaning.number,
        "centre": meaning.centre,
        "subCentre": meaning.sub_centre,
        "typeOfGeneratingProcess": meaning.process,
        "time": product.time,
        "step": product.step / 3600,
        "endStep": product.step / 3600,
    }
