"""What an array's document says, as our description of the array and of its chunk keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError
from virtualizarr.model import ArrayMetadata
from virtualizarr.model.cf_fill import decode_cf_fill
from virtualizarr.model.dtypes import decode_fill
from virtualizarr.parsers.zarr.columns import check_grid
from virtualizarr.parsers.zarr.documents import Node
from virtualizarr.parsers.zarr.keys import KeyForm
from virtualizarr.store.chunk_manifest import INLINE_KEY, transformer_of
from virtualizarr.store.zarr2 import metadata_from_v2, separator_of

_DRAFT_CODECS = [{"name": "bytes", "configuration": {"endian": "little"}}]
"""What arrays written after a draft of the specification, without a list of codecs, are."""

_MEMBERS = frozenset(
    {
        *("zarr_format", "node_type", "shape", "data_type", "chunk_grid", "chunk_key_encoding"),
        *("fill_value", "codecs", "attributes", "dimension_names", "storage_transformers"),
    }
)


@dataclass(frozen=True, slots=True, eq=False)
class Described:
    """An array: its metadata, how its chunk keys are spelled, and where its references lie.

    `transformer` names the chunk-manifest format, the manifest and the locations file; None for an
    array whose chunks are objects of the store. `is_inline`: those were inline chunks.
    """

    metadata: ArrayMetadata
    form: KeyForm
    transformer: tuple[str, str, str | None] | None = None
    is_inline: bool = False


def describe(node: Node) -> Described:
    """Return what an array's documents say.

    Raises CorruptFileError for what the specification does not allow, UnsupportedFeatureError for
    what cannot be represented.
    """
    if node.zarr_format == 2:
        separator = separator_of(node.document)
        metadata = metadata_from_v2(node.document, node.attributes)
        check_grid(metadata.grid_shape)
        return Described(metadata, KeyForm("", separator, "0"))
    document = node.document
    _check_members(document)
    transformer = transformer_of(document)
    plain = {"codecs": _DRAFT_CODECS, **document, "storage_transformers": []}
    metadata = ArrayMetadata.from_json(plain)
    _check(metadata)
    metadata = metadata.replace(attributes=decode_cf_fill(metadata.attributes, metadata.dtype))
    return Described(metadata, _key_form(document), transformer, INLINE_KEY in document)


def _check_members(document: Mapping[str, Any]) -> None:
    """Refuse members that are not known and that the specification forbids to ignore."""
    for name in document.keys() - _MEMBERS:
        value = document[name]
        if not (isinstance(value, dict) and value.get("must_understand") is False):
            raise UnsupportedFeatureError(f"the array's zarr.json has an unknown member {name!r}")


def _check(metadata: ArrayMetadata) -> None:
    if any(extent < 0 or extent >= 2**62 for extent in metadata.shape):
        raise CorruptFileError(f"the shape is {metadata.shape}")
    check_grid(metadata.grid_shape)
    names = metadata.dimension_names
    if names is not None and len(names) != metadata.ndim:
        raise CorruptFileError(f"{len(names)} dimension names for {metadata.ndim} axes")
    if not metadata.codecs:
        raise CorruptFileError("the array has no codecs")
    for codec in metadata.codecs:
        configuration = codec.get("configuration", {})
        if not isinstance(codec.get("name"), str) or not isinstance(configuration, Mapping):
            raise CorruptFileError(f"{dict(codec)!r:.80} is no codec")
    decode_fill(metadata.fill_value, metadata.dtype)


def _key_form(document: Mapping[str, Any]) -> KeyForm:
    encoding = document.get("chunk_key_encoding", "default")
    if isinstance(encoding, str):
        encoding = {"name": encoding}
    name = encoding.get("name") if isinstance(encoding, dict) else None
    settings = encoding.get("configuration", {}) if isinstance(encoding, dict) else None
    if name not in ("default", "v2") or not isinstance(settings, dict):
        raise UnsupportedFeatureError(f"chunk_key_encoding {encoding!r:.80}")
    separator = settings.get("separator", "/" if name == "default" else ".")
    if separator not in ("/", "."):
        raise CorruptFileError(f"chunk keys with separator {separator!r:.80}")
    if name == "v2":
        return KeyForm("", separator, "0")
    return KeyForm(f"c{separator}", separator, "c")
