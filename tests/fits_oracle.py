"""What astropy reads from a FITS file, laid out as our parser lays it out; and the comparison."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits

from virtualizarr.model import ManifestGroup
from virtualizarr.testing import walk_arrays


def names_of(hdus: fits.HDUList) -> list[str]:
    """Return the names of HDUs, worked out from astropy's view."""
    plain = ["PRIMARY" if i == 0 else hdu.name or str(i) for i, hdu in enumerate(hdus)]
    often = Counter(plain)
    return [
        name if often[name] == 1 else f"{name}_{hdu.header.get('EXTVER', 1)}"
        for name, hdu in zip(plain, hdus, strict=True)
    ]


def values_of(path: Path) -> dict[str, Any]:
    """Return every image and column that astropy reads, by path; scaled as astropy scales."""
    found: dict[str, Any] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with fits.open(path, memmap=False) as hdus:
            for name, hdu in zip(names_of(hdus), hdus, strict=True):
                if isinstance(hdu, fits.GroupsHDU):
                    found |= groups_of(name, hdu)
                elif isinstance(hdu, fits.BinTableHDU | fits.TableHDU):
                    for column in hdu.columns:
                        path = f"{name}/{column.name}"
                        try:
                            found |= column_of(path, hdu, column)
                        except UnboundLocalError:  # astropy fails at scaled 64-bit integers
                            stored = np.frombuffer(
                                hdu.data.tobytes(), hdu.data.dtype.newbyteorder(">")
                            )
                            scale, zero = column.bscale or 1, column.bzero or 0
                            found[path] = stored[column.name].astype("f8") * scale + zero
                elif hdu.data is not None:
                    found[name] = np.array(hdu.data)
    return found


def groups_of(name: str, hdu: Any) -> dict[str, Any]:
    if hdu.data is None:
        return {}
    found = {f"{name}/DATA": np.array(hdu.data.data)}
    seen: Counter[str] = Counter()
    for i, parameter in enumerate(hdu.parnames):
        stem = hdu.header[f"PTYPE{i + 1}"].strip()
        seen[stem] += 1
        own = stem if seen[stem] == 1 else f"{stem}_{i + 1}"
        found[f"{name}/{own}"] = np.array(hdu.data.field(parameter))
    return found


def column_of(path: str, hdu: Any, column: Any) -> dict[str, Any]:
    values = hdu.data.field(column.name)
    if not isinstance(column.format, str) or column.format.lstrip("01")[:1] not in ("P", "Q"):
        return {path: np.array(values)}
    kind = column.format.lstrip("01")[1]
    rows = [np.asarray(value) for value in values]
    if kind == "A":
        return {path: np.array(["".join(row.astype(str).ravel().tolist()) for row in rows])}
    joined = np.concatenate([row.ravel() for row in rows]) if rows else np.zeros(0)
    return {path: joined, f"{path}_count": np.array([row.size for row in rows])}


def decoded(values: Any, attributes: Mapping[str, Any], *, masked: bool) -> Any:
    """Apply the CF attributes, in double precision, to scaled or `masked` values."""
    values = np.asarray(values)
    fill = attributes.get("_FillValue")
    scaled = "scale_factor" in attributes or "add_offset" in attributes
    if not scaled and (fill is None or not masked):
        return values
    kind = "c16" if values.dtype.kind == "c" else "f8"
    found = values.astype(kind) * attributes.get("scale_factor", 1.0)
    found = found + attributes.get("add_offset", 0.0)
    if fill is not None:
        found[values == fill] = np.nan
    return found


def same(found: Any, expected: Any, *, exact: bool) -> bool:
    """Say whether values are equal; scaled ones up to what single precision can tell."""
    found, expected = np.asarray(found), np.asarray(expected)
    if expected.dtype.kind in "US":
        texts = np.char.rstrip(found.astype(str)), np.char.rstrip(expected.astype(str))
        return found.shape == expected.shape and bool((texts[0] == texts[1]).all())
    if found.shape != expected.shape:
        return False
    if found.dtype.kind == "c" and expected.dtype.kind == "f":
        found, exact = found.real, False  # astropy drops what is imaginary when it scales
    if exact:
        return bool(np.array_equal(found, expected, equal_nan=expected.dtype.kind in "fc"))
    return bool(np.allclose(found, expected, rtol=1e-6, atol=0, equal_nan=True))


def differences(group: ManifestGroup, found: Mapping[str, Any], path: Path) -> list[str]:
    """Return the paths of arrays that are not what astropy reads."""
    expected = values_of(path)
    attributes = {name: array.metadata.attributes for name, array in walk_arrays(group)}
    wrong = sorted(found.keys() ^ expected.keys())
    for name in found.keys() & expected.keys():
        real = np.asarray(expected[name]).dtype.kind == "f"
        own = decoded(found[name], attributes[name], masked=real)
        exact = "scale_factor" not in attributes[name] and "add_offset" not in attributes[name]
        if not same(own, expected[name], exact=exact):
            wrong.append(name)
    return wrong
