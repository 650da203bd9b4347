"""The reference document: JSON to one flat mapping of keys, whatever its version.

Specification: "References specification" of fsspec/kerchunk, versions 0 (a flat object) and 1
(`version`, `templates`, `gen`, `refs`).
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError
from virtualizarr.model.evidence import OWN_KEY
from virtualizarr.parsers.kerchunk.generate import generated
from virtualizarr.parsers.kerchunk.templates import Templates

METADATA_NAMES = (".zgroup", ".zarray", ".zattrs", ".zmetadata", "zarr.json")

_FIRST_KEY = re.compile(
    rb'\A(?:\xef\xbb\xbf)?\s*\{\s*"(?:(version|refs|templates|gen)'
    rb'|(?:[^"]*/)?(?:\.z(?:group|attrs|array|metadata)|zarr\.json))"\s*:'
)
_VERSION_1 = re.compile(rb'"(?:refs|gen)"\s*:\s*[\[{]|"(?:templates|virtualizarr)"\s*:\s*\{')
_NOT_FINITE = re.compile(rb"NaN|Infinity")


@dataclass(frozen=True, slots=True, eq=False)
class References:
    """All keys and values of a document, `gen` entries written out; URLs still hold templates.

    `own` is the member that our writer adds, None where there is none.
    """

    refs: Mapping[str, Any]
    templates: Templates
    own: Any = None


def looks_like_references(head: bytes) -> bool:
    """Say whether JSON text that starts with `head` holds references, by its first key."""
    match = _FIRST_KEY.match(head)
    if match is None:
        return False
    return match.group(1) is None or _VERSION_1.search(head) is not None


def decode_json(text: bytes | memoryview | str, what: str) -> Any:
    """Return the value of JSON text, which may hold NaN and Infinity as older writers put them.

    Raises CorruptFileError naming `what` was to be read.
    """
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raw = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else bytes(text)
        if raw.startswith(b"\xef\xbb\xbf"):
            return decode_json(raw[3:], what)
        if _NOT_FINITE.search(raw) is None:
            raise CorruptFileError(f"{what} is not JSON: {error.msg}", at=error.pos) from error
        try:
            return json.loads(raw)
        except (ValueError, RecursionError) as cause:
            raise CorruptFileError(f"{what} is not JSON: {cause}") from cause


def references_of(document: Any) -> References:
    """Return the references of a decoded document.

    Raises CorruptFileError for what is no such document, UnsupportedFeatureError for a version or
    template that is not known.
    """
    if not isinstance(document, Mapping):
        raise CorruptFileError(
            f"references are a JSON object, this is of type {type(document).__name__}"
        )
    if "version" not in document and not isinstance(document.get("refs"), Mapping):
        return References(document, Templates({}))
    version = document.get("version", 1)
    if version != 1 or isinstance(version, bool):
        raise UnsupportedFeatureError(f"references of version {version!r}; known are 0 and 1")
    refs, named, entries = (
        _part(document, "refs", Mapping),
        _part(document, "templates", Mapping),
        _part(document, "gen", list),
    )
    templates = Templates.from_document(named if named is not None else {})
    given = refs if refs is not None else {}
    if not entries:
        return References(given, templates, document.get(OWN_KEY))
    written_out = {**given, **generated(entries, templates)}
    return References(written_out, templates, document.get(OWN_KEY))


def metadata_documents(values: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return decoded Zarr metadata documents from the values of their keys, by key.

    Those of a `.zmetadata` are taken where the key itself is absent. Raises CorruptFileError for
    documents that are not JSON objects, and where `.zmetadata` contradicts what it consolidates.
    """
    documents = {key: _metadata(key, value) for key, value in values.items()}
    consolidated = documents.pop(".zmetadata", {}).get("metadata", {})
    if not isinstance(consolidated, Mapping):
        raise CorruptFileError("the consolidated metadata are malformed", node=".zmetadata")
    for key, value in consolidated.items():
        document = _metadata(key, value)
        if documents.setdefault(key, document) != document and key.endswith(".zarray"):
            raise CorruptFileError("the consolidated metadata contradict it", node=key)
    return documents


def inline_bytes(text: str, key: str) -> bytes:
    """Return the bytes of an inline value: base64 where it says so, else the text itself."""
    if not text.startswith("base64:"):
        try:
            return text.encode()
        except UnicodeEncodeError as error:
            raise CorruptFileError("the inline value is not Unicode", node=key) from error
    try:
        return base64.b64decode(text[7:], validate=True)
    except ValueError as error:
        raise CorruptFileError(f"the inline value is not base64: {error}", node=key) from error


def _metadata(key: str, value: Any) -> Mapping[str, Any]:
    if isinstance(value, list):
        raise UnsupportedFeatureError("metadata that lie in another file", node=key)
    if isinstance(value, str):
        try:
            value = decode_json(inline_bytes(value, key), "the metadata document")
        except CorruptFileError as error:
            raise CorruptFileError(error.reason, node=key) from error
    if not isinstance(value, Mapping):
        raise CorruptFileError("a metadata document must be a JSON object", node=key)
    return value


def _part(document: Mapping[str, Any], name: str, kind: Any) -> Any:
    part = document.get(name)
    if part is not None and not isinstance(part, kind):
        raise CorruptFileError(f"{name!r} is of type {type(part).__name__}")
    return part
