"""Reads HDF5 files with our parser or with h5py, one after another, for another process.

Run as a program with `ours` or `h5py`: file names come on standard input, one a line; for each a
pickled `Report` of known length goes to standard output. A crash ends only this process.
"""

from __future__ import annotations

import faulthandler
import pickle
import struct
import sys
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np


@dataclass
class Report:
    """What one reader found in one file; paths have no leading slash, groups are "" and "a/b"."""

    values: dict[str, Any] = field(default_factory=dict)
    attributes: dict[str, dict[str, Any]] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)  # by path; "" is the file
    broken: dict[str, str] = field(default_factory=dict)  # errors not of our tree


MAX_ELEMENTS = 1_000_000


# -- ours ------------------------------------------------------------------------------------------


def read_ours(path: str) -> Report:
    from virtualizarr.errors import CorruptFileError, UnsupportedFeatureError, VirtualizeError
    from virtualizarr.parsers.hdf5 import HDFParser
    from virtualizarr.source.open import open_source
    from virtualizarr.source.reading import run

    report = Report()
    url = Path(path).as_uri()
    drop: list[str] = []
    for _ in range(1000):
        try:
            group = run(HDFParser(drop_variables=drop).parse(url), open_source(url), open_source)
            break
        except (UnsupportedFeatureError, CorruptFileError) as error:
            node = "" if error.node is None else error.node.strip("/")
            report.refused[node] = f"{type(error).__name__}: {error.reason}"
            if not node or node in drop:
                return report
            drop.append(node)
        except VirtualizeError as error:
            report.refused[""] = f"{type(error).__name__}: {error}"
            return report
        except Exception as error:
            report.broken[""] = repr(error)
            return report
    read_group(report, group)
    return report


def read_group(report: Report, group: Any) -> None:
    import zarr

    from virtualizarr.errors import VirtualizeError
    from virtualizarr.model.json import to_json
    from virtualizarr.store import ManifestStore

    def visit(path: str, node: Any) -> None:
        report.attributes[path] = to_json(node.attributes)
        for name, array in node.arrays.items():
            inner = f"{path}/{name}".strip("/").replace("\\", "_")
            report.attributes[inner] = to_json(array.metadata.attributes)
            if np.prod(array.shape, dtype=object) > MAX_ELEMENTS:
                report.refused[inner] = "too large for this test"
                continue
            try:
                report.values[inner] = plain(root[inner][...])
            except VirtualizeError as error:
                report.refused[inner] = f"reading: {type(error).__name__}: {error}"
            except Exception as error:
                report.broken[inner] = repr(error)
        for name, below in node.groups.items():
            visit(f"{path}/{name}".strip("/"), below)

    try:
        root = zarr.open_group(ManifestStore(group), mode="r", zarr_format=3)
        visit("", group)
    except Exception as error:
        report.broken[""] = repr(error)


# -- h5py ------------------------------------------------------------------------------------------


def read_h5py(path: str) -> Report:
    import h5py
    import hdf5plugin  # noqa: F401  (registers filters)

    report = Report()
    try:
        file = h5py.File(path, "r")
    except (OSError, RuntimeError, ValueError, KeyError) as error:
        report.refused[""] = repr(error)
        return report
    with file:
        visit_h5py(report, "", file, ())
    return report


def visit_h5py(report: Report, path: str, group: Any, above: tuple[Any, ...]) -> None:
    import h5py

    report.attributes[path] = h5py_attributes(group)
    try:
        here = (group.file.filename, h5py.h5o.get_info(group.id).addr)
        names = list(group)
    except Exception as error:
        report.refused[path] = repr(error)
        return
    for name in names:
        inner = f"{path}/{name}".strip("/").replace("\\", "_")
        try:
            found = group[name]
        except (KeyError, OSError, RuntimeError, ValueError) as error:
            report.refused[inner] = f"link: {error!r}"
            continue
        if isinstance(found, h5py.Group):
            if (found.file.filename, h5py.h5o.get_info(found.id).addr) not in (*above, here):
                visit_h5py(report, inner, found, (*above, here))
        elif isinstance(found, h5py.Dataset):
            report.attributes[inner] = h5py_attributes(found)
            try:
                if found.shape is not None and found.size > MAX_ELEMENTS:
                    report.refused[inner] = "too large for this test"
                    continue
                value = found[()]
                report.values[inner] = h5py_value(found, value)
            except Exception as error:
                report.refused[inner] = repr(error)


