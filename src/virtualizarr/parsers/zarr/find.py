"""Finding a store's nodes and chunk files, by as few requests as the store allows."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import prod

from virtualizarr.errors import (
    SourceNotFoundError,
    UnknownFormatError,
    UnsupportedFeatureError,
    VirtualizeError,
)
from virtualizarr.parsers.zarr.archive import EMPTY_ARCHIVE, LOCAL_HEADER, Archive, read_archive
from virtualizarr.parsers.zarr.describe import Described
from virtualizarr.parsers.zarr.documents import (
    DOCUMENTS,
    ROOT_DOCUMENTS,
    Json,
    Nodes,
    check_paths,
    consolidated,
    decode,
    document_names,
    nodes_of,
    rebased,
)
from virtualizarr.parsers.zarr.places import Folder, Found, Place, child_urls, read_whole
from virtualizarr.source.directory import FileList
from virtualizarr.source.facts import FileFacts
from virtualizarr.source.ranges import ByteRange
from virtualizarr.source.reading import Elsewhere, Listing, Reading, Stat

MAX_PROBES = 10_000


@dataclass(frozen=True, slots=True, eq=False)
class Opened:
    """A group of a store: its nodes by path, and where its keys lie.

    `url` is the group's; None inside an archive. `place` is None while a directory is not listed.
    """

    url: str | None
    nodes: Nodes
    place: Place | None


def find_nodes(url: str, group: str, known: Collection[str]) -> Reading[Opened]:
    """Find the nodes at and below `group` of the store at `url`.

    Consolidated metadata are taken where the store has them; else it is listed, and where that is
    impossible the nodes at the paths `known` are tried. Raises UnknownFormatError where there is no
    Zarr store, SourceNotFoundError where it has no such group.
    """
    below = [f"{group}/{name}" for name in DOCUMENTS] if group else []
    names = [*ROOT_DOCUMENTS, *below]
    head, *contents = yield [
        Elsewhere(url, _peek()),
        *(Elsewhere(child, read_whole()) for child in child_urls(url, names)),
    ]
    if not isinstance(head, Exception) and bytes(head) in (LOCAL_HEADER, EMPTY_ARCHIVE):
        archive = yield from read_archive(url)
        return (yield from _find_in_archive(archive, group))
    found = dict(zip(names, contents, strict=True))
    documents = {k: decode(k, v) for k, v in found.items() if not isinstance(v, Exception)}
    base = child_urls(url, [group])[0] if group else url
    all_nodes = consolidated(documents)
    if all_nodes is not None:
        return _opened(base, rebased(all_nodes, group), None, group)
    at_base = {
        key.removeprefix(f"{group}/") if group else key: document
        for key, document in documents.items()
        if not group or key in below
    }
    (files,) = yield [Listing(base)]
    if isinstance(files, FileList):
        folder = Folder(base, files)
        nodes = yield from _read_nodes(folder, at_base)
        if nodes or documents:
            return _opened(base, nodes, folder, group)
    if not documents:
        raise _no_store([head, *contents])
    if isinstance(files, SourceNotFoundError):
        return _opened(base, {}, None, group)
    if not isinstance(files, UnsupportedFeatureError):
        raise files
    nodes = yield from _try_nodes(base, at_base, known, files)
    return _opened(base, nodes, None, group)


def _peek() -> Reading[memoryview]:
    (head,) = yield [ByteRange(0, len(LOCAL_HEADER))]
    return head  # type: ignore[no-any-return]


def _no_store(found: Sequence[Found]) -> VirtualizeError:
    """Return what to raise where no document was found: the store's trouble, if it had one."""
    for error in found[1:]:
        expected = isinstance(error, SourceNotFoundError | UnsupportedFeatureError)
        if isinstance(error, VirtualizeError) and not expected and isinstance(found[0], Exception):
            return error
    return UnknownFormatError(f"this is no Zarr store: it has none of {', '.join(ROOT_DOCUMENTS)}")


