"""kerchunk references in Parquet: a directory of tables, one row a chunk.

Specification: "References specification" of fsspec/kerchunk, "Parquet references". Row `i` of
`<array>/refs.<n>.parq` is chunk `n * record_size + i` of the grid in C order, and a file that is
absent holds only missing chunks; `.zmetadata` holds the Zarr v2 documents and `record_size`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

from virtualizarr.errors import (
    CorruptFileError,
    SourceNotFoundError,
    UnknownFormatError,
    UnsupportedFeatureError,
    VirtualizeError,
)
from virtualizarr.model import ArrayMetadata, ChunkManifest, ManifestArray, ManifestGroup
from virtualizarr.model.evidence import OWN_KEY, known_locations
from virtualizarr.model.pending import PendingArray
from virtualizarr.parsers.base import CallableParser
from virtualizarr.parsers.kerchunk.document import decode_json, metadata_documents
from virtualizarr.parsers.kerchunk.keys import paths_of
from virtualizarr.parsers.kerchunk.locate import Origin
from virtualizarr.parsers.kerchunk.partition import check_pyarrow
from virtualizarr.parsers.kerchunk.stored import Part, StoredArray
from virtualizarr.parsers.kerchunk.tree import (
    Documents,
    Selection,
    described,
    group_attributes,
    grown,
    is_selected,
)
from virtualizarr.parsers.kerchunk.whole import read_whole
from virtualizarr.source.directory import FileList
from virtualizarr.source.reading import Elsewhere, Later, Listing, Reading
from virtualizarr.source.urls import child_url

METADATA_FILE = ".zmetadata"
MAX_UNLISTED = 10_000
_PART = re.compile(r"(.+)/refs\.(0|[1-9]\d{0,17})\.parq", re.DOTALL)


@dataclass(frozen=True)
class KerchunkParquetParser(CallableParser):
    """Reads directories of Parquet references; needs pyarrow.

    `group` is the path of the group wanted. Relative paths in the references are taken from
    `fs_root`, else from the directory that the store is in. `skip_variables` and `drop_variables`
    are left out, in every group, and not read. `reader_options` is accepted for compatibility;
    nothing is read through it.
    """

    group: str | None = None
    fs_root: str | None = None
    skip_variables: Iterable[str] | None = None
    reader_options: Mapping[str, Any] | None = None
    drop_variables: Collection[str] = ()

    @property
    def name(self) -> str:
        return "kerchunk_parquet"

    @property
    def suffixes(self) -> tuple[str, ...]:
        return (".parquet", ".parq")

    def sniff(self, head: bytes | memoryview, url: str) -> bool:
        """Say no: such references are a directory, which `sniff_listing` recognises."""
        del head, url
        return False

    def sniff_listing(self, names: Collection[str], url: str) -> bool:
        """Say whether a directory with these names directly in it holds Parquet references.

        They have consolidated metadata and, unlike a Zarr store, no document beside it.
        """
        del url
        return METADATA_FILE in names and not {".zgroup", ".zarray", "zarr.json"} & set(names)

    def parse(self, url: str) -> Reading[ManifestGroup]:
        """Read the metadata and a listing, in one round.

        The references of an array are read when its manifest is first looked at: its files in one
        round, and one more where they refer to files as a whole. What is wrong with them is said
        then; a store that was written anew meanwhile raises ChangedSourceError.

        Raises UnknownFormatError where there is no such store, CorruptFileError and
        UnsupportedFeatureError naming the array.
        """
        check_pyarrow()
        root = url.rstrip("/")
        documents, record_size, own, files = yield from _read_metadata(root)
        selection = self._selection()
        metadata = {
            path: _metadata(path, documents)
            for path in paths_of(documents, ".zarray")
            if is_selected(path, selection)
        }
        origin = Origin.of(root, self.fs_root)
        known = known_locations(own, origin.resolve)
        stored = [
            StoredArray(path, metadata[path], named, root, record_size, origin, known)
            for path, named in _parts(metadata, record_size, files).items()
        ]
        readings = yield [Later(array.read) for array in stored if array.parts]
        fills = iter(readings)
        arrays = {
            array.path: PendingArray(array.metadata, next(fills))
            if array.parts
            else ManifestArray(array.metadata, ChunkManifest.empty(array.metadata.grid_shape))
            for array in stored
        }
        return grown(arrays, group_attributes(documents), selection.path)

    def _selection(self) -> Selection:
        skipped = self.skip_variables if self.skip_variables is not None else ()
        path = self.group.strip("/") if self.group is not None else ""
        return Selection(path, frozenset(skipped) | frozenset(self.drop_variables))


def _read_metadata(root: str) -> Reading[tuple[Documents, int, Any, FileList | None]]:
    """Return the documents, the record size, what our writer adds, and the files there are.

    None stands for files that cannot be listed.
    """
    text, files = yield [Elsewhere(child_url(root, METADATA_FILE), read_whole()), Listing(root)]
    if isinstance(text, VirtualizeError):
        raise _no_metadata(text, files)
    if isinstance(files, VirtualizeError) and not isinstance(files, UnsupportedFeatureError):
        raise files
    document = decode_json(text, f"the file {METADATA_FILE}")
    if not isinstance(document, Mapping) or "record_size" not in document:
        raise UnknownFormatError(f"{METADATA_FILE} has no 'record_size': no Parquet references")
    record_size, held = document["record_size"], document.get("metadata")
    if type(record_size) is not int or not 1 <= record_size < 2**62:
        raise CorruptFileError(f"the record_size is {record_size!r:.80}", node=METADATA_FILE)
    if not isinstance(held, Mapping):
        raise CorruptFileError("the metadata are no JSON object", node=METADATA_FILE)
    documents = metadata_documents(held)
    if v3 := paths_of(documents, "zarr.json"):
        raise UnsupportedFeatureError("Parquet references of Zarr v3", node=v3[0])
    listed = files if isinstance(files, FileList) else None
    return documents, record_size, document.get(OWN_KEY), listed


def _no_metadata(error: VirtualizeError, files: Any) -> VirtualizeError:
    """Return what to raise for a directory whose metadata cannot be read."""
    if not isinstance(error, SourceNotFoundError):
        return error
    if isinstance(files, FileList) and any(map(_PART.fullmatch, files.names)):
        return CorruptFileError(
            f"there are references and no {METADATA_FILE}: the directory was not written to its end"
        )
    if isinstance(files, SourceNotFoundError):
        return files
    return UnknownFormatError(f"there is no {METADATA_FILE} here: no Parquet references")


def _metadata(path: str, documents: Documents) -> ArrayMetadata:
    try:
        return described(path, documents, is_v3=False)[0]
    except VirtualizeError as error:
        raise error.located(node=path) from error.__cause__


def _parts(
    metadata: Mapping[str, ArrayMetadata], record_size: int, files: FileList | None
) -> dict[str, list[Part]]:
    """Return the files of each array, in order, and what the listing said of them."""
    counts = {
        path: -(-prod(described.grid_shape) // record_size) for path, described in metadata.items()
    }
    parts: dict[str, list[Part]] = {path: [] for path in metadata}
    if files is not None:
        for row, name in enumerate(files.names):
            match = _PART.fullmatch(name)
            if match is not None and int(match[2]) < counts.get(match[1], 0):
                parts[match[1]].append(Part(int(match[2]), name, files.facts(row)))
        return {path: sorted(named, key=lambda part: part.number) for path, named in parts.items()}
    if sum(counts.values()) > MAX_UNLISTED:
        raise UnsupportedFeatureError(
            f"the store cannot be listed, and {sum(counts.values()):,} files are too many to be "
            "asked for one by one"
        )
    return {
        path: [Part(n, f"{path}/refs.{n}.parq", None) for n in range(count)]
        for path, count in counts.items()
    }
