"""Make the name tables of the GRIB parser from ecCodes' definition files.

    python scripts/grib_tables.py DEFINITIONS TARGET

DEFINITIONS is the `definitions` folder of ecCodes (Apache License 2.0, (C) Copyright 2005- ECMWF);
TARGET is `src/virtualizarr/parsers/grib/tables`. Written is one xz-compressed JSON an edition:

- `keys`: the names of the keys that conditions are about;
- `parameters`: columns shortName, name, units, paramId, each one text of lines;
- `names`: by list ("grib2", "grib2/kwbc", "grib2/ecmf.lte33", ...) and by code ("0.1.52" or, in
  edition 1, "128.167"): entries "key=value,key=value:parameter" joined by ";", in the order of the
  definition files, keys and parameters by number, "m" for missing;
- `levels`, `steps`, `cfVarName`, `cfName`, `switch`: other concepts, as [condition, text] pairs, a
  condition being [key, value, key, value, ...] with null for missing;
- `templates` (edition 2): where the keys lie in section 4: {template: "key offset size sign\n..."};
- `centres`: {number: [abbreviation, description]}; `surfaces` (edition 2): units in table 4.5;
- `classes` and `types`: MARS' numbers to abbreviations.
"""

from __future__ import annotations

import json
import lzma
import re
import sys
from pathlib import Path
from typing import Any

NOTICE = (
    "Derived from the definition files of ecCodes, (C) Copyright 2005- ECMWF, licensed under the "
    "Apache License, Version 2.0"
)
ENTRY = re.compile(r"""(?:'([^']*)'|"([^"]*)"|(-?\d+|[A-Za-z]\w*))\s*=\s*\{([^}]*)\}""")
FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "dict_size": 1 << 21}]
"""A reader needs as much memory as the dictionary has, by default 64 MiB."""

CODES = {
    "grib1": ("table2Version", "indicatorOfParameter"),
    "grib2": ("discipline", "parameterCategory", "parameterNumber"),
}
SIZED = re.compile(
    r"""^\s*(?:include|template)\s+"?(?P<file>[^"\s]+\.def)"""
    r"""|^\s*(?P<kind>unsigned|signed|codetable|flags|byte|pad|ksec1expver)\s*"""
    r"""\[(?P<size>\d+)\]\s*(?P<key>\w+)"""
    r"""|^\s*(?P<float>ieeefloat)\s+(?P<fkey>\w+)"""
    r"""|(?P<list>\blist\s*\()""",
    re.MULTILINE,
)
WHICH = ("First", "Second")
EXTRA_KEYS = {
    *("typeOfGeneratingProcess", "backgroundProcess", "generatingProcessIdentifier"),
    *("indicatorOfUnitForForecastTime", "indicatorOfUnitOfTimeRange", "forecastTime"),
    *(f"typeOf{which}FixedSurface" for which in WHICH),
    *(f"scaleFactorOf{which}FixedSurface" for which in WHICH),
    *(f"scaledValueOf{which}FixedSurface" for which in WHICH),
    *("typeOfEnsembleForecast", "perturbationNumber", "numberOfForecastsInEnsemble"),
    *("derivedForecast", "percentileValue", "probabilityType", "quantileValue"),
    *(f"scaleFactorOf{which}Limit" for which in ("Lower", "Upper")),
    *(f"scaledValueOf{which}Limit" for which in ("Lower", "Upper")),
    *("totalNumberOfQuantiles", "numberOfTimeRanges", "typeOfTimeIncrement"),
    *("indicatorOfUnitForTimeRange", "lengthOfTimeRange", "yearOfEndOfOverallTimeInterval"),
    *("waveDirectionNumber", "waveFrequencyNumber", "typeOfPostProcessing"),
    *("inputProcessIdentifier", "inputOriginatingCentre", "scaleFactorOfCentralWaveNumber"),
}


def entries(path: Path) -> list[tuple[str, tuple[tuple[str, Any], ...]]]:
    """Return the (value, conditions) pairs of a concept file, in order."""
    if not path.exists():
        return []
    lines = path.read_text("utf-8", "replace").split("\n")
    text = "\n".join(line for line in lines if not line.lstrip().startswith("#"))
    found = []
    for match in ENTRY.finditer(text):
        name = next(part for part in match.groups()[:3] if part is not None)
        conditions: list[tuple[str, Any]] = []
        for part in match[4].split(";"):
            if "=" in part:
                key, value = (side.strip().strip("'\"") for side in part.split("=", 1))
                conditions.append((key, constant(value)))
        found.append((name, tuple(conditions)))
    return found