def _find_in_archive(archive: Archive, group: str) -> Reading[Opened]:
    if not document_names(archive.names):
        raise UnknownFormatError("the zip archive holds no Zarr store at its root")
    held = [name for name in ROOT_DOCUMENTS if name in set(archive.names)]
    contents = yield from archive.whole(held)
    documents = {name: decode(name, c) for name, c in zip(held, contents, strict=True)}
    if group:
        archive = replace(archive, members=archive.members.below(f"{group}/"))
    all_nodes = consolidated(documents)
    if all_nodes is not None:
        return _opened(None, rebased(all_nodes, group), archive, group)
    nodes = yield from _read_nodes(archive, {} if group else documents)
    return _opened(None, nodes, archive, group)


def _read_nodes(place: Place, read: dict[str, Json]) -> Reading[Nodes]:
    """Read all documents of a place, but for those that were read already."""
    wanted = [name for name in document_names(place.names) if name not in read]
    contents = yield from place.whole(wanted)
    documents = {name: decode(name, c) for name, c in zip(wanted, contents, strict=True)}
    return nodes_of({**documents, **read})


def _try_nodes(
    base: str, read: dict[str, Json], known: Collection[str], trouble: VirtualizeError
) -> Reading[Nodes]:
    """Read the documents of nodes whose paths are known beforehand."""
    nodes = nodes_of(read)
    is_group = "" not in nodes or not nodes[""].is_array
    if is_group and not known:
        raise UnsupportedFeatureError(
            f"the store cannot be listed ({trouble.reason}) and has no consolidated metadata: name "
            'its arrays and groups, as in ZarrParser(nodes=["time", "air"])'
        )
    names = [f"{path.strip('/')}/{name}" for path in known for name in DOCUMENTS]
    contents = yield [Elsewhere(url, read_whole()) for url in child_urls(base, names)]
    documents = {
        name: decode(name, content)
        for name, content in zip(names, contents, strict=True)
        if not isinstance(content, Exception)
    }
    nodes = nodes_of({**read, **documents})
    for path in known:
        if path.strip("/") not in nodes:
            raise SourceNotFoundError("there is no such array or group", url=base, node=path)
    return nodes


def _opened(url: str | None, nodes: Nodes, place: Place | None, group: str) -> Opened:
    if not nodes:
        raise SourceNotFoundError(f"the store has no group or array {group!r}", node=group)
    check_paths(list(nodes))
    return Opened(url, nodes, place)


def list_chunks(opened: Opened, arrays: dict[str, Described]) -> Reading[Place]:
    """Return the place of a group's keys: listed, or where it cannot be, probed key by key.

    Raises UnsupportedFeatureError where there are too many keys to be probed.
    """
    if opened.place is not None or opened.url is None:
        assert opened.place is not None
        return opened.place
    (files,) = yield [Listing(opened.url)]
    if isinstance(files, FileList):
        return Folder(opened.url, files)
    if not isinstance(files, UnsupportedFeatureError):
        raise files
    count = sum(prod(array.metadata.grid_shape) for array in arrays.values())
    if count > MAX_PROBES:
        raise UnsupportedFeatureError(
            f"the store cannot be listed, and {count:,} chunks are too many to be asked for one by "
            "one"
        )
    names = [
        f"{path}/{array.form.key(cell)}".lstrip("/")
        for path, array in arrays.items()
        for cell in product(*map(range, array.metadata.grid_shape))
    ]
    answers = yield [Elsewhere(url, _size()) for url in child_urls(opened.url, names)]
    rows: list[tuple[str, FileFacts]] = []
    for name, answer in zip(names, answers, strict=True):
        if isinstance(answer, FileFacts):
            rows.append((name, answer))
        elif not isinstance(answer, SourceNotFoundError):
            raise answer
    return Folder(opened.url, FileList.of(rows))


def _size() -> Reading[FileFacts]:
    (facts,) = yield [Stat()]
    if facts.size is None:
        raise UnsupportedFeatureError("the server does not tell the size of a chunk")
    return facts  # type: ignore[no-any-return]
