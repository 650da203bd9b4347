"""What HDUs and their axes are called in the tree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from virtualizarr.parsers.fits.layout import HDU, PRIMARY
from virtualizarr.parsers.naming import addressable

AXES = ("x", "y", "z")


def hdu_names(hdus: Sequence[HDU]) -> list[str]:
    """Return one name for each HDU: PRIMARY, else EXTNAME, else its number.

    Several of one EXTNAME get EXTVER behind it, as in SCI_1; where that does not tell them apart,
    their number.
    """
    plain = [_own_name(hdu) for hdu in hdus]
    often = Counter(plain)
    versioned = [
        name if often[name] == 1 else f"{name}_{_version(hdu)}"
        for name, hdu in zip(plain, hdus, strict=True)
    ]
    return unique_names(versioned, [str(hdu.index) for hdu in hdus])


def _own_name(hdu: HDU) -> str:
    if hdu.index == 0:
        return PRIMARY
    name = safe_name(hdu.text("EXTNAME"))
    return name if name else str(hdu.index)


def _version(hdu: HDU) -> str:
    version = hdu.cards.get("EXTVER", 1)
    return str(version) if isinstance(version, int) else "1"


def safe_name(name: str) -> str:
    """Return a name that a Zarr node can have."""
    name = addressable(name.strip()).replace("\0", "")
    reserved = name.startswith("__") or (name != "" and not name.strip("."))
    return f"_{name.lstrip('_.')}" if reserved else name


def unique_names(names: Sequence[str], otherwise: Iterable[str]) -> list[str]:
    """Return the names, each made different from those before it by what stands in `otherwise`."""
    seen: set[str] = set()
    found: list[str] = []
    for name, suffix in zip(names, otherwise, strict=True):
        chosen = name
        while chosen in seen:
            chosen = f"{chosen}_{suffix}"
        seen.add(chosen)
        found.append(chosen)
    return found


def image_dims(name: str, shape: Sequence[int], lengths: dict[str, int]) -> tuple[str, ...]:
    """Return names for an image's axes: x (NAXIS1), y, z, axis4, ...; the last is x.

    `lengths` are the dimensions of the images before, and is added to. An axis of another length
    than the dimension that has its name gets the image's name behind it.
    """
    dims: list[str] = []
    for number, length in enumerate(reversed(shape)):
        dim = AXES[number] if number < len(AXES) else f"axis{number + 1}"
        if lengths.get(dim, length) != length or dim == name:
            dim = f"{dim}_{name}"
        lengths.setdefault(dim, length)
        dims.append(dim)
    return tuple(reversed(dims))
