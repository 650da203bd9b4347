"""SAFE products: Sentinel-1, -2 and -3 directories with a manifest, as trees over their rasters.

Specification: "Standard Archive Format for Europe", Sentinel-SAFE profiles; the products of each
mission. Rasters are read by the parsers of their formats: GeoTIFF (Sentinel-1), JPEG 2000
(Sentinel-2), netCDF-4 (Sentinel-3). The manifest's own words become attributes of the root.

The group of a Sentinel-1 raster is `swath/polarisation` ("IW1/VV"), that of a Sentinel-2 raster
`resolution/band` ("R10m/B02", or "B02" at level 1C), with the coordinates of its granule; of
products with several granules each is a group. All other files (annotations, quick looks) are named
in the attribute `not_read`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from virtualizarr.errors import UnsupportedFeatureError, VirtualizeError
from virtualizarr.model import ManifestGroup
from virtualizarr.parsers.base import CallableParser
from virtualizarr.parsers.beside import beside, name_of, read_whole
from virtualizarr.parsers.registry import parser_named
from virtualizarr.parsers.safe.granule import Geocoding, geocoding_of, placed
from virtualizarr.parsers.safe.manifest import (
    PARSERS,
    Listed,
    facts_of,
    files_of,
    granule_of,
    is_manifest,
    path_of,
)
from virtualizarr.parsers.xml import Element, parse_xml
from virtualizarr.source.reading import Elsewhere, Reading
from virtualizarr.source.urls import child_url

MANIFESTS = ("manifest.safe", "xfdumanifest.xml")
GRANULE_METADATA = ("MTD_TL.xml",)
SKIPPED, NOT_READ = "skipped", "not_read"

__all__ = ["SAFEParser"]


@dataclass(frozen=True)
class SAFEParser(CallableParser):
    """Reads SAFE products, given the directory or its manifest.

    `errors`: "skip" leaves out rasters that cannot be read, naming them in the attribute `skipped`
    of the root.
    """

    errors: Literal["raise", "skip"] = "raise"

    @property
    def name(self) -> str:
        return "safe"

    @property
    def suffixes(self) -> tuple[str, ...]:
        return (".safe", ".sen3")

    def sniff(self, head: bytes | memoryview, url: str) -> bool:
        """Say whether `head` is XML whose root is an XFDU of the SAFE namespace."""
        del url
        return is_manifest(head)

    def sniff_listing(self, names: Collection[str], url: str) -> bool:
        """Say whether a manifest is among the names in a directory."""
        del url
        return any(name in names for name in MANIFESTS)

    def parse(self, url: str) -> Reading[ManifestGroup]:
        """Read the manifest, then all rasters and granules' metadata side by side.

        Raises CorruptFileError for a broken manifest, and what the rasters' parsers raise.
        """
        root, manifest = yield from _read_manifest(url)
        files = files_of(manifest)
        rasters = [each for each in files if each.is_raster]
        if not rasters:
            raise UnsupportedFeatureError("the SAFE product has no rasters that can be read")
        described = [each for each in files if name_of(each.href) in GRANULE_METADATA]
        answers = yield [
            *(_asking_raster(root, each) for each in rasters),
            *(_asking_document(root, each) for each in described),
        ]
        geocoding = _geocoding(described, answers[len(rasters) :])
        tree: dict[str, Any] = {}
        skipped: list[str] = []
        several = len({granule_of(each) for each in rasters} - {""}) > 1
        for listed, answer in zip(rasters, answers[: len(rasters)], strict=True):
            if isinstance(answer, VirtualizeError):
                if self.errors == "raise":
                    raise answer
                skipped.append(str(answer))
                continue
            granule = granule_of(listed)
            path = (granule, *path_of(listed)) if several and granule else path_of(listed)
            _put(tree, path, placed(answer, geocoding.get(granule)))
        attributes = facts_of(manifest)
        others = [each.href for each in files if not each.is_raster]
        attributes |= {NOT_READ: others} if others else {}
        attributes |= {SKIPPED: skipped} if skipped else {}
        return _as_group(tree, attributes)


def _read_manifest(url: str) -> Reading[tuple[str, Element]]:
    """Return the manifest, and its URL; `url` is that of the directory or of the manifest."""
    if name_of(url).lower() not in MANIFESTS and not _is_document(url):
        errors: list[VirtualizeError] = []
        answers = yield [
            Elsewhere(where, read_whole(where, "the SAFE manifest"))
            for where in (child_url(url, name) for name in MANIFESTS)
        ]
        for answer in answers:
            if not isinstance(answer, VirtualizeError):
                return answer.url, parse_xml(answer.head)
            errors.append(answer)
        raise errors[0]
    found = yield from read_whole(url, "the SAFE manifest")
    return url, parse_xml(found.head)


def _is_document(url: str) -> bool:
    """Say whether a URL that is none of a manifest's usual ones is that of a file."""
    name = name_of(url).lower()
    return "." in name and not name.endswith((".safe", ".sen3"))


def _asking_raster(manifest: str, listed: Listed) -> Elsewhere:
    where = beside(manifest, listed.href)
    return Elsewhere(where, parser_named(PARSERS[listed.suffix]).parse(where))


def _asking_document(manifest: str, listed: Listed) -> Elsewhere:
    return Elsewhere(beside(manifest, listed.href), read_whole(listed.href, "the metadata"))


def _geocoding(described: Sequence[Listed], answers: Sequence[Any]) -> dict[str, Geocoding | None]:
    """Return the geocoding of each granule whose metadata could be read."""
    found: dict[str, Geocoding | None] = {}
    for listed, answer in zip(described, answers, strict=True):
        if not isinstance(answer, VirtualizeError):
            found[granule_of(listed)] = geocoding_of(parse_xml(answer.head))
    return found


def _put(tree: dict[str, Any], path: Sequence[str], group: ManifestGroup) -> None:
    """Put a group into a tree of dicts; one of a path that is taken gets a number."""
    node = tree
    for name in path[:-1]:
        inner = node.setdefault(name, {})
        node = inner if isinstance(inner, dict) else node.setdefault(f"{name}_", {})
    name, number = path[-1], 2
    while name in node:
        name, number = f"{path[-1]}_{number}", number + 1
    node[name] = group


def _as_group(tree: Mapping[str, Any], attributes: Mapping[str, Any]) -> ManifestGroup:
    groups = {
        name: each if isinstance(each, ManifestGroup) else _as_group(each, {})
        for name, each in tree.items()
    }
    return ManifestGroup({}, groups, attributes)
