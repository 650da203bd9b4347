"""What h5py sees in a file, as plain data. Run as a program it answers for one path a line.

It is a program because libhdf5 can crash on the files of a corpus.
"""

from __future__ import annotations

import pickle
import sys
from typing import Any

import h5py
import numpy as np

UNREADABLE = "h5py cannot read this"


def plain(value: Any) -> Any:
    """Return a value as Python numbers, str, bytes and lists; padding and type of text removed."""
    if value is None or isinstance(value, h5py.Empty):
        return None
    if isinstance(value, bytes | np.bytes_):
        value = bytes(value).split(b"\0")[0].decode("utf-8", "surrogateescape")
    if isinstance(value, str):
        return value.rstrip(" ")
    if isinstance(value, h5py.Reference | h5py.RegionReference):
        return "reference"
    if isinstance(value, np.void):
        names = value.dtype.names
        return bytes(value) if names is None else [plain(value[name]) for name in names]
    if isinstance(value, np.ndarray) and value.ndim and value.dtype.kind in "OSVU":
        return [plain(each) for each in value]
    if isinstance(value, np.ndarray):
        return plain(value[()]) if value.ndim == 0 else plain(value.tolist())
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, complex):
        return [plain(value.real), plain(value.imag)]
    if isinstance(value, bool):
        return int(value)
    return "nan" if isinstance(value, float) and value != value else value


def view(path: str) -> dict[str, Any]:
    """Return paths, links and objects of the file, found breadth first, each object once."""
    with h5py.File(path, "r") as file:
        base = file.userblock_size
        root = h5py.h5o.get_info(file["/"].id).addr + base
        seen: dict[str, Any] = {
            "objects": {},
            "paths": {"/": root},
            "links": {},
            "unreadable": [],
            "order": {},
        }
        level = [("/", file["/"], root)]
        met = {root}
        while level:
            below: list[tuple[str, Any, int]] = []
            for place, node, address in level:
                seen["objects"][address] = _object(node)
                if isinstance(node, h5py.Group):
                    seen["order"][place] = list(node)
                    for name in node:
                        below += _link(seen, met, node, name, place.rstrip("/") + "/" + name, base)
            level = below
    return seen


def _link(
    seen: dict[str, Any], met: set[int], group: h5py.Group, name: str, path: str, base: int
) -> list[tuple[str, Any, int]]:
    try:
        link = group.get(name, getlink=True)
    except TypeError:
        seen["links"][path] = ("user-defined",)
        return []
    if isinstance(link, h5py.SoftLink):
        seen["links"][path] = ("soft", link.path)
        return []
    if isinstance(link, h5py.ExternalLink):
        seen["links"][path] = ("external", link.filename, link.path)
        return []
    try:
        node = group[name]
    except (KeyError, OSError, RuntimeError):
        seen["unreadable"].append(path)
        return []
    address = h5py.h5o.get_info(node.id).addr + base
    seen["paths"][path] = address
    if address in met:
        return []
    met.add(address)
    return [(path, node, address)]


def _object(node: Any) -> dict[str, Any]:
    found: dict[str, Any] = {"kind": type(node).__name__, "attributes": _attributes(node)}
    if not isinstance(node, h5py.Dataset):
        return found
    created = node.id.get_create_plist()
    filters = [created.get_filter(i) for i in range(created.get_nfilters())]
    virtual = created.get_layout() == h5py.h5d.VIRTUAL
    found |= {
        "shape": node.shape,
        "max_shape": node.maxshape,
        "layout": created.get_layout(),
        "chunks": node.chunks,
        "offset": _offset(node),
        "filters": [(each[0], tuple(each[2])) for each in filters],
        "fill": int(created.fill_value_defined()),
        "external": [(str(name), offset) for name, offset, _ in node.external or []],
        "sources": [(each.file_name, each.dset_name) for each in node.virtual_sources()]
        if virtual
        else None,
    }
    return found


def _offset(node: h5py.Dataset) -> int | None:
    """Return where the data are; h5py adds the user block to an undefined address, too."""
    offset: int | None = node.id.get_offset()
    return None if offset is None or offset < node.file.userblock_size else offset


def _attributes(node: Any) -> dict[str, Any]:
    values = {}
    for i in range(h5py.h5a.get_num_attrs(node.id)):
        name = h5py.h5a.open(node.id, index=i).name.decode("utf-8", "surrogateescape")
        try:
            values[name] = plain(node.attrs[name])
        except (OSError, TypeError, ValueError, RuntimeError, SystemError):
            values[name] = UNREADABLE
    return values


def main() -> None:
    """Answer each path on standard input with a pickle, its length before it."""
    for line in sys.stdin:
        try:
            answer: Any = view(line.strip())
        except Exception as error:
            answer = repr(error)
        data = pickle.dumps(answer)
        sys.stdout.buffer.write(len(data).to_bytes(8, "little") + data)
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
