"""From found object headers to groups, datasets and committed datatypes with their values."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache, partial

from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError, VirtualizeError
from virtualizarr.parsers.hdf5.decode_attribute import (
    DATASPACE_SHARED,
    DATATYPE_SHARED,
    RawAttribute,
    decode_attribute,
)
from virtualizarr.parsers.hdf5.decode_dataset import (
    decode_dataspace,
    decode_fill_value,
    decode_fill_value_old,
    decode_filter_pipeline,
    decode_layout,
    decode_virtual_location,
)
from virtualizarr.parsers.hdf5.decode_datatype import CACHED_BODY, decode_datatype
from virtualizarr.parsers.hdf5.decode_object_header import SHARED, Message, MessageType
from virtualizarr.parsers.hdf5.decode_selection import decode_mappings
from virtualizarr.parsers.hdf5.decode_value import Decoder, HeapObjects, decoder_of
from virtualizarr.parsers.hdf5.layout import (
    Attribute,
    BrokenObject,
    CommittedDatatype,
    Dataset,
    Dataspace,
    FillState,
    FillValue,
    Group,
    H5Object,
    Layout,
    Superblock,
    Undecoded,
    VirtualLayout,
)
from virtualizarr.parsers.hdf5.layout_datatype import Datatype
from virtualizarr.parsers.hdf5.read_heap import read_wanted_collections
from virtualizarr.parsers.hdf5.read_objects import Found
from virtualizarr.parsers.hdf5.read_shared import SharedBodies, SharedKey, read_shared
from virtualizarr.source.reading import Reading

_new = tuple.__new__  # a named tuple, in a third of the time
_MAX_SHARED_ROUNDS = 4  # an attribute may be shared, and its datatype, and there it ends
_MAX_HEAP_ROUNDS = 64  # variable-length sequences within one another


@dataclass(slots=True, eq=False)
class _Draft:
    """An object on its way to be built."""

    found: Found
    raw: list[RawAttribute] = field(default_factory=list)  # attributes without a value yet
    attributes: dict[str, Attribute] = field(default_factory=dict)
    layout: Layout | None = None

    def fail(self, error: VirtualizeError) -> None:
        self.found.error = error.located(node=self.found.path, at=self.found.address)


def read_built(superblock: Superblock, found: dict[int, Found]) -> Reading[dict[int, H5Object]]:
    """Return the objects by address: shared messages resolved, heaps read, values decoded."""
    drafts = [_Draft(each) for each in found.values()]
    shared = yield from _read_all_shared(superblock, drafts)
    heaps = HeapObjects.of(superblock)
    pending = [draft for draft in drafts if draft.found.error is None]
    for _ in range(_MAX_HEAP_ROUNDS):
        pending = [draft for draft in pending if not _valued(draft, shared, heaps)]
        if not pending:
            break
        yield from read_wanted_collections(superblock, heaps)
    for draft in pending:
        draft.fail(CorruptFileError("variable-length values are nested too deep"))
    return {draft.found.address: _built(superblock, draft, shared) for draft in drafts}


def _read_all_shared(superblock: Superblock, drafts: list[_Draft]) -> Reading[SharedBodies]:
    """Resolve shared messages and take attributes apart, until none is left."""
    known = {d.found.address: d.found.header for d in drafts if d.found.error is None}
    shared: SharedBodies = {}
    waiting = [draft for draft in drafts if draft.found.error is None]
    for _ in range(_MAX_SHARED_ROUNDS):
        keys: set[SharedKey] = set()
        waiting = [draft for draft in waiting if not _apart(draft, shared, keys)]
        if not keys:
            break
        shared |= yield from read_shared(superblock, keys, known)
    for draft in waiting:
        draft.fail(CorruptFileError("shared messages point in a circle"))
    return shared


def _apart(draft: _Draft, shared: SharedBodies, keys: set[SharedKey]) -> bool:
    """Take an object's attributes apart. False if that needs `keys`, which are then added."""
    before = len(keys)
    for message in draft.found.header.messages:
        if message[1] & SHARED and message[0] != MessageType.ATTRIBUTE:
            _want(message[0], message[2], shared, keys)
    try:
        draft.raw = [
            decode_attribute(message[2])
            if not message[1] & SHARED
            else _shared_attribute(message, shared, keys)
            for message in draft.found.attributes
        ]
        if draft.found.attributes_unordered:
            draft.raw.sort(key=lambda raw: raw.name)
        for raw in draft.raw:
            if raw[4] & DATATYPE_SHARED:
                _want(MessageType.DATATYPE, raw.datatype, shared, keys)
            if raw[4] & DATASPACE_SHARED:
                _want(MessageType.DATASPACE, raw.dataspace, shared, keys)
    except VirtualizeError as error:
        draft.fail(error)
        return True
    return len(keys) == before


def _want(kind: int, body: bytes, shared: SharedBodies, keys: set[SharedKey]) -> None:
    key = (int(kind), body)
    if key not in shared:
        keys.add(key)


_NOT_YET = RawAttribute("", b"", b"", b"", 0)


def _shared_attribute(message: Message, shared: SharedBodies, keys: set[SharedKey]) -> RawAttribute:
    _want(message.type, message.body, shared, keys)
    if (message.type, message.body) not in shared:
        return _NOT_YET
    return decode_attribute(_shared_body(message.type, message.body, shared))


def _shared_body(kind: int, body: bytes, shared: SharedBodies) -> bytes:
    found = shared[(int(kind), body)]
    if isinstance(found, VirtualizeError):
        raise found
    return found.body


