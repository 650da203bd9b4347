"""From a branch, a tag or nothing to a snapshot, and from a snapshot to its nodes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import orjson

from virtualizarr.errors import (
    CorruptFileError,
    SourceNotFoundError,
    UnknownFormatError,
    VirtualizeError,
)
from virtualizarr.parsers.icechunk.files import MANIFEST, REPO, SNAPSHOT, content, object_name
from virtualizarr.parsers.icechunk.flatbuffer import Buffer, Table
from virtualizarr.source.ranges import ByteRange
from virtualizarr.source.reading import Elsewhere, Reading, Stat

ARRAY, GROUP = 1, 2
FIRST_READ = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """A group or an array: its path without slashes around it, and its `zarr.json`.

    `manifests` are the names of the files that hold references of the array with this `identity`.
    """

    path: str
    identity: bytes
    document: dict[str, Any]
    manifests: tuple[str, ...]
    is_array: bool


@dataclass(frozen=True, slots=True)
class Ref:
    """The name of a branch or of a tag."""

    name: str
    is_tag: bool

    def __str__(self) -> str:
        return f"{'tag' if self.is_tag else 'branch'} {self.name!r}"


def read_whole() -> Reading[bytes]:
    """Read a file in one round, or two where it is large."""
    (data,) = yield [ByteRange(0, FIRST_READ)]
    if len(data) < FIRST_READ:
        return bytes(data)
    (facts,) = yield [Stat()]
    pieces = [bytes(data)]
    start, wanted = FIRST_READ, FIRST_READ
    while facts.size is None or start < facts.size:
        wanted = facts.size - start if facts.size is not None else 2 * wanted
        (data,) = yield [ByteRange(start, start + wanted)]
        pieces.append(bytes(data))
        start += len(data)
        if len(data) < wanted:
            break
    return b"".join(pieces)


def find_snapshot(root: str, ref: Ref) -> Reading[str]:
    """Return the id of the snapshot that a branch or tag of the repository at `root` has.

    Version 2 keeps all refs in the file `repo`, version 1 each in a file of its own. Raises
    UnknownFormatError where there is no repository, SourceNotFoundError where there is no such ref.
    """
    kind = "tag" if ref.is_tag else "branch"
    old = f"{root}/refs/{kind}.{quote(ref.name, safe='')}/ref.json"
    found = yield [Elsewhere(f"{root}/repo", read_whole()), Elsewhere(old, read_whole())]
    repo, single = found
    if isinstance(repo, bytes):
        return _snapshot_of(Buffer(content(repo, REPO)).root(), ref)
    if isinstance(single, bytes):
        try:
            return str(orjson.loads(single)["snapshot"])
        except (ValueError, KeyError, TypeError) as error:
            raise CorruptFileError("the ref is malformed", url=old) from error
    if isinstance(repo, SourceNotFoundError) and isinstance(single, SourceNotFoundError):
        raise UnknownFormatError(
            f"there is no Icechunk repository here, or none that has a {ref}", url=root
        )
    raise repo


def _snapshot_of(repo: Table, ref: Ref) -> str:
    refs = {each.text(0): each.number(1, 4) for each in repo.tables(1 if ref.is_tag else 2)}
    if ref.name not in refs:
        known = ", ".join(sorted(refs)) if refs else "none"
        raise SourceNotFoundError(f"there is no {ref}; there are: {known}")
    snapshots = repo.positions(4)
    index = refs[ref.name]
    if index >= len(snapshots):
        raise CorruptFileError(f"the {ref} names snapshot {index} of {len(snapshots)}")
    return _identity(Table(repo.buffer, int(snapshots[index])), 0, 12, "snapshot")


def read_nodes(root: str, snapshot: str) -> Reading[list[Node]]:
    """Return all nodes of a snapshot. Raises SourceNotFoundError where there is none of this id."""
    url = f"{root}/snapshots/{quote(snapshot, safe='')}"
    (data,) = yield [Elsewhere(url, read_whole())]
    if isinstance(data, VirtualizeError):
        raise data
    try:
        table = Buffer(content(data, SNAPSHOT)).root()
        return [_node(each) for each in table.tables(2)]
    except VirtualizeError as error:
        raise error.located(url=url) from error.__cause__


def _node(table: Table) -> Node:
    path = table.text(1).strip("/")
    kind = table.number(3, 1)
    try:
        document = orjson.loads(table.octets(2))
    except ValueError as error:
        raise CorruptFileError(f"metadata are no JSON: {error}", node=path) from error
    data = table.child(4)
    if not isinstance(document, dict) or data is None or kind not in (ARRAY, GROUP):
        raise CorruptFileError("a node is malformed", node=path)
    files = data.tables(2) if kind == ARRAY else []
    names = dict.fromkeys(_identity(each, 0, 12, "manifest") for each in files)
    identity = table.struct(0, 8)
    if identity is None:
        raise CorruptFileError("a node has no id", node=path)
    return Node(path, identity, document, tuple(names), kind == ARRAY)


def _identity(table: Table, number: int, size: int, what: str) -> str:
    identity = table.struct(number, size)
    if identity is None:
        raise CorruptFileError(f"a {what} has no id", at=table.at)
    return object_name(identity)


def read_manifests(root: str, names: Sequence[str]) -> Reading[list[list[bytes]]]:
    """Return manifest files as they are stored, in one round.

    Each is in a list of its own, to be taken out of it: who runs the reading holds on to answers.
    """
    found = yield [Elsewhere(f"{root}/manifests/{name}", _read_boxed()) for name in names]
    for data in found:
        if isinstance(data, VirtualizeError):
            raise data
    return list(found)


def _read_boxed() -> Reading[list[bytes]]:
    data = yield from read_whole()
    return [data]


def manifest_of(data: bytes) -> Table:
    """Return the manifest that a file holds."""
    return Buffer(content(data, MANIFEST)).root()


def array_positions(manifest: Table) -> dict[bytes, Table]:
    """Return the parts of a manifest by the ids of the arrays that they belong to."""
    found: dict[bytes, Table] = {}
    for table in manifest.tables(1):
        identity = table.struct(0, 8)
        if identity is None:
            raise CorruptFileError("an array of a manifest has no id", at=table.at)
        found[identity] = table
    return found
