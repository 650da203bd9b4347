"""kerchunk references: JSON of versions 0 and 1, holding Zarr v2 or v3, and Parquet.

Specification: "References specification" of fsspec/kerchunk. Templates and `gen` entries are read
as far as they are plain text substitution and integer arithmetic; nothing in a file is executed.
Not read: references to the file itself (`[null, ...]`), metadata that lie in other files, and
codecs that have no Zarr v3 name.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from virtualizarr.model import Location, ManifestGroup
from virtualizarr.model.evidence import known_locations
from virtualizarr.parsers.base import CallableParser
from virtualizarr.parsers.kerchunk.blocks import table_of_text
from virtualizarr.parsers.kerchunk.columns import Files, Sizes
from virtualizarr.parsers.kerchunk.document import (
    decode_json,
    looks_like_references,
    references_of,
)
from virtualizarr.parsers.kerchunk.locate import Origin
from virtualizarr.parsers.kerchunk.parquet import KerchunkParquetParser
from virtualizarr.parsers.kerchunk.table import ReferenceTable, table_of
from virtualizarr.parsers.kerchunk.templates import Templates
from virtualizarr.parsers.kerchunk.tree import Selection, build_tree
from virtualizarr.parsers.kerchunk.whole import file_sizes, read_whole
from virtualizarr.source.reading import Reading

__all__ = ["KerchunkJSONParser", "KerchunkParquetParser", "group_from_refs"]


@dataclass(frozen=True)
class KerchunkJSONParser(CallableParser):
    """Reads reference files in JSON.

    `group` is the path of the group wanted. Relative paths in the references are taken from
    `fs_root`, else from the directory of the reference file. `skip_variables` and `drop_variables`
    are left out, in every group.
    """

    group: str | None = None
    fs_root: str | None = None
    skip_variables: Iterable[str] | None = None
    drop_variables: Collection[str] = ()

    @property
    def name(self) -> str:
        return "kerchunk"

    @property
    def suffixes(self) -> tuple[str, ...]:
        return (".json",)

    def sniff(self, head: bytes | memoryview, url: str) -> bool:
        """Say whether `head` begins JSON whose first key is one of a reference file's."""
        del url
        return looks_like_references(bytes(head))

    def parse(self, url: str) -> Reading[ManifestGroup]:
        """Read the references: one round, and one more where they refer to files as a whole.

        Raises CorruptFileError and UnsupportedFeatureError naming the key or the array.
        """
        text = yield from read_whole()
        table, templates, own = _decoded(text)
        del text
        origin = Origin.of(url, self.fs_root)
        urls = dict.fromkeys(origin.resolve(templates.expand(t)) for t in table.whole_files())
        sizes = (yield from file_sizes(list(urls))) if urls else {}
        files = Files(origin.resolve, sizes, _known(own, templates, origin))
        return build_tree(table, templates, self._selection(), files)

    def _selection(self) -> Selection:
        skipped = self.skip_variables if self.skip_variables is not None else ()
        path = self.group.strip("/") if self.group is not None else ""
        return Selection(path, frozenset(skipped) | frozenset(self.drop_variables))


def group_from_refs(
    refs: Mapping[str, Any],
    base_url: str | None = None,
    fs_root: str | None = None,
    *,
    group: str | None = None,
    drop_variables: Collection[str] = (),
    sizes: Sizes | None = None,
) -> ManifestGroup:
    """Return the tree that references in memory describe; no file is opened.

    `refs` is a document of version 0 or 1. Relative paths are taken from `fs_root`, else from the
    directory of `base_url`, else refused. `sizes` gives the bytes of files that are referred to
    as a whole, by canonical URL. Raises CorruptFileError and UnsupportedFeatureError.
    """
    origin = Origin.of(base_url, fs_root)
    selection = Selection(group.strip("/") if group is not None else "", frozenset(drop_variables))
    references = references_of(refs)
    table = table_of(references.refs)
    evidence = _known(references.own, references.templates, origin)
    files = Files(origin.resolve, sizes if sizes is not None else {}, evidence)
    return build_tree(table, references.templates, selection, files)


def _decoded(text: bytes | memoryview) -> tuple[ReferenceTable, Templates, Any]:
    """Return the references of a file, its templates, and what our writer adds."""
    found = table_of_text(text)
    if found is not None:
        return found[0], Templates({}), found[1]
    references = references_of(decode_json(text, "the reference file"))
    return table_of(references.refs), references.templates, references.own


def _known(own: Any, templates: Templates, origin: Origin) -> Mapping[str, Location]:
    return known_locations(own, lambda text: origin.resolve(templates.expand(text)))
