"""Names, units and levels against ecCodes, over codes of many centres and tables."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import grib_oracle
from virtualizarr.parsers.grib.concepts import tables, template_of
from virtualizarr.parsers.grib.product import Meaning
from virtualizarr.parsers.grib.product1 import meaning_1
from virtualizarr.parsers.grib.product2 import meaning_2
from virtualizarr.parsers.grib.scan import read_inventory
from virtualizarr.source.memory import BytesSource
from virtualizarr.source.reading import run

pytestmark = pytest.mark.skipif(not grib_oracle.AVAILABLE, reason="ecCodes is not here")

KEYS = ("shortName", "name", "units", "cfVarName", "cfName", "typeOfLevel", "paramId", "stepType")
CENTRES_1 = {98: (1, 128, 140, 228), 7: (2, 129, 130), 78: (2, 201, 203), 85: (1,), 34: (3, 200)}
CENTRES_2 = {98: "ecmf", 7: "kwbc", 78: "edzw", 74: "egrr", 85: "lfpw", 34: "rjtd", 54: "cwao"}
LEVELS_1 = (1, 100, 102, 103, 105, 109, 111, 112, 116, 200, 101, 8)
LEVELS_2 = (1, 100, 103, 8, 10, 101, 106, 255, 160, 4)


def small(edition: int, **keys: Any) -> bytearray:
    return bytearray(
        grib_oracle.message(
            f"regular_ll_sfc_grib{edition}", np.arange(4.0), {"Ni": 2, "Nj": 2, **keys}
        )
    )  # fmt: skip


def of_edition_1(count: int) -> Iterator[bytes]:
    """Yield messages with any parameter, level and kind of step."""
    chance, base = random.Random(1), small(1)
    for centre, versions in CENTRES_1.items():
        for version in versions:
            for _ in range(count):
                data = bytearray(base)
                data[11], data[12], data[16] = version, centre, chance.randrange(256)
                data[17], data[19] = chance.choice(LEVELS_1), chance.choice((2, 10, 100))
                data[26], data[27], data[28] = 0, 6, chance.choice((0, 2, 3, 4, 10))
                yield bytes(data)


def of_edition_2(count: int) -> Iterator[bytes]:
    """Yield messages with parameters that the tables have, with the keys that these ask for."""
    chance, known = random.Random(2), tables(2)
    bases = {n: small(2, productDefinitionTemplateNumber=n) for n in (0, 1, 8, 11)}
    for centre, label in CENTRES_2.items():
        lists = [known.part("names").get(f"grib2{part}", {}) for part in ("", f"/{label}")]
        for entries in lists:
            for code in chance.sample(sorted(entries), min(count, len(entries))):
                template = chance.choice(sorted(bases))
                data = bytearray(bases[template])
                data[6], data[21:23] = int(code.split(".")[0]), centre.to_bytes(2, "big")
                data[25] = chance.choice((4, 15, 28, 34))
                condition = chance.choice(entries[code].split(";")).rpartition(":")[0]
                pairs = [part.split("=") for part in condition.split(",") if part]
                keys = {known.part("keys")[int(key)]: value for key, value in pairs}
                numbers = dict(
                    zip(("parameterCategory", "parameterNumber"), code.split(".")[1:], strict=True)
                )
                level = {"typeOfFirstFixedSurface": str(chance.choice(LEVELS_2))}
                patched(data, template, level | keys | numbers)
                yield bytes(data)


def patched(data: bytearray, template: int, keys: dict[str, str]) -> None:
    at = 16
    while data[at + 4] != 4:
        at += int.from_bytes(data[at : at + 4], "big")
    layout = template_of(template)
    assert layout is not None
    for key, text in keys.items():
        if key in layout.places and text.isdigit():
            place, size, _ = layout.places[key]
            if int(text) < 1 << (8 * size):
                data[at + place : at + place + size] = int(text).to_bytes(size, "big")


def ours(data: bytes) -> Meaning:
    (field,) = run(read_inventory(), BytesSource(data)).fields
    kind = field.kind
    return (meaning_1 if kind.edition == 1 else meaning_2)(kind.header)


def said(meaning: Meaning) -> dict[str, Any]:
    parameter = meaning.parameter
    named = not meaning.variable.startswith("unknown_")
    return {
        "shortName": parameter.short_name,
        "name": parameter.name,
        "units": parameter.units,
        "cfVarName": meaning.variable if named else "unknown",
        "cfName": meaning.cf_name,
        "typeOfLevel": meaning.type_of_level,
        "paramId": parameter.param_id,
        "stepType": meaning.step_type,
    }


@pytest.mark.parametrize("messages", [of_edition_1(40), of_edition_2(40)], ids=["1", "2"])
def test_names_equal_those_of_eccodes(messages: Iterator[bytes]) -> None:
    several = list(messages)
    wrong = []
    for data, known in zip(several, grib_oracle.keys_of_many(several, KEYS), strict=True):
        expected = {
            key: value if value is not None else 0 if key == "paramId" else "unknown"
            for key, value in known.items()
        }
        found = said(ours(data))
        wrong += [
            (key, found[key], expected[key])
            for key in KEYS
            if str(found[key]) != str(expected[key])
        ]  # fmt: skip
    assert len(several) > 300
    assert not wrong