def constant(text: str) -> Any:
    """Return a condition's value: an int, None for "missing", a list, or text."""
    if text == "missing()":
        return None
    if re.fullmatch(r"-?\d+", text):
        return int(text)
    if text.startswith("["):
        return tuple(int(part) for part in text.strip("[]").split(","))
    return text


class Writer:
    """Gathers the tables of one edition."""

    def __init__(self, folder: Path, edition: str) -> None:
        self.folder, self.edition = folder, edition
        self.keys: list[str] = []
        self.parameters: dict[tuple[Any, ...], int] = {}

    def flat(
        self, conditions: tuple[tuple[str, Any], ...], without: tuple[str, ...] = ()
    ) -> list[Any]:
        out: list[Any] = []
        for key, value in conditions:
            if key in without:
                continue
            if key not in self.keys:
                self.keys.append(key)
            out += [self.keys.index(key), value]
        return out

    def folders(self) -> list[tuple[str, Path]]:
        local = sorted((self.folder / self.edition / "localConcepts").iterdir())
        return [(self.edition, self.folder / self.edition)] + [
            (f"{self.edition}/{path.name}", path) for path in local
        ]

    def names(self) -> dict[str, Any]:
        """Return the parameter lists by code."""
        lists: dict[str, Any] = {}
        for label, path in self.folders():
            for variant in ("", ".lte33", ".legacy", ".chemsplit"):
                columns = [
                    entries(path / f"{kind}{variant}.def")
                    for kind in ("shortName", "name", "units", "paramId")
                ]
                if not columns[0]:
                    continue
                known = [
                    {tuple(sorted(c, key=str)): n for n, c in column} for column in columns[1:]
                ]
                table: dict[str, list[Any]] = {}
                aligned = all(
                    [c for _, c in column] == [c for _, c in columns[0]] for column in columns[1:]
                )
                for i, (short, conditions) in enumerate(columns[0]):
                    rest = (
                        [column[i][0] for column in columns[1:]]
                        if aligned
                        else [
                            other.get(tuple(sorted(conditions, key=str)), "unknown")
                            for other in known
                        ]
                    )
                    number = int(rest[2]) if re.fullmatch(r"\d+", rest[2]) else 0
                    parameter = (short, rest[0], rest[1], number)
                    index = self.parameters.setdefault(parameter, len(self.parameters))
                    values = dict(conditions)
                    codes = CODES[self.edition]
                    if not values.keys() >= set(codes):
                        print("left out:", label, short, conditions, file=sys.stderr)
                        continue
                    code = ".".join(str(values[key]) for key in codes)
                    table.setdefault(code, []).append([self.flat(conditions, codes), index])
                lists[f"{label}{variant}"] = table
        return self.packed(lists)

    def packed(self, lists: dict[str, Any]) -> dict[str, Any]:
        """Number the parameters by their paramId and write entries as text."""
        order = sorted(self.parameters, key=lambda parameter: (parameter[3], parameter[::-1]))
        number = {self.parameters[parameter]: i for i, parameter in enumerate(order)}
        self.parameters = {parameter: i for i, parameter in enumerate(order)}
        return {
            label: {
                code: ";".join(f"{written(flat)}:{number[index]}" for flat, index in pairs)
                for code, pairs in table.items()
            }
            for label, table in lists.items()
        }

    def concept(self, *files: str) -> dict[str, Any]:
        """Return a concept's [condition, value] pairs by list."""
        found = {}
        for label, path in self.folders():
            pairs = [
                [self.flat(expanded), name]
                for file in files
                for name, conditions in entries(path / file)
                if ("dummy", 0) not in conditions
                for expanded in alternatives(conditions)
            ]
            if pairs:
                found[label] = pairs
        return found


def written(flat: list[Any]) -> str:
    """Write a condition as text."""
    pairs = zip(flat[::2], flat[1::2], strict=True)
    return ",".join(f"{key}={'m' if value is None else scalar(value)}" for key, value in pairs)


def scalar(value: Any) -> str:
    return "/".join(map(str, value)) if isinstance(value, tuple) else str(value)


