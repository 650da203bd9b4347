"""Zarr stores: directories, prefixes and zip archives of Zarr v2 and v3, and chunk manifests.

Specifications: "Zarr storage specification version 2", "Zarr core specification version 3", and
`docs/chunk-manifest.md` for stores of references. Each chunk that is stored becomes a reference;
shards stay whole, with their codec, unless `split_shards` takes them apart. Not supported: chunk
key encodings but `default` and `v2`, and codecs and data types that have no Zarr v3 name.

A store whose root is an array is given as a group with one variable, "data".
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from virtualizarr.errors import VirtualizeError
from virtualizarr.model import ManifestGroup
from virtualizarr.parsers.base import CallableParser
from virtualizarr.parsers.zarr.archive import EMPTY_ARCHIVE, LOCAL_HEADER, first_file
from virtualizarr.parsers.zarr.arrays import read_arrays
from virtualizarr.parsers.zarr.describe import Described, describe
from virtualizarr.parsers.zarr.documents import ROOT_DOCUMENTS
from virtualizarr.parsers.zarr.find import find_nodes
from virtualizarr.parsers.zarr.tree import ROOT_ARRAY_NAME, grown
from virtualizarr.source.reading import Reading

__all__ = ["ROOT_ARRAY_NAME", "ZarrParser", "ZippedZarrParser"]


SNIFFED = 4096


@dataclass(frozen=True)
class ZarrParser(CallableParser):
    """Reads Zarr stores.

    `group` is the path of the group (or array) wanted. `skip_variables` and `drop_variables` are
    left out, in every group. `split_shards` makes each inner chunk of a shard a chunk of its own,
    where the shards can be taken apart. `nodes` are the paths of arrays and groups to look for in a
    store that can neither be listed nor has consolidated metadata.
    """

    group: str | None = None
    skip_variables: Iterable[str] | None = None
    drop_variables: Collection[str] = ()
    split_shards: bool = False
    nodes: Collection[str] = ()

    @property
    def name(self) -> str:
        return "zarr"

    @property
    def suffixes(self) -> tuple[str, ...]:
        return (".zarr", ".zr3", ".zarr.zip")

    def sniff(self, head: bytes | memoryview, url: str) -> bool:
        """Say whether `head` begins a zip archive whose first file is a part of a Zarr store."""
        start = bytes(head[:SNIFFED])
        named = url.partition("?")[0].lower().endswith((".zarr.zip", ".zarr"))
        if start.startswith(EMPTY_ARCHIVE) or not start.startswith(LOCAL_HEADER):
            return False
        return named or first_file(start).rpartition("/")[2] in ROOT_DOCUMENTS

    def sniff_listing(self, names: Collection[str], url: str) -> bool:
        """Say whether a directory with these names directly in it is a Zarr store."""
        del url
        return any(name in names for name in ROOT_DOCUMENTS if name != ".zattrs")

    def parse(self, url: str) -> Reading[ManifestGroup]:
        """Read the store at `url`.

        One round for a store with consolidated metadata and chunk manifests' one more; a listing
        and a round for one without. Raises UnknownFormatError where there is no store,
        CorruptFileError and UnsupportedFeatureError naming the node.
        """
        group = self.group.strip("/") if self.group is not None else ""
        root = url.rstrip("/")
        opened = yield from find_nodes(root, group, self.nodes)
        skipped = self.skip_variables if self.skip_variables is not None else ()
        dropped = {*skipped, *self.drop_variables}
        described: dict[str, Described] = {}
        for path, node in opened.nodes.items():
            if not node.is_array or (path and path.rpartition("/")[2] in dropped):
                continue
            try:
                described[path] = describe(node)
            except VirtualizeError as error:
                raise error.located(node=path) from error.__cause__
        arrays = yield from read_arrays(opened, described, root, self.split_shards)
        return grown(arrays, opened.nodes, group)


ZippedZarrParser = ZarrParser
"""The name that VirtualiZarr 2.x gives to the parser of zip archives."""