def _valued(draft: _Draft, shared: SharedBodies, heaps: HeapObjects) -> bool:
    """Decode values; False if some miss their heap, which `heaps` then wants."""
    missed = []
    attributes = draft.attributes
    try:
        for raw in draft.raw:
            misses = heaps.misses
            attribute = _attribute(raw, shared, heaps)
            attributes[attribute[0]] = attribute
            if heaps.misses != misses:
                missed.append(raw)
        if len(attributes) < len(draft.raw):
            raise CorruptFileError("two attributes have one name")
        if MessageType.LAYOUT in draft.found.types and draft.layout is None:
            misses = heaps.misses
            _take_layout(draft, heaps)
            if heaps.misses != misses:
                draft.raw = missed
                return False
    except VirtualizeError as error:
        draft.fail(error)
        return True
    draft.raw = missed
    return not missed


type Described = tuple[Datatype, Dataspace, Decoder]


def _described(datatype_body: bytes, dataspace_body: bytes, length: int) -> Described:
    """Return the datatype, the dataspace and what decodes values of both.

    A datatype that cannot be decoded gives values that say so.
    """
    dataspace = decode_dataspace(dataspace_body, length)
    try:
        datatype = decode_datatype(datatype_body)
    except UnsupportedFeatureError as error:
        return Datatype(0), dataspace, partial(_undecoded, error.reason)
    return datatype, dataspace, decoder_of(datatype, dataspace)


def _undecoded(reason: str, raw: bytes, heaps: HeapObjects) -> Undecoded:
    del raw, heaps
    return Undecoded(reason)


_cached_described = lru_cache(1024)(_described)  # the attributes of a file are of few kinds


def _attribute(raw: RawAttribute, shared: SharedBodies, heaps: HeapObjects) -> Attribute:
    name, datatype_body, dataspace_body, data, flags = raw
    if flags & DATATYPE_SHARED:
        datatype_body = _shared_body(MessageType.DATATYPE, datatype_body, shared)
    if flags & DATASPACE_SHARED:
        dataspace_body = _shared_body(MessageType.DATASPACE, dataspace_body, shared)
    try:
        described = _cached_described if len(datatype_body) <= CACHED_BODY else _described
        datatype, dataspace, decode = described(datatype_body, dataspace_body, heaps.sizes.length)
        try:
            value = decode(data, heaps)
        except UnsupportedFeatureError as error:
            value = Undecoded(error.reason)
    except CorruptFileError as error:
        raise CorruptFileError(f"attribute {name!r}: {error.reason}", at=error.at) from error
    return _new(Attribute, (name, datatype, dataspace, value))


def _take_layout(draft: _Draft, heaps: HeapObjects) -> None:
    """Decode the layout; leaves it None if it is virtual and misses its heap."""
    sizes = heaps.sizes
    message = next(m for m in draft.found.header.messages if m.type == MessageType.LAYOUT)
    location = decode_virtual_location(message.body, sizes)
    if location is None:
        draft.layout = decode_layout(message.body, message.at, sizes)
        return
    address, index = location
    if address is None:
        draft.layout = VirtualLayout(())
        return
    block = heaps.object(address, index)
    if block is not None:
        draft.layout = VirtualLayout(decode_mappings(block, sizes))


def _built(superblock: Superblock, draft: _Draft, shared: SharedBodies) -> H5Object:
    found = draft.found
    if found.error is not None:
        return BrokenObject(found.path, found.address, found.error)
    try:
        return _object(superblock, draft, shared)
    except VirtualizeError as error:
        located = error.located(node=found.path, at=found.address)
        return BrokenObject(found.path, found.address, located)


def _object(superblock: Superblock, draft: _Draft, shared: SharedBodies) -> H5Object:
    found = draft.found
    path, address, attributes = found.path, found.address, draft.attributes
    if found.is_group:
        return Group(path, address, attributes, found.links)
    if MessageType.DATATYPE not in found.types:
        raise CorruptFileError("an object that is no group, dataset or datatype", at=address)
    bodies = {
        message[0]: _shared_body(message[0], message[2], shared)
        if message[1] & SHARED
        else message[2]
        for message in found.header.messages
        if message[0] in _OF_DATASETS
    }
    datatype = decode_datatype(bodies[MessageType.DATATYPE])
    dataspace = bodies.get(MessageType.DATASPACE)
    if dataspace is None:
        return CommittedDatatype(path, address, attributes, datatype)
    if draft.layout is None:
        raise CorruptFileError("a dataset without a data layout message", at=address)
    pipeline = bodies.get(MessageType.FILTER_PIPELINE)
    return Dataset(
        path,
        address,
        attributes,
        decode_dataspace(dataspace, superblock.sizes.length),
        datatype,
        _fill_value(bodies),
        draft.layout,
        () if pipeline is None else decode_filter_pipeline(pipeline),
        found.external_files,
    )


def _fill_value(bodies: dict[int, bytes]) -> FillValue:
    """Return what the new message says; the old one counts only where there is no new one."""
    new, old = bodies.get(MessageType.FILL_VALUE), bodies.get(MessageType.FILL_VALUE_OLD)
    if new is not None:
        return decode_fill_value(new)
    return FillValue(FillState.UNDEFINED) if old is None else decode_fill_value_old(old)


_OF_DATASETS = frozenset(
    int(each)
    for each in (
        MessageType.DATASPACE,
        MessageType.DATATYPE,
        MessageType.FILL_VALUE_OLD,
        MessageType.FILL_VALUE,
        MessageType.FILTER_PIPELINE,
    )
)