def alternatives(conditions: tuple[tuple[str, Any], ...]) -> list[tuple[tuple[str, Any], ...]]:
    """Spell out `true = is_one_of(key, a, b)`."""
    found: list[tuple[tuple[str, Any], ...]] = [()]
    for key, value in conditions:
        if isinstance(value, str) and value.startswith("is_one_of("):
            name, *options = value.removeprefix("is_one_of(").rstrip(")").split(",")
            found = [(*each, (name, int(option))) for each in found for option in options]
        elif key not in ("dummy", "dummyc", "true"):
            found = [(*each, (key, value)) for each in found]
    return found


def layout(folder: Path, number: int, wanted: set[str]) -> dict[str, list[int]]:
    """Return where the wanted keys of a product definition template lie in section 4."""
    found: dict[str, list[int]] = {}
    end = walk(folder, f"grib2/templates/template.4.{number}.def", 9, found, [])
    del end
    return {key: place for key, place in found.items() if key in wanted}


def walk(folder: Path, file: str, at: int, found: dict[str, list[int]], lists: list[str]) -> int:
    path = folder / file
    if not path.exists():
        return at
    text = re.sub(r"#.*", "", path.read_text())
    for match in SIZED.finditer(text):
        if lists and not match["list"]:
            if match["key"] and match["key"] not in found and len(lists) == 1:
                found[match["key"]] = [at, int(match["size"]), int(match["kind"] == "signed")]
                at += int(match["size"])
            continue
        if match["file"]:
            if not match["file"].startswith("grib2/templates"):
                continue
            at = walk(folder, match["file"], at, found, lists)
        elif match["list"]:
            lists.append(file)
        else:
            size = int(match["size"]) if match["size"] else 4
            found.setdefault(
                match["key"] or match["fkey"], [at, size, int(match["kind"] == "signed")]
            )
            at += size
    return at


def placed(places: dict[str, list[int]]) -> str:
    """Write where keys lie as text."""
    return "\n".join(" ".join(map(str, (key, *place))) for key, place in places.items())


def table_rows(path: Path) -> dict[str, list[str]]:
    rows = {}
    for line in path.read_text("utf-8", "replace").split("\n"):
        parts = line.split(maxsplit=2)
        if len(parts) == 3 and parts[0].isdigit():
            rows[parts[0]] = [parts[1], parts[2]]
    return rows


def main(definitions: Path, target: Path) -> None:
    for edition in ("grib1", "grib2"):
        writer = Writer(definitions, edition)
        document: dict[str, Any] = {"notice": NOTICE, "names": writer.names()}
        document["cfVarName"] = writer.concept("cfVarName.def")
        document["cfName"] = writer.concept("cfName.def")
        if edition == "grib1":
            document["levels"] = writer.concept("typeOfLevel.def")
            document["steps"] = writer.concept("stepType.def")
            document["centres"] = table_rows(definitions / "common/c-1.table")
        else:
            document["levels"] = writer.concept("typeOfLevelConcept.def")
            document["switch"] = writer.concept("MTG2SwitchConcept.def")
            document["centres"] = table_rows(definitions / "common/c-11.table")
            wanted = set(writer.keys) | EXTRA_KEYS | set(CODES["grib2"])
            numbers = sorted(
                int(path.name.split(".")[2])
                for path in (definitions / "grib2/templates").glob("template.4.*.def")
                if path.name.split(".")[2].isdigit()
            )
            document["templates"] = {
                str(n): placed(layout(definitions, n, wanted)) for n in numbers
            }
            units = (definitions / "grib2/tables/35/4.5.table").read_text()
            document["surfaces"] = {
                m[1]: m[2] for m in re.finditer(r"^(\d+) \S+ .*\((.+)\)\s*$", units, re.MULTILINE)
            }
        document["types"] = {
            k: v[0] for k, v in table_rows(definitions / "mars/type.table").items()
        }
        document["keys"] = writer.keys
        columns = zip(*writer.parameters, strict=True)
        document["parameters"] = {
            name: "\n".join(map(str, column))
            for name, column in zip(("shortName", "name", "units", "paramId"), columns, strict=True)
        }
        text = json.dumps(document, separators=(",", ":"), ensure_ascii=False)
        packed = lzma.compress(text.encode(), filters=FILTERS)
        (target / f"{edition}.json.xz").write_bytes(packed)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