def h5py_value(found: Any, value: Any) -> Any:
    import h5py

    if isinstance(value, h5py.Empty):
        return ("array", (0,), [])
    if h5py.check_string_dtype(found.dtype) and found.dtype.kind == "O":
        flat = [_text(each) for each in np.asarray(value, object).reshape(-1)]
        return ("array", np.shape(value), flat)
    if h5py.check_ref_dtype(found.dtype) is h5py.Reference:
        flat = [_name(found.file, each) for each in np.asarray(value, object).reshape(-1)]
        return ("array", np.shape(value), flat)
    return plain(np.asarray(value))


def _name(file: Any, reference: Any) -> str:
    import h5py

    if not reference:
        return ""
    name = file[reference].name
    return name if name else f"<HDF5 object at byte {h5py.h5o.get_info(file[reference].id).addr}>"


def h5py_attributes(node: Any) -> dict[str, Any]:
    import h5py

    found: dict[str, Any] = {}
    try:
        names = list(node.attrs)
    except Exception:
        return {"<unreadable>": True}
    for name in names:
        try:
            value = node.attrs[name]
            kind = h5py.check_ref_dtype(node.attrs.get_id(name).dtype)
            if kind is not None:
                continue
            if isinstance(value, h5py.Empty):
                text = h5py.check_string_dtype(value.dtype)
                found[name] = "" if text else []
            else:
                found[name] = jsonable(value)
        except Exception:
            continue
    return found


# -- plain values ----------------------------------------------------------------------------------


def plain(array: Any) -> Any:
    """Return an array as (kind, shape, values) that any process can unpickle and compare."""
    array = np.asarray(array)
    if array.dtype.kind in "OTU":
        return ("array", array.shape, [_text(each) for each in array.reshape(-1).tolist()])
    if array.dtype.fields is not None:
        columns = {}
        for name in array.dtype.names:  # arrays as we show them: a member for each element
            for index in np.ndindex(array.dtype[name].shape):
                shown = "_".join((name, *map(str, index)))
                columns[shown] = plain(array[name][(..., *index)])
        if tuple(columns) == ("r", "i"):
            return plain(array["r"] + 1j * array["i"])
        return ("record", array.shape, columns)
    if array.dtype.kind in "mM":
        return ("numpy", array.shape, array.astype(np.int64))
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    return ("numpy", array.shape, array)


def _text(value: Any) -> Any:
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return value.decode("latin-1")
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            return value.encode("utf-8", "surrogateescape").decode("latin-1")
    return value if isinstance(value, str | int | float) else f"<{type(value).__name__}>"


def jsonable(value: Any, top: bool = True) -> Any:
    """Return an attribute's value as our JSON form gives it."""
    if isinstance(value, np.ndarray) and top and value.size == 1 and value.dtype.fields is None:
        return jsonable(value.reshape(-1)[0], top=False)
    if isinstance(value, np.ndarray):
        nested = [jsonable(each, top=False) for each in value]
        return nested[0] if top and value.shape == (1,) else nested
    if isinstance(value, np.void) and value.dtype.fields is not None:
        return {name: jsonable(value[name], top=False) for name in value.dtype.names}
    if isinstance(value, np.void):
        return jsonable(value.tobytes())
    if isinstance(value, np.generic):
        return jsonable(value.item())
    if isinstance(value, complex):
        return [jsonable(value.real), jsonable(value.imag)]
    if isinstance(value, float) and not np.isfinite(value):
        return "NaN" if np.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
    return _text(value)


def main() -> None:
    warnings.simplefilter("ignore")
    faulthandler.enable()
    read = {"ours": read_ours, "h5py": read_h5py}[sys.argv[1]]
    out = sys.stdout.buffer
    for line in sys.stdin:
        data = pickle.dumps(read(line.rstrip("\n")))
        out.write(struct.pack("<Q", len(data)) + data)
        out.flush()


if __name__ == "__main__":
    main()
