"""Icechunk repositories: a snapshot of one, read from its own files.

Specification: "Icechunk specification", versions 1 and 2. Virtual chunks become references with the
checksums that the repository holds, native chunks references to the repository's own files, inline
chunks stay inline. No chunk is read, and the package icechunk is not needed. Not supported:
locations relative to a named container (`vcc://`), and storage other than plain files or objects.

What is read is what was committed; changes in a session are not seen.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from virtualizarr.errors import CorruptFileError, SourceNotFoundError, VirtualizeError
from virtualizarr.model import ArrayMetadata, ManifestArray, ManifestGroup
from virtualizarr.model.cf_fill import decode_cf_fill
from virtualizarr.parsers.base import CallableParser
from virtualizarr.parsers.icechunk.chunk_refs import Gathering
from virtualizarr.parsers.icechunk.repository import (
    Node,
    Ref,
    array_positions,
    find_snapshot,
    manifest_of,
    read_manifests,
    read_nodes,
)
from virtualizarr.source.reading import Reading

__all__ = ["IcechunkParser"]

MANIFESTS_PER_ROUND = 64
DEFAULT_BRANCH = "main"


@dataclass(frozen=True)
class IcechunkParser(CallableParser):
    """Reads the snapshot of a repository that `branch`, `tag` or `snapshot_id` names.

    One of the three may be given; without any it is the branch "main". `group` is the path of the
    group wanted. `skip_variables` and `drop_variables` are left out, in every group. `batch_size`
    is accepted for VirtualiZarr 2.x's sake and ignored: manifests are read whole.
    """

    branch: str | None = None
    tag: str | None = None
    snapshot_id: str | None = None
    group: str | None = None
    skip_variables: Iterable[str] | None = None
    drop_variables: Collection[str] = ()
    batch_size: int | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Raises ValueError if more than one of branch, tag and snapshot_id is given."""
        if sum(given is not None for given in (self.branch, self.tag, self.snapshot_id)) > 1:
            raise ValueError("give one of branch, tag and snapshot_id")

    @property
    def name(self) -> str:
        return "icechunk"

    @property
    def suffixes(self) -> tuple[str, ...]:
        return (".icechunk",)

    def sniff(self, head: bytes | memoryview, url: str) -> bool:
        """Say no: a repository is a directory, which `sniff_listing` recognises."""
        del head, url
        return False

    def sniff_listing(self, names: Collection[str], url: str) -> bool:
        """Say whether a directory with these names directly in it is an Icechunk repository."""
        del url
        return "snapshots" in names and ("repo" in names or "refs" in names)

    def parse(self, url: str) -> Reading[ManifestGroup]:
        """Read the repository at `url`, in three rounds: refs, snapshot, manifests.

        Raises UnknownFormatError where there is none, SourceNotFoundError for a ref, snapshot or
        group that is not there, CorruptFileError and UnsupportedFeatureError naming the node.
        """
        root = url.rstrip("/")
        snapshot = self.snapshot_id
        if snapshot is None:
            snapshot = yield from find_snapshot(root, self._ref())
        every = yield from read_nodes(root, snapshot)
        nodes = self._wanted(every)
        gathered = yield from _gather(root, [node for node in nodes.values() if node.is_array])
        return _grown(nodes, gathered)

    def _ref(self) -> Ref:
        if self.tag is not None:
            return Ref(self.tag, True)
        return Ref(self.branch if self.branch is not None else DEFAULT_BRANCH, False)

    def _wanted(self, every: list[Node]) -> dict[str, Node]:
        """Return the nodes at and below the group, by their path relative to it."""
        skipped = self.skip_variables if self.skip_variables is not None else ()
        dropped = {*skipped, *self.drop_variables}
        base = self.group.strip("/") if self.group is not None else ""
        nodes: dict[str, Node] = {}
        for node in every:
            if node.path != base and base and not node.path.startswith(f"{base}/"):
                continue
            if not (node.is_array and node.path.rpartition("/")[2] in dropped):
                nodes[node.path.removeprefix(base).strip("/")] = node
        if "" not in nodes or nodes[""].is_array:
            raise SourceNotFoundError(f"there is no group {base!r} in the repository")
        return nodes


def _gather(root: str, arrays: list[Node]) -> Reading[dict[str, ManifestArray]]:
    """Read the manifests of all arrays, some at a time, and make the arrays."""
    metadata = {node.path: _metadata(node) for node in arrays}
    parts = {node.path: Gathering(root, metadata[node.path].grid_shape) for node in arrays}
    users: dict[str, list[Node]] = {}
    for node in arrays:
        for name in node.manifests:
            users.setdefault(name, []).append(node)
    names = list(users)
    for at in range(0, len(names), MANIFESTS_PER_ROUND):
        batch = names[at : at + MANIFESTS_PER_ROUND]
        held = yield from read_manifests(root, batch)
        for name, data in zip(batch, held, strict=True):
            _take_in(data, users[name], parts, f"{root}/manifests/{name}")
    made: dict[str, ManifestArray] = {}
    for node in arrays:
        try:
            made[node.path] = ManifestArray(metadata[node.path], parts[node.path].manifest())
        except VirtualizeError as error:
            raise error.located(node=node.path) from error.__cause__
    return made


def _take_in(data: list[bytes], users: list[Node], parts: dict[str, Gathering], url: str) -> None:
    try:
        manifest = manifest_of(data.pop())
        tables = array_positions(manifest)
        for node in users:
            if node.identity in tables:
                try:
                    parts[node.path].add(manifest, tables[node.identity])
                except VirtualizeError as error:
                    raise error.located(node=node.path) from error.__cause__
    except VirtualizeError as error:
        raise error.located(url=url) from error.__cause__


def _metadata(node: Node) -> ArrayMetadata:
    try:
        metadata = ArrayMetadata.from_json(node.document)
        attributes = decode_cf_fill(metadata.attributes, metadata.dtype)
    except VirtualizeError as error:
        raise error.located(node=node.path) from error.__cause__
    return metadata.replace(attributes=attributes)


def _grown(nodes: dict[str, Node], arrays: dict[str, ManifestArray]) -> ManifestGroup:
    """Return the tree of all nodes; `nodes` holds the root, ""."""
    own_arrays: dict[str, dict[str, ManifestArray]] = {}
    own_groups: dict[str, dict[str, ManifestGroup]] = {}
    deepest_first = sorted(nodes, key=lambda path: path.count("/") + bool(path), reverse=True)
    for path in deepest_first:
        node = nodes[path]
        parent, _, name = path.rpartition("/")
        if parent not in nodes or (path and nodes[parent].is_array):
            raise CorruptFileError("the node is in no group", node=node.path)
        if node.is_array:
            own_arrays.setdefault(parent, {})[name] = arrays[node.path]
            continue
        group = ManifestGroup(
            dict(sorted(own_arrays.get(path, {}).items())),
            dict(sorted(own_groups.get(path, {}).items())),
            node.document.get("attributes"),
        )
        if path:
            own_groups.setdefault(parent, {})[name] = group
    return group
