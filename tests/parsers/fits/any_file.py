"""FITS files of random make, by a seed: what astropy writes when its options are mixed."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits

from random_files import Rng, often, pick, write_by_seeds

type Values = np.ndarray[Any, Any]

IMAGES = ("u1", "i2", "i4", "i8", "f4", "f8", "u2", "u4", "u8", "i1")
STORED = {"u1": "B", "i2": "I", "i4": "J", "i8": "K", "f4": "E", "f8": "D"}
KINDS = {**{code: kind for kind, code in STORED.items()}, "L": "?", "C": "c8", "M": "c16"}
UNSIGNED = {"u2": ("I", 2**15), "u4": ("J", 2**31), "u8": ("K", 2**63)}
COMPRESSIONS = ("RICE_1", "GZIP_1", "GZIP_2", "PLIO_1", "HCOMPRESS_1", "NOCOMPRESS")
LARGEST_COMPRESSED = 5000
"""PLIO, RICE and HCOMPRESS sum values up: with much larger ones astropy's own sums overflow."""


def write_any(path: Path, seed: int) -> bool:
    """Write a file that only `seed` decides; False where astropy refuses the options."""
    rng = np.random.default_rng(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            hdus = [_first(rng)]
            for number in range(int(rng.integers(0, 5))):
                hdus.append(_extension(rng))
                hdus[-1].name = f"H{number}" if number % 3 else ""
            fits.HDUList(hdus).writeto(path, overwrite=True, output_verify="silentfix")
        except (ValueError, TypeError):
            path.unlink(missing_ok=True)
            return False
    return True


def _shape(rng: Rng, ndim: int, least: int, most: int) -> tuple[int, ...]:
    return tuple(rng.integers(least, most, ndim, endpoint=True).tolist())


def _values(rng: Rng, kind: str, shape: tuple[int, ...]) -> Values:
    dtype = np.dtype(kind)
    if dtype.kind == "b":
        return rng.random(shape) < 0.5
    if dtype.kind == "c":
        return (rng.normal(size=shape) + 1j * rng.normal(size=shape)).astype(dtype)
    if dtype.kind == "f":
        found = (rng.normal(size=shape) * 10.0 ** rng.integers(-3, 6)).astype(dtype)
        if often(rng, 0.5):
            found[rng.random(shape) < 0.1] = np.nan
        return found
    limits = np.iinfo(dtype)
    if often(rng, 0.5):
        return rng.integers(limits.min, limits.max, shape, dtype, True)
    walk = np.cumsum(rng.integers(-3, 4, shape), axis=-1) + rng.integers(0, 100)
    return np.clip(walk, limits.min, limits.max).astype(dtype)


def _first(rng: Rng) -> Any:
    if often(rng, 0.1):
        return _random_groups(rng)
    return _image(rng, fits.PrimaryHDU) if often(rng, 0.7) else fits.PrimaryHDU()


def _extension(rng: Rng) -> Any:
    makers = (_extended_image, _compressed, _compressed, _table, _table, _ascii_table)
    return pick(rng, makers)(rng)


def _extended_image(rng: Rng) -> Any:
    return _image(rng, fits.ImageHDU)


def _image(rng: Rng, kind: type[Any]) -> Any:
    """Return an image; some are scaled, some have a value for blanks."""
    ndim = int(rng.integers(1, 5))
    stored = pick(rng, IMAGES)
    hdu = kind(_values(rng, stored, _shape(rng, ndim, 1, 8 if ndim > 2 else 40)))
    if stored in ("u1", "i2", "i4"):
        if often(rng, 0.3):
            scale, zero = pick(rng, (0.5, 2.0, 0.125)), pick(rng, (0.0, 10.0, -3.5))
            hdu.data = hdu.data.astype("f8")
            hdu.scale(pick(rng, ("int16", "int32", "float32")), bscale=scale, bzero=zero)
        elif often(rng, 0.3):
            hdu.header["BLANK"] = int(rng.integers(1, 100))
    hdu.header["OBJECT"] = "it's a 'star'"
    hdu.header["LONGSTR"] = "x" * 150
    return hdu


def _compressed(rng: Rng) -> Any:
    """Return an image in compressed tiles; real numbers are quantized or not."""
    how = pick(rng, COMPRESSIONS)
    shape = _shape(rng, int(rng.integers(1, 4)), 4, 40)
    if how == "HCOMPRESS_1":
        shape = (*((3,) if often(rng, 0.4) else ()), *_shape(rng, 2, 8, 40))
    stored = pick(rng, ("u1", "i2", "i4") if how == "PLIO_1" else (*IMAGES[:3], *IMAGES[4:8]))
    values = _values(rng, stored, shape)
    options: dict[str, Any] = {}
    if values.dtype.kind == "f":
        levels = (16, 4) if how == "HCOMPRESS_1" else (0, 16, 4, -0.01, 100)
        options = {
            "quantize_level": float(pick(rng, levels)),
            "quantize_method": pick(rng, (-1, 1, 2)),
            "dither_seed": int(rng.integers(1, 1000)),
        }
    elif how in ("PLIO_1", "RICE_1", "HCOMPRESS_1"):
        values = (np.abs(values.astype("i8")) % LARGEST_COMPRESSED).astype(stored)
    if how == "HCOMPRESS_1":
        tile = [pick(rng, [t for t in range(8, n + 1) if not 0 < n % t < 8]) for n in shape[-2:]]
        options["tile_shape"] = (*(1,) * (len(shape) - 2), *tile)
        values = np.nan_to_num(values)  # what stands for NaN is too large for its sums
    elif how != "PLIO_1" and often(rng, 0.6):  # its buffer is too short for the smallest tiles
        options["tile_shape"] = tuple(int(rng.integers(1, n + 1)) for n in shape)
    return fits.CompImageHDU(values, compression_type=how, **options)


def _table(rng: Rng) -> Any:
    """Return a binary table of columns of all kinds."""
    rows = int(rng.integers(1, 12))
    makers = (_numbers, _numbers, _numbers, _text, _heap, _unsigned, _bits, _with_null, _scaled)
    columns = [
        pick(rng, makers)(rng, f"a b{i}" if often(rng, 0.1) else f"col{i}", rows)
        for i in range(int(rng.integers(1, 7)))
    ]
    return fits.BinTableHDU.from_columns(columns, nrows=rows)


def _cells(rng: Rng, rows: int) -> tuple[int, tuple[int, ...]]:
    """Return how many values a cell has, and the shape of the column."""
    count = int(rng.integers(1, 6))
    return count, (rows, count) if count > 1 else (rows,)


def _numbers(rng: Rng, name: str, rows: int) -> Any:
    code = pick(rng, tuple(KINDS))
    count, shape = _cells(rng, rows)
    values = _values(rng, KINDS[code], shape)
    if count == 4 and code in STORED.values() and often(rng, 0.5):
        return fits.Column(name, f"4{code}", dim="(2,2)", array=values.reshape(rows, 2, 2))
    return fits.Column(name, f"{count}{code}", array=values)


def _words(rng: Rng, rows: int, least: int, most: int) -> list[str]:
    sizes = rng.integers(least, most, rows, endpoint=True).tolist()
    return ["".join(rng.choice(list("abc xyz"), size).tolist()) for size in sizes]


def _text(rng: Rng, name: str, rows: int) -> Any:
    width = int(rng.integers(1, 9))
    return fits.Column(name, f"{width}A", array=np.array(_words(rng, rows, 0, width)))


def _heap(rng: Rng, name: str, rows: int) -> Any:
    """Return a column whose rows differ in length."""
    cells = np.empty(rows, object)
    code = pick(rng, (*STORED.values(), "A"))
    if code == "A":
        cells[:] = [word.replace(" ", "_") for word in _words(rng, rows, 1, 6)]
    else:
        for row in range(rows):
            cells[row] = _values(rng, KINDS[code], (int(rng.integers(0, 6)),))
    return fits.Column(name, f"{pick(rng, 'PQ')}{code}()", array=cells)


def _unsigned(rng: Rng, name: str, rows: int) -> Any:
    stored = pick(rng, tuple(UNSIGNED))
    code, zero = UNSIGNED[stored]
    count, shape = _cells(rng, rows)
    return fits.Column(name, f"{count}{code}", bzero=zero, array=_values(rng, stored, shape))


def _bits(rng: Rng, name: str, rows: int) -> Any:
    count = int(rng.integers(1, 20))
    return fits.Column(name, f"{count}X", array=_values(rng, "?", (rows, count)))


def _with_null(rng: Rng, name: str, rows: int) -> Any:
    code = pick(rng, "BIJ")
    count, shape = _cells(rng, rows)
    values = _values(rng, KINDS[code], shape)
    return fits.Column(name, f"{count}{code}", null=int(rng.integers(0, 50)), array=values)


def _scaled(rng: Rng, name: str, rows: int) -> Any:
    count, shape = _cells(rng, rows)
    values = rng.integers(-100, 100, shape) * 0.5 + 2.0
    return fits.Column(name, f"{count}{pick(rng, 'IJED')}", bscale=0.5, bzero=2.0, array=values)


def _ascii_table(rng: Rng) -> Any:
    rows = int(rng.integers(1, 9))
    columns: list[Any] = []
    for number in range(int(rng.integers(1, 5))):
        form = pick(rng, ("A7", "I10", "F14.5", "E15.7", "D25.17"))
        values: Any = rng.normal(size=rows) * 10.0 ** rng.integers(-3, 4)
        if form == "A7":
            values = np.array(_words(rng, rows, 0, 7))
        elif form == "I10":
            values = rng.integers(-(10**6), 10**6, rows)
        columns.append(fits.Column(f"c{number}", form, array=values))
    return fits.TableHDU.from_columns(columns)


def _random_groups(rng: Rng) -> Any:
    count = int(rng.integers(1, 6))
    stored, bitpix = pick(rng, (("f4", -32), ("i2", 16), ("i4", 32)))
    names = ["UU", "VV", "DATE", "WEIGHT"]
    data = fits.GroupData(
        _values(rng, stored, (count, *_shape(rng, 3, 1, 5))),
        bitpix=bitpix,
        parnames=names,
        pardata=[rng.integers(0, 100, count).astype(stored) for _ in names],
    )
    return fits.GroupsHDU(data)


if __name__ == "__main__":
    write_by_seeds(write_any, ".fits")
