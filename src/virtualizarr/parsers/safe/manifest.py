"""SAFE manifests: which files a product consists of (XFDU, CCSDS 661.0-B-1)."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from virtualizarr.errors import CorruptFileError
from virtualizarr.parsers.xml import Element, child, children, local_name, text_of

ROOT = re.compile(rb"<(?:\w+:)?XFDU[\s>]")
WITHIN = 8192
MAX_FILES = 100_000

PARSERS = {
    ".tif": "tiff",
    ".tiff": "tiff",
    ".jp2": "jpeg2000",
    ".nc": "hdf5",
    ".h5": "hdf5",
}
"""By ending of a file: the name of the parser that reads it."""

FACTS = {
    *("familyName", "number", "mode", "productType", "productClass", "startTime", "stopTime"),
    *("instrumentMode", "swath", "orbitNumber", "relativeOrbitNumber", "cycleNumber", "pass"),
    *("missionDataTakeID", "transmitterReceiverPolarisation", "processingLevel"),
}
"""Elements of the metadata that become attributes where they stand for themselves."""

_SENTINEL1 = re.compile(
    r"s1[a-d]-(?P<swath>[a-z0-9]+)-(?P<type>[a-z]+)-(?P<pol>[hv]{2})-.*-(?P<image>\d{3})$", re.I
)
_SENTINEL2 = re.compile(r"(?:.*_)?(?P<band>B\d[\dA]|TCI|AOT|WVP|SCL|CLD|SNW|PVI)(?:_\d{2}m)?$")
_RESOLUTION = re.compile(r"R\d{2}m$")
_GRANULE = re.compile(r"(?:^|/)GRANULE/(?P<granule>[^/]+)/")


class Listed(NamedTuple):
    """A file of the product: its place below the manifest, and what kind of file it is."""

    href: str
    kind: str

    @property
    def suffix(self) -> str:
        dot = self.href.rpartition("/")[2].rpartition(".")
        return f".{dot[2].lower()}" if dot[1] else ""

    @property
    def is_raster(self) -> bool:
        return self.suffix in PARSERS


def is_manifest(head: bytes | memoryview) -> bool:
    """Say whether a file begins as manifests of SAFE products do."""
    start = bytes(head[:WITHIN])
    return ROOT.search(start) is not None and b"/safe" in start


def files_of(manifest: Element) -> list[Listed]:
    """Return the files that the manifest names, each once."""
    section = child(manifest, "dataObjectSection")
    if section is None:
        raise CorruptFileError("the manifest has no dataObjectSection")
    found: dict[str, Listed] = {}
    for each in children(section, "dataObject"):
        for stream in children(each, "byteStream"):
            for location in children(stream, "fileLocation"):
                href = (location.get("href") or "").removeprefix("./").removeprefix("/")
                if href:
                    found.setdefault(href, Listed(href, each.get("repID") or ""))
    if len(found) > MAX_FILES:
        raise CorruptFileError(f"the manifest names {len(found):,} files")
    return list(found.values())


def facts_of(manifest: Element) -> dict[str, Any]:
    """Return what the manifest says of the product as a whole."""
    found: dict[str, Any] = {}
    for element in manifest.iter():
        name = local_name(element)
        text = text_of(element)
        if name not in FACTS or not text or len(element):
            continue
        known = found.get(name)
        if known is None:
            found[name] = text
        elif isinstance(known, list):
            if text not in known:
                known.append(text)
        elif known != text:
            found[name] = [known, text]
    return found


def path_of(listed: Listed) -> tuple[str, ...]:
    """Return the groups in which a raster stands.

    Sentinel-1: swath and polarisation. Sentinel-2: resolution, if its directory says it, and band.
    Others, and whatever is named otherwise: the name of the file.
    """
    stem = listed.href.rpartition("/")[2].rpartition(".")[0]
    first = _SENTINEL1.match(stem)
    if first is not None:
        polarisation = first["pol"].upper()
        image = f"_{first['image']}" if first["swath"].lower().startswith("wv") else ""
        return first["swath"].upper(), f"{polarisation}{image}"
    second = _SENTINEL2.match(stem)
    if second is None:
        return (stem,)
    folders = listed.href.split("/")[:-1]
    resolution = [folder for folder in folders[-1:] if _RESOLUTION.match(folder)]
    return (*resolution, second["band"])


def granule_of(listed: Listed) -> str:
    """Return the granule of Sentinel-2 that a file belongs to; "" for any other file."""
    found = _GRANULE.search(listed.href)
    return found["granule"] if found is not None else ""
